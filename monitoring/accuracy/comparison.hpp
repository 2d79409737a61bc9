// SPDX-License-Identifier: Apache-2.0
// Canary against control, window by window: what a site does to all of its devices at the same time
// cancels, also when one side's labels come later than the other's. A linear model of single
// labels:
//
//   right = (effect of the window) + d (canary) + (effect of the device, variance tau^2) + noise
//
// Its least-squares d is the Mantel-Haenszel risk difference (Mantel and Haenszel 1959; Greenland
// and Robins 1985). With n_c, n_v labels of canary and control in window i and N = n_c + n_v:
//
//   d = sum w_i (p_ci - p_vi) / W,  w_i = n_c n_v / N,  W = sum w_i
//
// Thread safety: pure functions. Units: shares 0..1.
#pragma once

#include "monitoring/accuracy/accuracy.hpp"

namespace covey::monitoring {

// One side, in the windows in which both have labels.
struct ComparedArm {
  uint32_t devices = 0;   // with labels there
  uint32_t assigned = 0;  // with or without labels
  uint64_t labelled = 0;
  uint64_t labelled_anywhere = 0;
  double accuracy = 0;   // with the weights w_i
  double effective = 0;  // independent labels in one window that would know d as well
};

struct Comparison {
  bool valid = true;  // no device has more correct labels than labels
  ComparedArm canary;
  ComparedArm control;
  double difference = 0;     // d
  double weight = 0;         // W: what the labels of both sides are worth together
  double between = 0;        // tau^2, never below 0: the binomial variance is the floor
  double noise = 0;          // what labels alone make of tau^2: it is what is above
  double concentration = 0;  // variance of d per tau^2: many devices of equal weight, small

  // Variance of d by the labels alone if the true difference is `difference`: restricted estimates
  // of both shares, which differ by just that (Dunnett and Gent 1977; Farrington and Manning 1990,
  // method 2). The canary's own share would not do: a lucky streak has next to no variance, and
  // would pass a canary that is worse.
  double variance_by_labels(double difference) const;
  double variance_by_devices() const { return between * concentration; }
  // The least that tau^2 may be: 39 of 40 such estimates are above it.
  double between_at_least() const;
};

Comparison compare(const StratumLabels& stratum);

}  // namespace covey::monitoring
