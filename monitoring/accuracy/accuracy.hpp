// SPDX-License-Identifier: Apache-2.0
// Accuracy from labels: an interval for a share, and the gate that compares a canary with control
// per stratum, window by window (docs/design/monitoring.md, "Accuracy"). The gate may be asked at
// any time, as often as one likes: its error rates hold for all times at once (boundary.hpp).
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
  Ratio non_inferior_by = Ratio::percent(2);  // of all strata together
  Ratio per_stratum;                          // of each of several; 0: guard_of()
  Ratio alpha = Ratio::percent(5);            // for each of both verdicts, over all times
  uint64_t labels_min = 30;                   // per arm and stratum before anything is concluded
  // Labels of the canary at which the gate decides best; it may be asked before and after, too.
  // 0: at as many as it takes to pass nine of ten equal releases.
  uint64_t labels = 0;
};
// What a single stratum may be worse by: per_stratum, else 10 pp, or twice the margin.
Ratio guard_of(const AccuracyOptions& options);

// More labels of the canary (with as many more in proportion in control) after which one of two,
// and nine of ten, equal releases pass from here.
struct LabelsNeeded {
  uint64_t likely = 0;
  std::optional<uint64_t> surely;  // none: perhaps devices differ too much

  bool operator==(const LabelsNeeded&) const = default;
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
  // Differences that neither verdict's test rejects, at all times.
  Interval bounds{-1, 1};
  Ratio may_be_worse_by;  // to pass; to fail it is the margin everywhere
  double device_sd = 0;   // spread of the accuracy between devices, estimated from both arms
  // nullopt: no number of labels decides, more devices might; or nothing is known yet.
  std::optional<LabelsNeeded> labels_needed;
  std::string explanation;
};

struct AccuracyVerdict {
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;
  std::string explanation;  // names the stratum that decides
  Ratio margin;
  // All strata together, where there are several: by their information.
  std::optional<StratumVerdict> together;
  std::vector<StratumVerdict> strata;  // those that have canary devices, in the given order
};

// FAIL: "the canary is worse by no more than the margin" is rejected, of all strata together or of
// one; alpha is split: half for all together, half over the strata (Bonferroni). PASS: "worse by
// the margin or more" is rejected of all strata together, and "worse by the guard or more" of each:
// each at alpha, since all of them must be rejected (intersection-union test: Berger 1982). Three
// quarters of each test's alpha are for the boundary, one for the bets (boundary.hpp). Else
// INCONCLUSIVE; no strata, no labels, no control are INCONCLUSIVE too. correct > labelled is ERROR.
AccuracyVerdict judge_accuracy(std::span<const StratumLabels> strata,
                               const AccuracyOptions& options);

}  // namespace covey::monitoring
