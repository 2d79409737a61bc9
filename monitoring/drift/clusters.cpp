// SPDX-License-Identifier: Apache-2.0
#include "monitoring/drift/clusters.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {
namespace {

// Devices with values, and what they count together.
struct Fleet {
  std::vector<const Counts*> devices;
  std::vector<double> values;  // of each
  Counts pooled;
  double n = 0;
  bool same_bins = true;
  bool balanced = true;  // within a quarter: then the plain variance of the shares is the estimate
};

Fleet fleet_of(std::span<const Counts> per_device) {
  Fleet fleet;
  for (const Counts& device : per_device) {
    const uint64_t n = total(device);
    if (n == 0) continue;
    fleet.same_bins = fleet.same_bins &&
                      (fleet.devices.empty() || device.size() == fleet.devices.front()->size());
    fleet.devices.push_back(&device);
    fleet.values.push_back(static_cast<double>(n));
    add(fleet.pooled, device);
  }
  fleet.n = static_cast<double>(total(fleet.pooled));
  if (fleet.values.empty()) return fleet;
  const auto [least, most] = std::minmax_element(fleet.values.begin(), fleet.values.end());
  fleet.balanced = *most <= *least * 1.25;
  return fleet;
}

// Of each device the residuals of its shares, weighted (unless balanced) by its values: the
// linearised ratio estimator (Rao and Scott 1992), over the root of the pooled share: bins without
// any value have none.
std::vector<std::vector<double>> residuals_of(const Fleet& fleet) {
  const auto devices = static_cast<double>(fleet.devices.size());
  std::vector<size_t> bins;
  for (size_t b = 0; b < fleet.pooled.size(); ++b) {
    if (fleet.pooled[b] > 0) bins.push_back(b);
  }
  std::vector<std::vector<double>> rows;
  std::vector<double> mean(bins.size(), 0.0);
  for (size_t d = 0; d < fleet.devices.size(); ++d) {
    std::vector<double>& row = rows.emplace_back();
    const double weight = fleet.balanced ? 1.0 : fleet.values[d] * devices / fleet.n;
    for (const size_t b : bins) {
      const double share = static_cast<double>(fleet.pooled[b]) / fleet.n;
      const double own = static_cast<double>((*fleet.devices[d])[b]) / fleet.values[d];
      row.push_back(weight * (own - share) / std::sqrt(share));
      mean[row.size() - 1] += row.back() / devices;
    }
  }
  // The weighted residuals sum to zero by construction, the plain ones need not.
  for (auto& row : rows) {
    for (size_t b = 0; b < row.size(); ++b) row[b] -= mean[b];
  }
  return rows;
}

}  // namespace

ClusterSpread cluster_spread(std::span<const Counts> per_device) {
  const Fleet fleet = fleet_of(per_device);
  const double df = std::max(1.0, static_cast<double>(fleet.pooled.size()) - 1);
  const auto devices = static_cast<double>(fleet.devices.size());
  ClusterSpread spread{df, df, devices};
  if (devices < 2 || !fleet.same_bins || fleet.pooled.size() < 2) return spread;
  const auto rows = residuals_of(fleet);
  // n times the covariance of the pooled shares
  const double scale = fleet.n / (devices * (devices - 1));
  const size_t bins = rows.front().size();
  double trace = 0;
  double squares = 0;
  for (size_t a = 0; a < bins; ++a) {
    for (size_t b = a; b < bins; ++b) {
      double cell = 0;
      for (const auto& row : rows) cell += row[a] * row[b];
      cell *= scale;
      if (a == b) trace += cell;
      squares += (a == b ? 1 : 2) * cell * cell;
    }
  }
  if (trace <= df) return spread;
  // From few devices the squares come out too large (Srivastava 2005).
  const double nu = devices - 1;
  double debiased = trace * trace;  // two devices know one direction
  if (nu > 1) {
    debiased = nu * nu / ((nu + 2) * (nu - 1)) * (squares - trace * trace / nu);
  }
  // No fewer directions than one, no more than there are.
  spread.trace = trace;
  spread.trace_of_square = std::clamp(debiased, trace * trace / df, trace * trace);
  return spread;
}

double clustered_p_value(double x2, const ClusterSpread& spread, double bins, double n,
                         double baseline_n) {
  // The baseline is a sample of independent values: n / N more in each direction.
  const double more = n / baseline_n;
  const double directions = bins - 1;
  const double trace = spread.trace + directions * more;
  const double squares =
      spread.trace_of_square + 2 * more * spread.trace + directions * more * more;
  const double df = trace * trace / squares;
  return fisher_f_upper(x2 / trace, df, df * (spread.clusters - 1));
}

}  // namespace covey::monitoring
