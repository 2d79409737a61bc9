// SPDX-License-Identifier: Apache-2.0
#include "monitoring/statistics/distributions.hpp"

#include <algorithm>
#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/non_central_chi_squared.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/policies/policy.hpp>
#include <cmath>
#include <limits>

namespace covey::monitoring {
namespace {
namespace bm = boost::math;
namespace bp = boost::math::policies;
// Errors become values instead of exceptions; plain double, so that every platform agrees.
using Policy =
    bp::policy<bp::domain_error<bp::ignore_error>, bp::pole_error<bp::ignore_error>,
               bp::overflow_error<bp::ignore_error>, bp::evaluation_error<bp::ignore_error>,
               bp::rounding_error<bp::ignore_error>,
               bp::indeterminate_result_error<bp::ignore_error>, bp::promote_double<false>>;

// Beyond this mean the series of Boost need thousands of terms, and the power transformation is
// exact to more digits than the counts carry.
constexpr double kPowerNormalFrom = 5e3;

// (X / (df + lambda))^h is close to normal: Sankaran 1963 ("Approximations to the non-central
// chi-square distribution", Biometrika 50).
struct PowerNormal {
  double h;
  double mean;
  double sd;
  double scale;
};
PowerNormal power_normal(double df, double lambda) {
  const double sum = df + lambda;
  const double h =
      1 - 2.0 / 3.0 * sum * (df + 3 * lambda) / ((df + 2 * lambda) * (df + 2 * lambda));
  const double p = (df + 2 * lambda) / (sum * sum);
  const double m = (h - 1) * (1 - 3 * h);
  return {h, 1 + h * p * (h - 1 - 0.5 * (2 - h) * m * p), h * std::sqrt(2 * p) * (1 + 0.5 * m * p),
          sum};
}

double clamp_p(double p) { return std::clamp(p, std::numeric_limits<double>::min(), 1.0 - 1e-16); }
}  // namespace

double normal_cdf(double x) { return bm::cdf(bm::normal_distribution<double, Policy>(), x); }

double normal_quantile(double p) {
  return bm::quantile(bm::normal_distribution<double, Policy>(), clamp_p(p));
}

double student_quantile_upper(double p, double df) {
  return bm::quantile(bm::complement(bm::students_t_distribution<double, Policy>(df), clamp_p(p)));
}

double chi_squared_upper(double x, double df) {
  if (!(x > 0)) return 1.0;
  return bm::cdf(bm::complement(bm::chi_squared_distribution<double, Policy>(df), x));
}

double fisher_f_upper(double x, double df1, double df2) {
  if (!(x > 0)) return 1.0;
  return bm::cdf(bm::complement(bm::fisher_f_distribution<double, Policy>(df1, df2), x));
}

double beta_quantile(double p, double a, double b) {
  return bm::quantile(bm::beta_distribution<double, Policy>(a, b), clamp_p(p));
}

double noncentral_chi_squared_cdf(double x, double df, double lambda) {
  if (!(x > 0)) return 0.0;
  if (!(lambda > 0)) return 1.0 - chi_squared_upper(x, df);
  if (df + lambda > kPowerNormalFrom || x > kPowerNormalFrom) {
    const PowerNormal c = power_normal(df, lambda);
    return bm::cdf(bm::normal_distribution<double, Policy>(),
                   (std::pow(x / c.scale, c.h) - c.mean) / c.sd);
  }
  return bm::cdf(bm::non_central_chi_squared_distribution<double, Policy>(df, lambda), x);
}

double noncentral_chi_squared_quantile(double p, double df, double lambda) {
  p = clamp_p(p);
  if (!(lambda > 0)) return bm::quantile(bm::chi_squared_distribution<double, Policy>(df), p);
  if (df + lambda > kPowerNormalFrom) {
    const PowerNormal c = power_normal(df, lambda);
    return c.scale * std::pow(std::max(0.0, c.mean + c.sd * normal_quantile(p)), 1 / c.h);
  }
  return bm::quantile(bm::non_central_chi_squared_distribution<double, Policy>(df, lambda), p);
}

double noncentrality(double x, double df, double p) {
  if (!(x > 0) || noncentral_chi_squared_cdf(x, df, 0) <= p) return 0;
  // The cdf falls as lambda grows. Bracket, then halve: 60 steps are beyond double precision here.
  double low = 0;
  double high = std::max(1.0, x);
  while (noncentral_chi_squared_cdf(x, df, high) > p) high *= 2;
  for (int step = 0; step < 60 && high - low > 1e-10 * high; ++step) {
    const double middle = 0.5 * (low + high);
    (noncentral_chi_squared_cdf(x, df, middle) > p ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace covey::monitoring
