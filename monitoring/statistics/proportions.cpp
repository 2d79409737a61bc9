// SPDX-License-Identifier: Apache-2.0
#include "monitoring/statistics/proportions.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {
namespace {

// What rounding does to tables of the same probability.
constexpr double kSameProbability = 1 + 1e-7;
constexpr double kNegligible = 1e-40;  // of the likeliest table

}  // namespace

double fisher_exact(const std::array<std::array<uint64_t, 2>, 2>& table) {
  const auto a = static_cast<double>(table[0][0]);
  const auto b = static_cast<double>(table[0][1]);
  const auto c = static_cast<double>(table[1][0]);
  const auto d = static_cast<double>(table[1][1]);
  const double row = a + b;
  const double column = a + c;
  const double all = row + c + d;
  const double low = std::max(0.0, row + column - all);
  const double high = std::min(row, column);
  // P(x + 1) / P(x) with x in the first cell: rational, so that no logarithm of a factorial loses
  // digits. From the likeliest table outwards, relative to it.
  const auto ratio = [&](double x) {
    return (row - x) * (column - x) / ((x + 1) * (all - row - column + x + 1));
  };
  const double mode = std::clamp(std::floor((row + 1) * (column + 1) / (all + 2)), low, high);
  double observed = a == mode ? 1 : 0;
  std::vector<double> weights{1};
  double weight = 1;
  for (double x = mode; x < high; ++x) {
    weight *= ratio(x);
    if (x + 1 == a) observed = weight;
    if (weight < kNegligible) break;
    weights.push_back(weight);
  }
  weight = 1;
  for (double x = mode; x > low; --x) {
    weight /= ratio(x - 1);
    if (x - 1 == a) observed = weight;
    if (weight < kNegligible) break;
    weights.push_back(weight);
  }
  double sum = 0;
  double unlikely = 0;
  for (const double each : weights) {
    sum += each;
    if (each <= observed * kSameProbability) unlikely += each;
  }
  return std::min(1.0, unlikely / sum);
}

double power_proportions(double p, double other, double alpha, double power) {
  const double difference = p - other;
  if (difference == 0) return std::numeric_limits<double>::infinity();
  const double mean = 0.5 * (p + other);
  const double root = normal_quantile(1 - alpha) * std::sqrt(2 * mean * (1 - mean)) +
                      normal_quantile(power) * std::sqrt(p * (1 - p) + other * (1 - other));
  return root * root / (difference * difference);
}

}  // namespace covey::monitoring
