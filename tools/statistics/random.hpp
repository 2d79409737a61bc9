// SPDX-License-Identifier: Apache-2.0
// Seeded random numbers that are the same on every platform, which the distributions of <random>
// don't promise.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

namespace covey::study {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  uint64_t below(uint64_t n) { return engine_() % n; }
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }
  bool chance(double p) { return uniform() < p; }
  double normal() {
    return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * std::acos(-1.0) * uniform());
  }
  // Marsaglia and Tsang 2000.
  double gamma(double shape) {
    if (shape < 1) return gamma(shape + 1) * std::pow(1 - uniform(), 1 / shape);
    const double d = shape - 1.0 / 3;
    for (;;) {
      const double x = normal();
      const double v = std::pow(1 + x / std::sqrt(9 * d), 3);
      if (v > 0 && std::log(1 - uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) {
        return d * v;
      }
    }
  }
  // Beta-distributed with that mean and standard deviation.
  double share(double mean, double sd) {
    if (sd == 0 || mean <= 0 || mean >= 1) return std::clamp(mean, 0.0, 1.0);
    const double size = std::max(0.1, mean * (1 - mean) / (sd * sd) - 1);
    const double a = gamma(mean * size);
    return a / (a + gamma((1 - mean) * size));
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace covey::study
