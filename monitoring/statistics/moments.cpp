// SPDX-License-Identifier: Apache-2.0
#include "monitoring/statistics/moments.hpp"

#include <algorithm>
#include <vector>

namespace covey::monitoring {

void RunningMoments::merge(const RunningMoments& other) {
  if (other.n == 0) return;
  const double all = n + other.n;
  const double difference = other.mean - mean;
  mean += difference * other.n / all;
  m2 += other.m2 + difference * difference * n * other.n / all;
  n = all;
}

double wasserstein1(std::span<const WeightedValue> a, std::span<const WeightedValue> b) {
  const auto weight_of = [](std::span<const WeightedValue> side) {
    double sum = 0;
    for (const WeightedValue& each : side) sum += each.weight;
    return sum;
  };
  const double total_a = weight_of(a);
  const double total_b = weight_of(b);
  if (!(total_a > 0 && total_b > 0)) return 0;
  std::vector<WeightedValue> steps;  // of the cumulative share of a minus that of b
  steps.reserve(a.size() + b.size());
  for (const WeightedValue& each : a) steps.push_back({each.value, each.weight / total_a});
  for (const WeightedValue& each : b) steps.push_back({each.value, -each.weight / total_b});
  std::stable_sort(steps.begin(), steps.end(), [](const WeightedValue& x, const WeightedValue& y) {
    return x.value < y.value;
  });
  double area = 0;
  double height = 0;
  for (size_t i = 0; i + 1 < steps.size(); ++i) {
    height += steps[i].weight;
    area += std::abs(height) * (steps[i + 1].value - steps[i].value);
  }
  return area;
}

}  // namespace covey::monitoring
