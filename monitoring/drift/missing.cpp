// SPDX-License-Identifier: Apache-2.0
#include "monitoring/drift/missing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "monitoring/counts/counts.hpp"

namespace covey::monitoring {

MissingVerdict judge_missing(std::span<const uint64_t> seen, std::span<const uint64_t> missing,
                             const DriftOptions& drift, const MissingOptions& options) {
  MissingVerdict verdict;
  uint64_t absent = 0;
  uint64_t all = 0;
  for (size_t i = 0; i < std::min(seen.size(), missing.size()); ++i) {
    const uint64_t of_device = add_saturating(seen[i], missing[i]);
    absent = add_saturating(absent, missing[i]);
    all = add_saturating(all, of_device);
    if (of_device >= options.device_min && exceeds(missing[i], of_device, options.page)) {
      verdict.devices.push_back(i);
    }
  }
  if (all == 0) return verdict;
  verdict.share = static_cast<double>(absent) / static_cast<double>(all);
  const bool enough = all >= drift.samples_min;
  if (enough) verdict.outcome = DriftOutcome::kOk;
  if (enough && exceeds(absent, all, options.warn)) verdict.outcome = DriftOutcome::kWarn;
  if (!verdict.devices.empty() || (enough && exceeds(absent, all, options.page))) {
    verdict.outcome = DriftOutcome::kPage;
  }
  if (verdict.outcome == DriftOutcome::kWarn || verdict.outcome == DriftOutcome::kPage) {
    verdict.explanation = fmt::format(
        "values are missing in {} of {} inferences ({:.1f} %), where the training had "
        "all of them; {} device(s) miss most: look at the sensor",
        absent, all, 100 * verdict.share, verdict.devices.size());
  }
  return verdict;
}

}  // namespace covey::monitoring
