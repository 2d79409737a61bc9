// SPDX-License-Identifier: Apache-2.0
#include "monitoring/accuracy/accuracy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitoring/accuracy/comparison.hpp"
#include "monitoring/counts/counts.hpp"
#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {
namespace {

constexpr double kEffectiveLabelsMin = 10;  // docs/design/monitoring.md, "Accuracy": from t >= 10
constexpr double kScaleMax = 1e4;           // beyond 10,000 times the labels, more devices it is
constexpr int kBisections = 32;             // to a billionth of what is halved

// What a difference is held against: the level of one stratum and what follows from it.
struct Level {
  double alpha = 0;
  double rho_squared = 0;
  double student = 0;  // quantile for a spread known from this few devices
};
Level level_of(const Comparison& c, double alpha, const AccuracyOptions& options) {
  const double best = static_cast<double>(std::max<uint64_t>(options.labels_best, 1));
  return {alpha, asymptotic_cs_rho_squared(best, alpha),
          student_quantile_upper(alpha / 2, c.canary.devices + c.control.devices - 2.0)};
}

// How far the measured difference may be from `difference`, if that is the true one, with `scale`
// times the labels. Labels come one by one and are peeked at: asymptotic confidence sequence in
// intrinsic time t = (variance of a label) / (variance of the difference). Devices are drawn once:
// Student with the devices' degrees of freedom. The wider multiple of the standard error holds for
// both.
double reach(const Comparison& c, double difference, const Level& level, double scale = 1) {
  const double labels = c.variance_by_labels(difference);
  const double variance = labels / scale + c.variance_by_devices();
  const double t = labels * c.weight / variance;
  const double sequence = asymptotic_cs_half_width(t, level.rho_squared, level.alpha);
  return std::max(sequence * std::sqrt(t), level.student) * std::sqrt(variance);
}

// The differences that are not rejected: to display.
Interval bounds_of(const Comparison& c, const Level& level) {
  const auto edge = [&](double end) {
    double kept = c.difference;
    double rejected = end;
    for (int step = 0; step < kBisections; ++step) {
      const double middle = 0.5 * (kept + rejected);
      (std::abs(c.difference - middle) <= reach(c, middle, level) ? kept : rejected) = middle;
    }
    return kept;
  };
  return {edge(-1), edge(1)};
}

std::optional<uint64_t> labels_needed(const Comparison& c, double margin, const Level& level) {
  const auto decided = [&](double scale) {
    return reach(c, -margin, level, scale) < std::abs(c.difference + margin);
  };
  if (!decided(kScaleMax)) return std::nullopt;
  double low = 1;
  double high = kScaleMax;
  for (int step = 0; step < kBisections; ++step) {
    const double middle = std::sqrt(low * high);
    (decided(middle) ? high : low) = middle;
  }
  const double labels = std::ceil(static_cast<double>(c.canary.labelled) * (high - 1));
  return static_cast<uint64_t>(std::min(labels, 1e15));
}

// "press: ", or nothing where there is one stratum without a name.
std::string name_of(const StratumVerdict& s) { return s.stratum.empty() ? "" : s.stratum + ": "; }

std::string compared(const StratumVerdict& s) {
  const std::string alone =
      s.labels_alone == 0
          ? ""
          : fmt::format(" ({} labels are of windows in which the other side has none)",
                        s.labels_alone);
  return fmt::format(
      "{}canary {:.1f} % ({} labels, {} devices), control {:.1f} % ({} labels, {} devices): "
      "{:+.1f} pp, bounds {:+.1f} to {:+.1f}{}",
      name_of(s), 100 * s.canary_accuracy, s.canary_labels, s.canary_devices,
      100 * s.control_accuracy, s.control_labels, s.control_devices, 100 * s.difference,
      100 * s.bounds.low, 100 * s.bounds.high, alone);
}

void conclude(StratumVerdict& s, Verdict verdict, std::string reason, std::string explanation) {
  s.verdict = verdict;
  s.reason = std::move(reason);
  s.explanation = std::move(explanation);
}

void describe(StratumVerdict& s, const Comparison& c) {
  s.canary_devices = c.canary.devices;
  s.control_devices = c.control.devices;
  s.canary_labels = c.canary.labelled;
  s.control_labels = c.control.labelled;
  s.canary_accuracy = c.canary.accuracy;
  s.control_accuracy = c.control.accuracy;
  s.labels_alone = add_saturating(c.canary.labelled_anywhere - c.canary.labelled,
                                  c.control.labelled_anywhere - c.control.labelled);
  s.difference = c.difference;
  s.device_sd = std::sqrt(c.between);
}

// What is missing before anything may be compared; true when something is.
bool lacks_evidence(StratumVerdict& s, const Comparison& c, const AccuracyOptions& options) {
  const auto inconclusive = [&](const char* reason, const std::string& text) {
    conclude(s, Verdict::kInconclusive, reason, name_of(s) + text);
    return true;
  };
  if (c.control.assigned == 0) {
    return inconclusive("NO_CONTROL", "no control device: hold some back in this stratum");
  }
  const uint64_t canary = c.canary.labelled_anywhere;
  const uint64_t control = c.control.labelled_anywhere;
  if (canary == 0 && control == 0) return inconclusive("NO_LABELS", "no labels yet");
  const uint64_t minimum = std::max<uint64_t>(options.labels_min, 1);
  if (canary < minimum || control < minimum) {
    s.labels_needed = minimum - std::min(minimum, canary);
    return inconclusive(canary == 0 || control == 0 ? "NO_LABELS" : "TOO_FEW_LABELS",
                        fmt::format("{} labels in the canary and {} in control, at least {} each "
                                    "are needed",
                                    canary, control, minimum));
  }
  if (s.canary_labels < minimum || s.control_labels < minimum) {
    s.labels_needed = minimum - std::min(minimum, s.canary_labels);
    return inconclusive(
        "NO_CONCURRENT_LABELS",
        fmt::format("only {} of {} labels in the canary and {} of {} in control are of windows in "
                    "which both have some, at least {} each are needed: label the same hours of "
                    "both",
                    s.canary_labels, canary, s.control_labels, control, minimum));
  }
  if (c.weight < kEffectiveLabelsMin) {
    return inconclusive("TOO_FEW_LABELS",
                        fmt::format("side by side the labels count as {:.1f}, at least {:.0f} are "
                                    "needed",
                                    c.weight, kEffectiveLabelsMin));
  }
  if (s.canary_devices + s.control_devices < 3) {
    return inconclusive("TOO_FEW_DEVICES",
                        "one device against one says nothing about the spread between devices");
  }
  return false;
}

void decide(StratumVerdict& s, const Comparison& c, const Level& level, Ratio non_inferior_by) {
  const double margin = non_inferior_by.as_double();
  s.bounds = bounds_of(c, level);
  const double beyond = c.difference + margin;
  const double needed = reach(c, -margin, level);
  const std::string margin_text = to_string(non_inferior_by) + " margin";
  if (beyond < -needed) {
    return conclude(s, Verdict::kFail, "CANARY_WORSE",
                    compared(s) + ": worse by more than the " + margin_text);
  }
  if (beyond > needed) {
    return conclude(s, Verdict::kPass, "NON_INFERIOR", compared(s) + ": within the " + margin_text);
  }
  s.labels_needed = labels_needed(c, margin, level);
  const std::string missing =
      s.labels_needed
          ? fmt::format("; about {} more canary labels decide, if it stays so", *s.labels_needed)
          : std::string("; more labels will not decide, more devices might");
  conclude(s, Verdict::kInconclusive, "UNDECIDED",
           compared(s) + ": not decided against the " + margin_text + missing);
}

StratumVerdict judge_stratum(const StratumLabels& labels, double alpha,
                             const AccuracyOptions& options) {
  StratumVerdict s;
  s.stratum = labels.stratum;
  const Comparison c = compare(labels);
  describe(s, c);
  if (!c.valid) {
    conclude(s, Verdict::kError, "BAD_COUNTS",
             name_of(s) + "a device has more correct labels than labels");
    return s;
  }
  if (lacks_evidence(s, c, options)) return s;
  const double by_labels = c.variance_by_labels(-options.non_inferior_by.as_double());
  if (by_labels * c.weight < kEffectiveLabelsMin * (by_labels + c.variance_by_devices())) {
    conclude(s, Verdict::kInconclusive, "TOO_FEW_DEVICES",
             name_of(s) + "devices differ so much that the labels count as fewer than ten");
    return s;
  }
  decide(s, c, level_of(c, alpha, options), options.non_inferior_by);
  return s;
}

}  // namespace

AccuracyVerdict judge_accuracy(std::span<const StratumLabels> strata,
                               const AccuracyOptions& options) {
  AccuracyVerdict verdict;
  verdict.margin = options.non_inferior_by;
  const auto judged = std::count_if(strata.begin(), strata.end(),
                                    [](const StratumLabels& s) { return !s.canary.empty(); });
  if (judged == 0) {
    verdict.reason = "NO_DATA";
    verdict.explanation = "no canary device in any stratum";
    return verdict;
  }
  const double alpha = options.alpha.as_double() / static_cast<double>(judged);
  if (!(alpha > 0 && alpha < 1)) {
    verdict.verdict = Verdict::kError;
    verdict.reason = "BAD_ALPHA";
    verdict.explanation = "alpha must be above 0 and below 100 %";
    return verdict;
  }
  std::vector<Verdict> verdicts;
  for (const StratumLabels& stratum : strata) {
    if (stratum.canary.empty()) continue;
    verdict.strata.push_back(judge_stratum(stratum, alpha, options));
    verdicts.push_back(verdict.strata.back().verdict);
  }
  verdict.verdict = combine(verdicts);
  const auto deciding =
      std::find_if(verdict.strata.begin(), verdict.strata.end(),
                   [&](const StratumVerdict& s) { return s.verdict == verdict.verdict; });
  verdict.reason = deciding->reason;
  verdict.explanation = deciding->explanation;
  return verdict;
}

}  // namespace covey::monitoring
