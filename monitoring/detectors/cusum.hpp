// SPDX-License-Identifier: Apache-2.0
// Cumulative sums (Page 1954): has the mean of a series moved, and how long until one says so by
// mistake? Thread safety: values and pure functions.
#pragma once

#include <cstddef>

#include "monitoring/statistics/moments.hpp"

namespace covey::monitoring {

// Tabular CUSUM around a reference that is estimated once, from the first `warm_up` values (a
// running mean would follow the very shift that is looked for), and then frozen. Begins anew after
// each alarm. slack and threshold in standard deviations of the reference.
struct CusumOptions {
  size_t warm_up = 30;
  double slack = 0.5;
  double threshold = 5;
};
class TabularCusum {
 public:
  explicit TabularCusum(const CusumOptions& options) : options_(options) {}
  bool add(double x);  // true: an alarm

 private:
  CusumOptions options_;
  RunningMoments reference_;
  double up_ = 0;
  double down_ = 0;
  bool alarmed_ = false;
};

// Mean number of values until the alarm, from 0, for values that are normal with mean mu and
// standard deviation 1 (Brook and Evans 1972, by Nystroem's method). h up to 100.
double cusum_run_length(double slack, double h, double mu);  // upper sum alone
double cusum_run_length_two_sided(double slack, double h, double mu);
// The h of that run length at mu = 0, one-sided; slack 0 to 3, run length 2 to 1e12.
double cusum_threshold(double slack, double run_length);

}  // namespace covey::monitoring
