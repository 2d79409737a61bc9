// SPDX-License-Identifier: Apache-2.0
#include "monitoring/gates/accuracy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/engine/gates/rules.hpp"
#include "monitoring/accuracy/power.hpp"

namespace covey::engine {

namespace {

monitoring::AccuracyOptions options_of(const AccuracyGate& gate) {
  monitoring::AccuracyOptions options{.non_inferior_by = gate.non_inferior_by,
                                      .per_stratum = gate.per_stratum,
                                      .alpha = gate.alpha,
                                      .labels = gate.labels};
  if (gate.min_sample != 0) options.labels_min = gate.min_sample;
  return options;
}

}  // namespace

monitoring::StratumLabels& Tally<AccuracyGate>::stratum_of(const DeviceId& device,
                                                           const StageEvidence& evidence) {
  std::string name = gate.per.empty() ? "" : evidence.label_of(device, gate.per);
  auto found = std::lower_bound(strata.begin(), strata.end(), name,
                                [](const monitoring::StratumLabels& stratum,
                                   const std::string& wanted) { return stratum.stratum < wanted; });
  if (found == strata.end() || found->stratum != name) {
    found = strata.insert(found, {std::move(name), {}, {}});
  }
  return *found;
}

void Tally<AccuracyGate>::take(const Deployment& d, const StageEvidence& evidence) {
  if (!d.attempted || has_left(d)) return;
  stratum_of(d.device, evidence).canary.push_back(evidence.canary_labels(d));
}

void Tally<AccuracyGate>::take(const Control& control, const StageEvidence& evidence) {
  if (auto labels = evidence.control_labels(control.device)) {
    stratum_of(control.device, evidence).control.push_back(std::move(*labels));
  }
}

monitoring::GateResult Tally<AccuracyGate>::judge(const StageEvidence&) const {
  return monitoring::to_gate_result(monitoring::judge_accuracy(strata, options_of(gate)));
}

namespace {

// What is assumed where nobody says or knows better.
constexpr double kAccuracy = 0.9;
constexpr double kDeviceSd = 0.03;
constexpr double kUseful = 0.2;  // of equal releases: a gate that passes fewer is no gate

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

std::string labels_words(const std::optional<uint64_t>& labels) {
  return labels ? fmt::format("{}", *labels) : "no number";
}

// Labels of the canary until nine of ten equal releases pass, and what becomes of others by then.
std::string power_words(const AccuracyGate& gate, const monitoring::Planned& alike) {
  const monitoring::AccuracyOptions options = options_of(gate);
  monitoring::Planned apart = alike;
  apart.device_sd = kDeviceSd;
  const auto half = monitoring::labels_to_pass(options, alike, 0.5);
  const auto most = monitoring::labels_to_pass(options, alike, 0.9);
  std::string words = fmt::format(
      "; at an accuracy of {} (devices alike) an equal release passes with {} canary labels (one "
      "of two), {} (nine of ten), {} where devices are {:.0f} pp apart, and as many of control",
      percent(alike.accuracy), labels_words(half), labels_words(most),
      labels_words(monitoring::labels_to_pass(options, apart, 0.9)), 100 * kDeviceSd);
  const uint64_t labels = gate.labels > 0 ? gate.labels : most.value_or(0);
  if (labels == 0) return words;
  const double margin = gate.non_inferior_by.as_double();
  monitoring::AccuracyOptions then = options;
  then.labels = labels;
  words += fmt::format(
      "; with {}: an equal one passes in {}, one worse by {} in {}, and fails in "
      "{}; worse by twice that fails in {}",
      labels, percent(monitoring::pass_probability(then, alike, labels, 0)),
      to_string(gate.non_inferior_by),
      percent(monitoring::pass_probability(then, alike, labels, -margin)),
      percent(monitoring::fail_probability(then, alike, labels, -margin)),
      percent(monitoring::fail_probability(then, alike, labels, -2 * margin)));
  if (gate.labels_per_day > 0) {
    words +=
        fmt::format("; {:.1f} days at {} labels a day of both",
                    2 * static_cast<double>(labels) / gate.labels_per_day, gate.labels_per_day);
  }
  return words;
}

// Why no number of labels decides, and what would help; or nothing.
std::string impossible_words(const AccuracyGate& gate, const monitoring::Planned& alike) {
  if (alike.canaries + alike.controls < 3) {
    return "accuracy: one device against one can't be judged, whatever the labels: a larger stage "
           "or more control";
  }
  if (gate.labels == 0) return "";
  const monitoring::AccuracyOptions options = options_of(gate);
  // With so many labels of control that they are not what is missing.
  const double passes = monitoring::pass_probability(options, alike, 2 * uint64_t{gate.labels}, 0);
  if (passes >= kUseful && gate.labels >= options.labels_min) return "";
  const auto needed = monitoring::labels_to_pass(options, alike, 0.9);
  return fmt::format(
      "accuracy: labels: {} can't decide {}: an equal release passes in {}; it takes {} canary "
      "labels, or a larger margin",
      gate.labels, to_string(gate.non_inferior_by), percent(passes), labels_words(needed));
}

}  // namespace

GateForecast foresee(const AccuracyGate& gate, const StageOutlook& outlook) {
  GateForecast forecast;
  forecast.words = fmt::format(
      "accuracy: concurrent control of {} device(s), not worse by more than {} at alpha {}{}; "
      "needs labels of both sides, of the same hours",
      outlook.control, to_string(gate.non_inferior_by), to_string(gate.alpha),
      gate.per.empty() ? ""
                       : fmt::format(" over all labels.{}, and by {} in each", gate.per,
                                     to_string(monitoring::guard_of(options_of(gate)))));
  if (outlook.control == 0) {
    forecast.warning =
        "accuracy: no concurrent control is left in this stage; it is judged by the control of the "
        "stages before it, or add a holdback";
    return forecast;
  }
  if (outlook.devices == 0) return forecast;
  const monitoring::Planned alike{
      .canaries = outlook.devices,
      .controls = outlook.control,
      .accuracy = gate.expect.ppm > 0 ? gate.expect.as_double() : kAccuracy};
  forecast.words += power_words(gate, alike);
  forecast.impossible = impossible_words(gate, alike);
  const double limit = monitoring::device_sd_limit(options_of(gate), alike, 0.5);
  if (limit < kDeviceSd) {
    forecast.warning = fmt::format(
        "accuracy: if devices differ by more than {:.1f} pp no number of labels decides {} here: "
        "more devices or a larger margin would",
        100 * limit, to_string(gate.non_inferior_by));
  }
  return forecast;
}

}  // namespace covey::engine
