// SPDX-License-Identifier: Apache-2.0
// Two histograms as two samples of the same distribution, exactly as Pearson 1911; and how far a
// window's histogram may be from the shares of equally full bins. Thread safety: pure functions.
#pragma once

#include "monitoring/counts/counts.hpp"

namespace covey::monitoring {

struct Homogeneity {
  double x2 = 0;
  double df = 0;
  double p_value = 1;
};
// Bins that are empty in both count for nothing. Other numbers of bins, or nothing in either: p 1.
Homogeneity homogeneity(CountsView a, CountsView b);

// Pearson's X2 of nu values against `bins` equally full bins of a baseline of n that only chance
// exceeds with probability alpha: chi-square times 1 + nu/n, since the baseline is a sample too.
// (QuantTree: Boracchi et al. 2018, whose thresholds are from simulation.)
double quanttree_threshold(double bins, double n, double nu, double alpha);

}  // namespace covey::monitoring
