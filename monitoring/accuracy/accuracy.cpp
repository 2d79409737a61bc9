// SPDX-License-Identifier: Apache-2.0
#include "monitoring/accuracy/accuracy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitoring/counts/counts.hpp"
#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {
namespace {

constexpr double kEffectiveLabelsMin = 10;  // docs/design/monitoring.md, "Accuracy": from t >= 10
constexpr double kScaleMax = 1e4;           // beyond 10,000 times the labels, more devices it is

struct Arm {
  uint32_t devices = 0;  // with labels
  uint32_t silent = 0;   // assigned, without labels
  uint64_t labelled = 0;
  uint64_t correct = 0;
  double squares = 0;  // sum n_d^2
  bool valid = true;

  double n() const { return static_cast<double>(labelled); }
  double accuracy() const { return labelled == 0 ? 0 : static_cast<double>(correct) / n(); }
  // Of one label. Jeffreys-smoothed: an arm without a mistake is not an arm without noise.
  double variance() const {
    const double p = (static_cast<double>(correct) + 0.5) / (n() + 1);
    return p * (1 - p);
  }
};

Arm sum(std::span<const DeviceLabels> devices) {
  Arm arm;
  for (const DeviceLabels& device : devices) {
    if (device.correct > device.labelled) arm.valid = false;
    if (device.labelled == 0) {
      ++arm.silent;
      continue;
    }
    ++arm.devices;
    arm.labelled = add_saturating(arm.labelled, device.labelled);
    arm.correct = add_saturating(arm.correct, device.correct);
    arm.squares += static_cast<double>(device.labelled) * static_cast<double>(device.labelled);
  }
  return arm;
}

// sum_d n_d (p_d - p)^2
double spread(std::span<const DeviceLabels> devices, const Arm& arm) {
  double q = 0;
  for (const DeviceLabels& device : devices) {
    if (device.labelled == 0) continue;
    const double n = static_cast<double>(device.labelled);
    const double residual = static_cast<double>(device.correct) / n - arm.accuracy();
    q += n * residual * residual;
  }
  return q;
}

// Variance of the difference of two arms: what more labels shrink, and what only more devices do.
struct Noise {
  double labels = 0;
  double devices = 0;
  double per_label = 0;  // variance of one label, over both arms
  double student = 0;    // quantile for a variance known from this few devices

  double variance(double scale) const { return labels / scale + devices; }
};

// Between-device variance by the method of moments (Cochran 1954; DerSimonian and Laird 1986), from
// both arms together: a canary of three devices knows too little about it. Never below 0, so that
// the binomial variance is the floor.
Noise noise_of(const StratumLabels& labels, const Arm& canary, const Arm& control, double alpha) {
  Noise noise;
  noise.student = student_quantile_upper(alpha / 2, canary.devices + control.devices - 2.0);
  const double q = spread(labels.canary, canary) + spread(labels.control, control);
  const double expected =
      (canary.devices - 1.0) * canary.variance() + (control.devices - 1.0) * control.variance();
  const double weight =
      canary.n() - canary.squares / canary.n() + control.n() - control.squares / control.n();
  const double between = weight > 0 ? std::max(0.0, (q - expected) / weight) : 0.0;
  noise.labels = canary.variance() / canary.n() + control.variance() / control.n();
  noise.devices = between * (canary.squares / (canary.n() * canary.n()) +
                             control.squares / (control.n() * control.n()));
  noise.per_label = noise.labels / (1 / canary.n() + 1 / control.n());
  return noise;
}

// Labels come one by one and are peeked at: asymptotic confidence sequence in intrinsic time
// t = (variance of a label) / (variance of the difference). Devices are drawn once: Student with
// the devices' degrees of freedom. The wider multiple of the standard error holds for both.
double half_width(const Noise& noise, double scale, double alpha, const AccuracyOptions& options) {
  const double variance = noise.variance(scale);
  const double t = noise.per_label / variance;
  const double rho_squared =
      asymptotic_cs_rho_squared(static_cast<double>(options.labels_best), alpha);
  const double sequence = asymptotic_cs_half_width(t, rho_squared, alpha) * std::sqrt(t);
  return std::max(sequence, noise.student) * std::sqrt(variance);
}

std::optional<uint64_t> labels_needed(const Noise& noise, double distance, double alpha,
                                      uint64_t canary_labels, const AccuracyOptions& options) {
  const auto decided = [&](double scale) {
    return half_width(noise, scale, alpha, options) < distance;
  };
  if (!decided(kScaleMax)) return std::nullopt;
  double low = 1;
  double high = kScaleMax;
  for (int step = 0; step < 50; ++step) {
    const double middle = std::sqrt(low * high);
    (decided(middle) ? high : low) = middle;
  }
  return static_cast<uint64_t>(std::ceil(static_cast<double>(canary_labels) * (high - 1)));
}

std::string compared(const StratumVerdict& s) {
  return fmt::format(
      "{}: canary {:.1f} % ({} labels, {} devices), control {:.1f} % ({} labels, {} devices): "
      "{:+.1f} pp, bounds {:+.1f} to {:+.1f}",
      s.stratum, 100 * s.canary_accuracy, s.canary_labels, s.canary_devices,
      100 * s.control_accuracy, s.control_labels, s.control_devices, 100 * s.difference,
      100 * s.bounds.low, 100 * s.bounds.high);
}

void conclude(StratumVerdict& s, Verdict verdict, std::string reason, std::string explanation) {
  s.verdict = verdict;
  s.reason = std::move(reason);
  s.explanation = std::move(explanation);
}

void describe(StratumVerdict& s, const Arm& canary, const Arm& control) {
  s.canary_devices = canary.devices;
  s.control_devices = control.devices;
  s.canary_labels = canary.labelled;
  s.control_labels = control.labelled;
  s.canary_accuracy = canary.accuracy();
  s.control_accuracy = control.accuracy();
  s.canary_interval = wilson(canary.correct, canary.labelled, 0.05);
  s.control_interval = wilson(control.correct, control.labelled, 0.05);
}

// What is missing before anything may be compared; true when something is.
bool lacks_evidence(StratumVerdict& s, const Arm& canary, const Arm& control,
                    const AccuracyOptions& options) {
  const auto inconclusive = [&](const char* reason, const std::string& text) {
    conclude(s, Verdict::kInconclusive, reason, s.stratum + ": " + text);
    return true;
  };
  if (control.devices + control.silent == 0) {
    return inconclusive("NO_CONTROL", "no control device: hold some back in this stratum");
  }
  if (canary.labelled == 0 && control.labelled == 0) {
    return inconclusive("NO_LABELS", "no labels yet");
  }
  const uint64_t minimum = std::max<uint64_t>(options.labels_min, 1);
  if (canary.labelled < minimum || control.labelled < minimum) {
    s.labels_needed = minimum - std::min(minimum, canary.labelled);
    return inconclusive(
        canary.labelled == 0 || control.labelled == 0 ? "NO_LABELS" : "TOO_FEW_LABELS",
        fmt::format("{} labels in the canary and {} in control, at least {} each "
                    "are needed",
                    canary.labelled, control.labelled, minimum));
  }
  if (canary.devices + control.devices < 3) {
    return inconclusive("TOO_FEW_DEVICES",
                        "one device against one says nothing about the spread between devices");
  }
  return false;
}

StratumVerdict judge_stratum(const StratumLabels& labels, double alpha,
                             const AccuracyOptions& options) {
  StratumVerdict s;
  s.stratum = labels.stratum;
  const Arm canary = sum(labels.canary);
  const Arm control = sum(labels.control);
  describe(s, canary, control);
  if (!canary.valid || !control.valid) {
    conclude(s, Verdict::kError, "BAD_COUNTS",
             s.stratum + ": a device has more correct labels than labels");
    return s;
  }
  if (lacks_evidence(s, canary, control, options)) return s;

  const double margin = options.non_inferior_by.as_double();
  const Noise noise = noise_of(labels, canary, control, alpha);
  s.difference = s.canary_accuracy - s.control_accuracy;
  s.device_sd = std::sqrt(noise.devices / (canary.squares / (canary.n() * canary.n()) +
                                           control.squares / (control.n() * control.n())));
  if (noise.per_label / noise.variance(1) < kEffectiveLabelsMin) {
    conclude(s, Verdict::kInconclusive, "TOO_FEW_DEVICES",
             s.stratum + ": devices differ so much that the labels count as fewer than ten");
    return s;
  }
  const double half = half_width(noise, 1, alpha, options);
  s.bounds = {std::max(-1.0, s.difference - half), std::min(1.0, s.difference + half)};
  const std::string margin_text = to_string(options.non_inferior_by) + " margin";
  if (s.bounds.high < -margin) {
    conclude(s, Verdict::kFail, "CANARY_WORSE",
             compared(s) + ": worse by more than the " + margin_text);
  } else if (s.bounds.low > -margin) {
    conclude(s, Verdict::kPass, "NON_INFERIOR", compared(s) + ": within the " + margin_text);
  } else {
    s.labels_needed =
        labels_needed(noise, std::abs(s.difference + margin), alpha, canary.labelled, options);
    const std::string missing =
        s.labels_needed
            ? fmt::format("; about {} more canary labels decide, if it stays so", *s.labels_needed)
            : std::string("; more labels will not decide, more devices might");
    conclude(s, Verdict::kInconclusive, "UNDECIDED",
             compared(s) + ": not decided against the " + margin_text + missing);
  }
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
