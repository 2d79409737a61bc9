// SPDX-License-Identifier: Apache-2.0
#include "monitoring/accuracy/calibration.hpp"

#include <algorithm>
#include <cmath>

namespace covey::monitoring {
namespace {

struct Block {
  double correct = 0;
  double n = 0;
  size_t bins = 0;

  double share() const { return correct / n; }
};

double error_of(std::span<const Answer> answers) {
  double confidence = 0;
  double right = 0;
  for (const Answer& answer : answers) {
    confidence += answer.confidence;
    right += answer.right ? 1 : 0;
  }
  return std::abs(confidence - right);
}

}  // namespace

std::vector<double> isotonic_map(CountsView correct, CountsView n) {
  std::vector<Block> blocks;
  size_t empty = 0;  // bins before the first with samples
  for (size_t b = 0; b < n.size(); ++b) {
    if (n[b] == 0) {
      ++(blocks.empty() ? empty : blocks.back().bins);
      continue;
    }
    const double right = b < correct.size() ? static_cast<double>(correct[b]) : 0.0;
    blocks.push_back({right, static_cast<double>(n[b]), 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].share() >= blocks.back().share()) {
      const Block last = blocks.back();
      blocks.pop_back();
      blocks.back().correct += last.correct;
      blocks.back().n += last.n;
      blocks.back().bins += last.bins;
    }
  }
  std::vector<double> map(empty, blocks.empty() ? 0.0 : blocks.front().share());
  for (const Block& block : blocks) map.insert(map.end(), block.bins, block.share());
  return map;
}

ExpectedAccuracy expected_accuracy(CountsView confidence, std::span<const double> map,
                                   CountsView calibration_n) {
  ExpectedAccuracy expected;
  const auto n = static_cast<double>(total(confidence));
  if (n == 0 || map.size() < confidence.size() || calibration_n.size() < confidence.size()) {
    return expected;
  }
  double outcome = 0;
  double calibration = 0;
  for (size_t b = 0; b < confidence.size(); ++b) {
    if (confidence[b] == 0) continue;
    const double share = static_cast<double>(confidence[b]) / n;
    const double noise = map[b] * (1 - map[b]);
    expected.accuracy += share * map[b];
    outcome += share * noise / n;
    // A bin without samples is known to nothing at all.
    calibration += calibration_n[b] == 0
                       ? share * share
                       : share * share * noise / static_cast<double>(calibration_n[b]);
  }
  expected.se_outcome = std::sqrt(outcome);
  expected.se_calibration = std::sqrt(calibration);
  return expected;
}

bool labels_contradict(double expected, uint64_t correct, uint64_t labelled, double alpha) {
  const Interval seen = wilson(correct, labelled, alpha);
  return expected < seen.low || expected > seen.high;
}

double calibration_error(std::span<const Answer> answers, std::span<const double> edges) {
  if (answers.empty() || edges.size() < 2) return 0;
  std::vector<std::vector<Answer>> bins(edges.size() - 1);
  for (const Answer& answer : answers) {
    const auto above = std::lower_bound(edges.begin() + 1, edges.end() - 1, answer.confidence);
    bins[static_cast<size_t>(above - edges.begin()) - 1].push_back(answer);
  }
  double sum = 0;
  for (const auto& bin : bins) sum += error_of(bin);
  return sum / static_cast<double>(answers.size());
}

double calibration_error(std::vector<Answer> answers, size_t bins) {
  if (answers.empty() || bins == 0) return 0;
  std::stable_sort(answers.begin(), answers.end(),
                   [](const Answer& a, const Answer& b) { return a.confidence < b.confidence; });
  const std::span<const Answer> all = answers;
  const size_t used = std::min(bins, all.size());
  const size_t width = all.size() / used;
  double sum = 0;
  for (size_t b = 0; b < used; ++b) {
    sum += error_of(b + 1 < used ? all.subspan(b * width, width) : all.subspan(b * width));
  }
  return sum / static_cast<double>(all.size());
}

}  // namespace covey::monitoring
