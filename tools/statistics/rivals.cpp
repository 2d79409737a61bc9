// SPDX-License-Identifier: Apache-2.0
#include "tools/statistics/rivals.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace covey::cases {

using monitoring::RunningMoments;

bool PageHinkley::add(double x) {
  if (alarmed_) *this = PageHinkley(options_);
  moments_.add(x);
  sum_ = std::max(0.0, options_.alpha * sum_ + x - moments_.mean - options_.delta);
  alarmed_ = moments_.n + 1 >= static_cast<double>(options_.warm_up) && sum_ >= options_.threshold;
  return alarmed_;
}

bool Adwin::add(double x) {
  if (alarmed_ && options_.begin_anew) *this = Adwin(options_);
  rows_.front().push_back({1, x, 0});
  window_.add(x);
  compress();
  ++seen_;
  alarmed_ = false;
  if (seen_ % options_.clock != 0 || window_.n <= static_cast<double>(options_.grace)) return false;
  while (cut()) {
    alarmed_ = true;
    drop_oldest();
  }
  return alarmed_;
}

void Adwin::compress() {
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].size() <= options_.row) return;
    RunningMoments merged = rows_[i][0];
    merged.merge(rows_[i][1]);
    rows_[i].erase(rows_[i].begin(), rows_[i].begin() + 2);
    if (i + 1 == rows_.size()) rows_.emplace_back();
    rows_[i + 1].push_back(merged);
  }
}

// Is there a bucket behind which the older part differs from the newer one?
bool Adwin::cut() {
  RunningMoments older;
  double newer_n = window_.n;
  double newer_sum = window_.n * window_.mean;
  for (size_t i = rows_.size(); i-- > 0;) {
    const Row& row = rows_[i];
    const size_t end = row.size() - (options_.skip_newest && !row.empty() ? 1 : 0);
    for (size_t k = 0; k < end; ++k) {
      if (i == 0 && k + 1 == row.size()) return false;
      older.merge(row[k]);
      newer_n -= row[k].n;
      newer_sum -= row[k].n * row[k].mean;
      if (newer_n <= 0) return false;
      if (differ(older, {newer_n, newer_sum / newer_n, 0})) return true;
    }
  }
  return false;
}

bool Adwin::differ(const RunningMoments& a, const RunningMoments& b) const {
  if (a.n < options_.part || b.n < options_.part) return false;
  const double level = std::log(2 * std::log(window_.n) / options_.delta);
  const double m = 1 / (a.n - options_.part + 1) + 1 / (b.n - options_.part + 1);
  const double variance = window_.m2 / window_.n;
  return std::abs(a.mean - b.mean) > std::sqrt(2 * m * variance * level) + 2.0 / 3 * level * m;
}

void Adwin::drop_oldest() {
  const RunningMoments oldest = rows_.back().front();
  rows_.back().pop_front();
  while (rows_.size() > 1 && rows_.back().empty()) rows_.pop_back();
  // The merge of both, taken back.
  const double left = window_.n - oldest.n;
  const double mean = (window_.n * window_.mean - oldest.n * oldest.mean) / left;
  const double apart = oldest.mean - mean;
  window_.m2 -= oldest.m2 + apart * apart * oldest.n * left / window_.n;
  window_.m2 = std::max(0.0, window_.m2);
  window_.n = left;
  window_.mean = mean;
}

DetectorScores score_detector(const std::vector<uint64_t>& alarms,
                              const std::vector<uint64_t>& drifts, uint64_t late) {
  std::map<size_t, uint64_t> first;  // alarm of a drift that was found
  std::vector<uint64_t> false_alarms;
  double hits = 0;
  for (const uint64_t alarm : alarms) {
    const auto drift = std::find_if(drifts.begin(), drifts.end(),
                                    [&](uint64_t at) { return at <= alarm && alarm - at <= late; });
    if (drift == drifts.end()) {
      false_alarms.push_back(alarm);
      continue;
    }
    hits += 1;
    const auto [found, fresh] =
        first.try_emplace(static_cast<size_t>(drift - drifts.begin()), alarm);
    if (!fresh) found->second = std::min(found->second, alarm);
  }
  const auto found = static_cast<double>(first.size());
  const auto there = static_cast<double>(drifts.size());
  DetectorScores scores;
  if (!alarms.empty()) scores.precision = hits / static_cast<double>(alarms.size());
  if (hits + there - found > 0) scores.recall = hits / (hits + there - found);
  if (there > 0) scores.episode_recall = found / there;
  if (found == 0) return scores;
  double delay = 0;
  for (const auto& [drift, alarm] : first) delay += static_cast<double>(alarm - drifts[drift]);
  scores.detection_delay = delay / found;
  if (false_alarms.size() < 2 || delay == 0) return scores;
  const double span =
      static_cast<double>(false_alarms.back()) - static_cast<double>(false_alarms.front());
  const double between = span / static_cast<double>(false_alarms.size() - 1);
  scores.mean_time_ratio = between / *scores.detection_delay * (found / there);
  return scores;
}

}  // namespace covey::cases
