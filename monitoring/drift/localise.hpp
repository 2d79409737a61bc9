// SPDX-License-Identifier: Apache-2.0
// Which devices, and did the world move or they?
// (docs/design/monitoring.md, "Where it comes from".)
// A device is named only when three things hold: its own histogram is beyond `device_psi` of the
// baseline (tolerance test, Benjamini-Hochberg over devices), it stands out of the fleet's own
// spread (robust z of sqrt(PSI), Benjamini-Hochberg), and most of the fleet has not moved.
// Thread safety: pure functions; the same counts give the same bits.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ratio.hpp"
#include "monitoring/counts/counts.hpp"
#include "monitoring/drift/drift.hpp"

namespace covey::monitoring {

// G_total = G_pooled + G_heterogeneity, exact. Shares of the baseline as pi, smoothed where empty.
struct GPartition {
  std::vector<double> per_device;
  double total = 0;
  double pooled = 0;
  double heterogeneity = 0;
  uint32_t df_total = 0;
  uint32_t df_pooled = 0;
  uint32_t df_heterogeneity = 0;
  double p_pooled = 1;
  double p_heterogeneity = 1;
};
GPartition g_partition(CountsView baseline, std::span<const Counts> per_device);

enum class Locus : uint8_t {
  kNone,           // nobody stands out and the pooled histogram holds
  kPooled,         // the world moved: most devices, or all a little
  kHeterogeneous,  // few devices; the fleet as a whole holds
  kCohort,         // some devices, enough to move the fleet's histogram
  kInsufficient,   // nothing may be concluded
};
// NONE, POOLED, HETEROGENEOUS, COHORT, INSUFFICIENT
std::string_view to_string(Locus locus);
std::optional<Locus> parse_locus(std::string_view text);

struct LocaliseOptions {
  Ratio device_psi{250'000};  // 0.25
  // Share of innocents among the named (false discovery rate), for both tests. Small: a wrongly
  // named device sends a person to a machine.
  Ratio alpha{1'000};
  uint64_t samples_min = 50;  // per device, below which a device is not judged
  Ratio world_share =
      Ratio::percent(60);  // more than this share beyond device_psi: the world moved
};

struct DeviceDrift {
  uint64_t n = 0;
  bool judged = false;       // enough values
  bool named = false;        // stands out
  double psi_corrected = 0;  // own histogram against the baseline, bias removed
  double p_adjusted = 1;     // of "own PSI <= device_psi", Benjamini-Hochberg over devices
  double z = 0;              // robust z of sqrt(PSI) within the fleet
  double p_spread = 1;       // of that z by the fleet's own spread, Benjamini-Hochberg over devices
};

struct Localisation {
  Locus locus = Locus::kInsufficient;
  std::vector<size_t> devices;  // indexes of those named, ascending; empty for kPooled by all
  std::vector<DeviceDrift> per_device;  // in the order of the input
  size_t devices_judged = 0;            // with enough values
  size_t devices_beyond = 0;            // of these, beyond device_psi, outstanding or not
  GPartition g;
  // Which bins moved most in the named devices (or the fleet): index, share now minus baseline.
  struct BinShift {
    size_t bin = 0;
    double shift = 0;
  };
  std::vector<BinShift> bins;  // at most three, largest first
  std::string explanation;
};
// `whole`: the pooled verdict on the same counts, where somebody has it already.
Localisation localise(CountsView baseline, std::span<const Counts> per_device,
                      const LocaliseOptions& options = {}, const DriftOptions& pooled = {},
                      const DriftVerdict* whole = nullptr);

}  // namespace covey::monitoring
