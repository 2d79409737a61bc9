// SPDX-License-Identifier: Apache-2.0
// The few distribution functions the tests need, total over their arguments: no exception, no NaN
// from finite input. Boost.Math stays behind this border.
// Thread safety: pure functions.
#pragma once

namespace covey::monitoring {

double normal_cdf(double x);
double normal_quantile(double p);
// The x with P(T > x) = p, Student with df degrees of freedom.
double student_quantile_upper(double p, double df);
// P(X > x)
double chi_squared_upper(double x, double df);
double fisher_f_upper(double x, double df1, double df2);
double beta_quantile(double p, double a, double b);
double noncentral_chi_squared_cdf(double x, double df, double lambda);
double noncentral_chi_squared_quantile(double p, double df, double lambda);

// lambda with P(X <= x) = p for X noncentral chi-square: how large a noncentrality still explains
// x. 0 when even the central distribution lies above.
double noncentrality(double x, double df, double p);

}  // namespace covey::monitoring
