// SPDX-License-Identifier: Apache-2.0
// Mean and spread that can be added to and merged without losing digits, and the distance between
// two samples. Thread safety: values and pure functions.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

namespace covey::monitoring {

// Welford 1962; merged as Chan, Golub and LeVeque 1979.
struct RunningMoments {
  double n = 0;
  double mean = 0;
  double m2 = 0;  // sum of squared differences from the mean

  void add(double x) {
    n += 1;
    const double before = x - mean;
    mean += before / n;
    m2 += before * (x - mean);
  }
  void merge(const RunningMoments& other);
  double variance() const { return n > 1 ? m2 / (n - 1) : 0; }  // of what it was drawn from
  double population_sd() const { return n > 0 ? std::sqrt(m2 / n) : 0; }
};

struct WeightedValue {
  double value = 0;
  double weight = 1;
};
// Area between two cumulative shares (Wasserstein distance of order 1). Either side without weight:
// 0.
double wasserstein1(std::span<const WeightedValue> a, std::span<const WeightedValue> b);

}  // namespace covey::monitoring
