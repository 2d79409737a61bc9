// SPDX-License-Identifier: Apache-2.0
// Accuracy from labels: an interval for a share, and the gate that compares a canary with control
// per stratum, window by window (docs/design/monitoring.md, "Accuracy"). The gate may be asked at
// any time, as often as one likes: its bounds hold for all times at once (asymptotic confidence
// sequence).
// Thread safety: pure functions; the same counts give the same bits. Units: shares 0..1.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/ratio.hpp"
#include "core/verdict.hpp"

namespace covey::monitoring {

struct Interval {
  double low = 0;
  double high = 1;
};
// k of n, to display (Wilson 1927). n = 0 gives [0, 1]. alpha two-sided, e.g. 0.05.
Interval wilson(uint64_t k, uint64_t n, double alpha);
// The same, never too short (Clopper and Pearson 1934): to decide by.
Interval clopper_pearson(uint64_t k, uint64_t n, double alpha);
// k1 of n1 minus k2 of n2 from independent samples (Newcombe 1998, method 10).
Interval newcombe(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2, double alpha);

// Half-width of the asymptotic confidence sequence at intrinsic time t, for variance 1 per unit of
// t (Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2021, eq. 5): sqrt(2(t r + 1)/(t^2 r) ln(sqrt(t r
// + 1)/alpha)), r = rho^2.
double asymptotic_cs_half_width(double t, double rho_squared, double alpha);
// rho^2 that is tightest at time t_best (same paper, appendix): (-2 ln a + ln(1 - 2 ln a)) /
// t_best.
double asymptotic_cs_rho_squared(double t_best, double alpha);

struct DeviceLabels {
  uint64_t labelled = 0;
  uint64_t correct = 0;

  bool operator==(const DeviceLabels&) const = default;
};
// Of one device in one window of time. Windows are numbered as the site does, for all devices
// alike.
struct WindowLabels {
  int64_t window = 0;
  DeviceLabels labels;
};
using LabelsByWindow = std::vector<WindowLabels>;  // of one device, each window once, ascending

// One stratum, e.g. one machine type: labels of inferences made since the canary took the release.
// List assigned devices without labels too: they are counted in the explanation.
struct StratumLabels {
  std::string stratum;
  std::vector<LabelsByWindow> canary;
  std::vector<LabelsByWindow> control;
};

struct AccuracyOptions {
  Ratio non_inferior_by = Ratio::percent(2);
  Ratio alpha = Ratio::percent(5);  // over all strata and all times
  uint64_t labels_min = 30;         // per arm and stratum before anything is concluded
  uint64_t labels_best = 300;       // effective labels at which the interval is tightest
};

struct StratumVerdict {
  std::string stratum;
  Verdict verdict = Verdict::kInconclusive;
  // CANARY_WORSE, NON_INFERIOR, NO_LABELS, NO_CONTROL, TOO_FEW_LABELS, NO_CONCURRENT_LABELS,
  // TOO_FEW_DEVICES, UNDECIDED, BAD_COUNTS
  std::string reason;
  // Of the windows in which both sides have labels: devices with labels, labels, and the accuracy
  // with the weights of the difference.
  uint32_t canary_devices = 0;
  uint32_t control_devices = 0;
  uint64_t canary_labels = 0;
  uint64_t control_labels = 0;
  double canary_accuracy = 0;
  double control_accuracy = 0;
  uint64_t labels_alone = 0;  // in windows in which the other side has none: not compared
  double difference = 0;      // canary minus control, window by window
  Interval bounds{-1, 1};     // of the difference, valid at all times, alpha / strata
  double device_sd = 0;       // spread of the accuracy between devices, estimated from both arms
  // Labels still needed in the canary (with as many more in proportion in control) if the measured
  // difference stays; nullopt: more devices are needed, or nothing is known yet.
  std::optional<uint64_t> labels_needed;
  std::string explanation;
};

struct AccuracyVerdict {
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;
  std::string explanation;  // names the stratum that decides
  Ratio margin;
  std::vector<StratumVerdict> strata;  // those that have canary devices, in the given order
};

// FAIL: "the canary is worse by no more than the margin" is rejected in some stratum (its upper
// bound is below -margin). PASS: "worse by the margin or more" is rejected in every stratum with
// canary devices (its lower bound is above -margin). Else INCONCLUSIVE; no strata, no labels, no
// control are INCONCLUSIVE too. alpha is split over the strata that have canary devices
// (Bonferroni). correct > labelled is ERROR.
AccuracyVerdict judge_accuracy(std::span<const StratumLabels> strata,
                               const AccuracyOptions& options);

}  // namespace covey::monitoring
