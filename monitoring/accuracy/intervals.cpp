// SPDX-License-Identifier: Apache-2.0
// The interval for a share (docs/design/monitoring.md, "Accuracy") and the asymptotic
// confidence sequence.
#include <algorithm>
#include <cmath>

#include "monitoring/accuracy/accuracy.hpp"
#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {

Interval wilson(uint64_t k, uint64_t n, double alpha) {
  if (n == 0 || k > n) return {0, 1};
  const double z = normal_quantile(1 - alpha / 2);
  const double trials = static_cast<double>(n);
  const double p = static_cast<double>(k) / trials;
  const double denominator = 1 + z * z / trials;
  const double centre = (p + z * z / (2 * trials)) / denominator;
  const double half =
      z * std::sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials)) / denominator;
  // At the ends the formula is exact in theory and off by a rounding in practice.
  return {k == 0 ? 0.0 : std::max(0.0, centre - half), k == n ? 1.0 : std::min(1.0, centre + half)};
}

Interval clopper_pearson(uint64_t k, uint64_t n, double alpha) {
  if (n == 0 || k > n) return {0, 1};
  const double right = static_cast<double>(k);
  const double wrong = static_cast<double>(n - k);
  return {k == 0 ? 0.0 : beta_quantile(alpha / 2, right, wrong + 1),
          k == n ? 1.0 : beta_quantile(1 - alpha / 2, right + 1, wrong)};
}

Interval newcombe(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2, double alpha) {
  if (n1 == 0 || n2 == 0 || k1 > n1 || k2 > n2) return {-1, 1};
  const Interval a = wilson(k1, n1, alpha);
  const Interval b = wilson(k2, n2, alpha);
  const double p1 = static_cast<double>(k1) / static_cast<double>(n1);
  const double p2 = static_cast<double>(k2) / static_cast<double>(n2);
  return {p1 - p2 - std::hypot(p1 - a.low, b.high - p2),
          p1 - p2 + std::hypot(a.high - p1, p2 - b.low)};
}

double asymptotic_cs_half_width(double t, double rho_squared, double alpha) {
  const double x = t * rho_squared;
  return std::sqrt(2 * (x + 1) / (t * x) * std::log(std::sqrt(x + 1) / alpha));
}

double asymptotic_cs_rho_squared(double t_best, double alpha) {
  const double a = -2 * std::log(alpha);
  return (a + std::log(a + 1)) / t_best;
}

}  // namespace covey::monitoring
