// SPDX-License-Identifier: Apache-2.0
// Devices as clusters: how much more a pooled histogram varies than independent values would, and
// in which directions (docs/design/monitoring.md, "Drift"). Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "monitoring/counts/counts.hpp"

namespace covey::monitoring {

// Sums of the eigenvalues, and of their squares, of the covariance of the pooled shares over that
// of independent values: each is 1 where devices are alike. Sensors differ in few directions (an
// offset, a gain), so that few eigenvalues are large.
struct ClusterSpread {
  double trace = 0;
  double trace_of_square = 0;
  double clusters = 0;  // devices with values
};
// At least what independent values have. Other bins than the first device's: as if independent.
ClusterSpread cluster_spread(std::span<const Counts> per_device);

// Of X2 against a baseline of N values, `n` in the window: Rao and Scott 1984, second order
// (Satterthwaite), against F as Thomas and Rao 1987.
double clustered_p_value(double x2, const ClusterSpread& spread, double bins, double n,
                         double baseline_n);

}  // namespace covey::monitoring
