// SPDX-License-Identifier: Apache-2.0
#include "monitoring/accuracy/boundary.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {

double boundary_quantile(double alpha) {
  const auto crossed = [](double z) {
    return 3 * normal_cdf(-z) - std::exp(4 * z * z) * normal_cdf(-3 * z);
  };
  double low = 0;
  double high = 8;  // 2e-15
  for (int step = 0; step < 60; ++step) {
    const double middle = 0.5 * (low + high);
    (crossed(middle) > alpha ? low : high) = middle;
  }
  return high;
}

double boundary(double information, double planned, double z) {
  const double root = std::sqrt(planned);
  return information <= planned ? z * root : z * information / root;
}

double log_capital(double sum, double information) {
  constexpr std::array kDifferences{0.01, 0.03, 0.06, 0.12, 0.2, 0.3};
  std::array<double, kDifferences.size()> bets{};
  for (size_t i = 0; i < bets.size(); ++i) {
    const double delta = kDifferences[i];
    bets[i] = delta * sum - 0.5 * delta * delta * information;
  }
  const double top = *std::max_element(bets.begin(), bets.end());
  double mean = 0;
  for (const double bet : bets) mean += std::exp(bet - top);
  return top + std::log(mean / static_cast<double>(bets.size()));
}

double information_for(double drift, double z, double power) {
  const double root = (z + normal_quantile(power)) / drift;
  return root * root;
}

}  // namespace covey::monitoring
