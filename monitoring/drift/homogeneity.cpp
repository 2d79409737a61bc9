// SPDX-License-Identifier: Apache-2.0
#include "monitoring/drift/homogeneity.hpp"

#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {

Homogeneity homogeneity(CountsView a, CountsView b) {
  Homogeneity result;
  const auto n_a = static_cast<double>(total(a));
  const auto n_b = static_cast<double>(total(b));
  if (a.size() != b.size() || n_a == 0 || n_b == 0) return result;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto in_a = static_cast<double>(a[i]);
    const auto in_b = static_cast<double>(b[i]);
    if (in_a + in_b == 0) continue;
    result.df += 1;
    // (observed - expected)^2 / expected of both cells of the bin together
    const double apart = in_a * n_b - in_b * n_a;
    result.x2 += apart * apart / (n_a * n_b * (in_a + in_b));
  }
  result.df -= 1;
  if (result.df > 0) result.p_value = chi_squared_upper(result.x2, result.df);
  return result;
}

double quanttree_threshold(double bins, double n, double nu, double alpha) {
  return noncentral_chi_squared_quantile(1 - alpha, bins - 1, 0) * (1 + nu / n);
}

}  // namespace covey::monitoring
