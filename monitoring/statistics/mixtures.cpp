// SPDX-License-Identifier: Apache-2.0
#include "monitoring/statistics/mixtures.hpp"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <boost/math/special_functions/zeta.hpp>
#include <cmath>

#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {
namespace {

// ln of the incomplete beta function, not divided by the complete one.
double log_incomplete_beta(double a, double b, double x) {
  const double complete =
      boost::math::lgamma(a) + boost::math::lgamma(b) - boost::math::lgamma(a + b);
  return x >= 1 ? complete : complete + std::log(boost::math::ibeta(a, b, x));
}

}  // namespace

double Mixture::boundary(double v, double log_threshold) const {
  const double end = limit > 0 ? limit * v : 1e9 * (1 + v);
  double low = 0;
  double high = std::min(end, std::max(1.0, std::sqrt(v)));
  while (log_capital(high, v) < log_threshold) {
    if (high >= end) return end;
    low = high;
    high = std::min(end, 2 * high);
  }
  for (int step = 0; step < 100 && high - low > 1e-13 * high; ++step) {
    const double middle = 0.5 * (low + high);
    (log_capital(middle, v) < log_threshold ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

double best_rho(double v_opt, double alpha) {
  const double a = -2 * std::log(alpha);
  return v_opt / (a + std::log1p(a));
}

double best_rho_one_sided(double v_opt, double alpha) { return best_rho(v_opt, 2 * alpha); }

Mixture normal_mixture(double rho) {
  return {[rho](double s, double v) {
    return 0.5 * std::log(rho / (v + rho)) + s * s / (2 * (v + rho));
  }};
}

Mixture one_sided_normal_mixture(double rho) {
  return {[rho](double s, double v) {
    return 0.5 * std::log(4 * rho / (v + rho)) + s * s / (2 * (v + rho)) +
           std::log(normal_cdf(s / std::sqrt(v + rho)));
  }};
}

Mixture gamma_exponential_mixture(double rho, double c) {
  const double r = rho / (c * c);
  const double prior =
      r * std::log(r) - boost::math::lgamma(r) - std::log(boost::math::gamma_p(r, r));
  return {[=](double s, double v) {
    const double shape = (v + rho) / (c * c);
    const double gained = (c * s + v) / (c * c);
    return prior + boost::math::lgamma(shape) + std::log(boost::math::gamma_p(shape, gained + r)) -
           shape * std::log(gained + r) + gained;
  }};
}

Mixture gamma_poisson_mixture(double rho, double c) {
  const double r = rho / (c * c);
  const double prior =
      r * std::log(r) - boost::math::lgamma(r) - std::log(boost::math::gamma_q(r, r));
  return {[=](double s, double v) {
    const double rate = (v + rho) / (c * c);
    const double shape = s / c + rate;
    return prior + boost::math::lgamma(shape) + std::log(boost::math::gamma_q(shape, rate)) -
           shape * std::log(rate) + v / (c * c);
  }};
}

Mixture beta_binomial_mixture(double v_opt, double alpha, double g, double h, bool one_sided) {
  const double best = one_sided ? best_rho_one_sided(v_opt, alpha) : best_rho(v_opt, alpha);
  const double r = std::max(best - g * h, 1e-3 * g * h);
  const double x = one_sided ? h / (g + h) : 1.0;
  const double prior = log_incomplete_beta(r / (g * (g + h)), r / (h * (g + h)), x);
  return {[=](double s, double v) {
            return v / (g * h) * std::log(g + h) - (v / h + s) / (g + h) * std::log(g) -
                   (v / g - s) / (g + h) * std::log(h) +
                   log_incomplete_beta((r + v - g * s) / (g * (g + h)),
                                       (r + v + h * s) / (h * (g + h)), x) -
                   prior;
          },
          1 / g};
}

double stitched_boundary(double v, double alpha, double v_min, double c, double s, double eta) {
  const double used = std::max(v, v_min);
  const double k1 = (std::pow(eta, 0.25) + std::pow(eta, -0.25)) / std::sqrt(2.0);
  const double k2 = (std::sqrt(eta) + 1) / 2;
  const double term = s * std::log(std::log(eta * used / v_min)) +
                      std::log(boost::math::zeta(s) / (alpha * std::pow(std::log(eta), s)));
  return std::sqrt(k1 * k1 * used * term + k2 * k2 * c * c * term * term) + c * k2 * term;
}

}  // namespace covey::monitoring
