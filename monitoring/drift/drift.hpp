// SPDX-License-Identifier: Apache-2.0
// Is a histogram of the field the one of the baseline? (docs/design/monitoring.md, "Drift".)
// Effect size and significance in one test, the device as the sampling unit, the baseline's own
// sampling noise included. Missing evidence is an outcome of its own, never "no drift".
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

namespace covey::monitoring {

enum class DriftOutcome : uint8_t { kOk, kWarn, kPage, kInsufficientData, kInsufficientDevices };
// OK, WARN, PAGE, INSUFFICIENT_DATA, INSUFFICIENT_DEVICES
std::string_view to_string(DriftOutcome outcome);
std::optional<DriftOutcome> parse_drift_outcome(std::string_view text);

struct DriftOptions {
  Ratio warn_psi{20'000};   // 0.02
  Ratio page_psi{100'000};  // 0.10
  Ratio alpha = Ratio::percent(1);
  Ratio interval_alpha = Ratio::percent(5);
  uint64_t samples_min = 200;
  uint32_t devices_min = 5;
};

// Two histograms over the same bins. Effect sizes only: p-values come from the tests.
struct EffectSizes {
  double js = 0;          // Jensen-Shannon divergence, nats
  double hellinger = 0;   // 0..1
  double l_infinity = 0;  // largest difference of a share
  double total_variation = 0;
  double ks_lower_bound = 0;  // binned: the true KS distance is at least this
};
EffectSizes effect_sizes(CountsView baseline, CountsView window);

// Population stability index with Jeffreys smoothing (c + 1/2)/(n + k/2) on both sides.
double psi(CountsView baseline, CountsView window);
// E[PSI | no drift] = (k - 1)(deff / n + 1 / N).
double psi_bias(size_t bins, uint64_t n, uint64_t baseline_n, double deff = 1.0);
// The PSI above which "PSI <= delta" is rejected: ncx2^-1(1 - alpha; k-1, n* delta) / n*.
double psi_threshold(size_t bins, double n_effective, double delta, double alpha);

// Pearson's X2 of the window against the baseline's shares (taken as exact; the callers divide by
// deff + n/N). Shares of the baseline are smoothed only where a bin is empty.
double pearson_x2(CountsView baseline, CountsView window);
// Design effect of devices as clusters (Rao and Scott 1981, 1992), at least 1.
double design_effect(std::span<const Counts> per_device);

struct DriftVerdict {
  DriftOutcome outcome = DriftOutcome::kInsufficientData;
  uint64_t n = 0;           // values in the window
  uint64_t baseline_n = 0;  // values in the baseline
  uint32_t devices = 0;     // devices with at least one value
  uint32_t bins = 0;
  double deff = 1;
  double n_effective = 0;    // n / (deff + n / N)
  double psi = 0;            // raw
  double psi_corrected = 0;  // minus the bias
  double psi_low = 0;        // interval for the true PSI at 1 - interval_alpha
  double psi_high = 0;
  double psi_warn_above = 0;  // raw PSI that would warn, page at this sample size
  double psi_page_above = 0;
  double x2 = 0;          // X2 / (deff + n / N)
  double p_value = 1;     // clustered, second order (clusters.hpp)
  double p_adjusted = 1;  // Benjamini-Hochberg, filled by adjust(); else equal to p_value
  EffectSizes effects;
  std::string explanation;  // one line for people
};

// Pooled verdict: the tolerance test at warn_psi and page_psi, and the clustered test must both
// reject. per_device: one histogram per device, same bins as the baseline; devices without a value
// don't count. A baseline or a device with other bins: INSUFFICIENT_DATA with the explanation.
DriftVerdict judge_histogram(CountsView baseline, std::span<const Counts> per_device,
                             const DriftOptions& options = {});

// Benjamini and Hochberg 1995: adjusted p-values in the given order.
std::vector<double> benjamini_hochberg(std::span<const double> p_values);
// Multiplicity over the subjects of one model's window (judge_model()): sets p_adjusted and takes
// WARN and PAGE back to OK where it exceeds alpha.
void adjust(std::span<DriftVerdict> verdicts, const DriftOptions& options = {});

}  // namespace covey::monitoring
