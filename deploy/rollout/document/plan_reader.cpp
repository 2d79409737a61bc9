// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/document/plan_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/limits.hpp"

namespace covey {
namespace {

constexpr uint32_t kRetriesMax = 100;
constexpr size_t kSeedBytesMax = 128;
constexpr Millis kDeadlineMin{1'000};

bool is_stage_name(std::string_view text) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && text.size() <= 31 && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), is_word);
}

}  // namespace

PlanReading read_plan(const PlanDocument& document) { return PlanReader().read(document); }

PlanReading PlanReader::read(const PlanDocument& document) {
  Plan plan;
  read_spec(document, plan);
  read_strata(document, plan);
  read_attempt(document, plan);
  read_stages(document, plan);
  PlanReading reading;
  if (values_.problems().empty()) {
    reading.plan = std::move(plan);
  } else {
    reading.problems = std::move(values_.problems());
  }
  return reading;
}

void PlanReader::read_spec(const PlanDocument& document, Plan& plan) {
  Result<RolloutName> name = RolloutName::parse(document.name);
  if (name) {
    plan.name = *std::move(name);
  } else {
    values_.bad("metadata.name", name.error().message);
  }
  Result<ReleaseId> release = ReleaseId::parse(document.release);
  if (release) {
    plan.release = *std::move(release);
  } else {
    values_.bad("spec.release", release.error().message);
  }
  Result<Filter> target = Filter::parse(document.target);
  if (target) {
    plan.target = *std::move(target);
  } else {
    values_.bad("spec.target", target.error().message);
  }
  plan.holdback = values_.ratio(document.holdback, "spec.holdback", Ratio{});
  if (plan.holdback >= Ratio::percent(100)) {
    values_.bad("spec.holdback", "holds back every device: nothing would be rolled out");
  }
  plan.seed = document.seed.empty() ? document.name : document.seed;
  if (document.seed.size() > kSeedBytesMax) values_.bad("spec.seed", "is longer than 128 bytes");
  if (document.source.size() > kSourceBytesMax) {
    values_.bad("spec.source", fmt::format("is longer than {} bytes", kSourceBytesMax));
  }
  if (document.on_fail == "PAUSE") {
    plan.on_fail = OnFail::kPause;
  } else if (!document.on_fail.empty() && document.on_fail != "ROLLBACK") {
    values_.bad("spec.on_fail", in_quotes(document.on_fail) + " is neither ROLLBACK nor PAUSE");
  }
}

void PlanReader::read_strata(const PlanDocument& document, Plan& plan) {
  if (document.strata.size() > kStrataMax) {
    values_.bad("spec.strata", fmt::format("has more than {} entries", kStrataMax));
    return;
  }
  for (size_t i = 0; i < document.strata.size(); ++i) {
    const std::string& field = document.strata[i];
    const std::string path = entry_of("spec.strata", i);
    // A stratum is a field whose value a filter can ask for.
    const Result<Filter> probe = Filter::parse(field + ":*");
    if (!probe || probe->fields() != std::vector<std::string>{field}) {
      values_.bad(path, in_quotes(field) +
                            " is not a field of a device: write for example class or labels.hall");
    } else if (std::find(plan.strata.begin(), plan.strata.end(), field) != plan.strata.end()) {
      values_.bad(path, in_quotes(field) + " is given twice");
    } else {
      plan.strata.push_back(field);
    }
  }
}

void PlanReader::read_attempt(const PlanDocument& document, Plan& plan) {
  const AttemptRules defaults;
  plan.attempt.deadline =
      values_.duration(document.attempt.deadline, "spec.attempt.deadline", defaults.deadline);
  if (plan.attempt.deadline < kDeadlineMin) {
    values_.bad("spec.attempt.deadline", "leaves a device no time: at least 1s");
  }
  plan.attempt.retries = document.attempt.retries.value_or(defaults.retries);
  if (plan.attempt.retries > kRetriesMax) {
    values_.bad("spec.attempt.retries", fmt::format("at most {}", kRetriesMax));
  }
  plan.attempt.backoff =
      values_.duration(document.attempt.backoff, "spec.attempt.backoff", defaults.backoff);
  plan.skip_after =
      values_.duration(document.offline.skip_after, "spec.offline.skip_after", plan.skip_after);
}

void PlanReader::read_stages(const PlanDocument& document, Plan& plan) {
  const std::vector<Gate> common = read_gates(document.gates, "spec.gates", values_);
  if (document.stages.empty()) {
    values_.bad("spec.stages", "is missing: write at least {name: fleet, size: 100%}");
  }
  if (document.stages.size() > kStagesMax) {
    values_.bad("spec.stages", fmt::format("has more than {} entries", kStagesMax));
    return;
  }
  for (size_t i = 0; i < document.stages.size(); ++i) {
    const std::string path = entry_of("spec.stages", i);
    Stage stage = read_stage(document.stages[i], path);
    for (const Stage& earlier : plan.stages) {
      if (!stage.name.empty() && earlier.name == stage.name) {
        values_.bad(path + ".name", in_quotes(stage.name) + " is the name of an earlier stage");
      }
    }
    if (document.stages[i].gates.empty()) stage.gates = common;
    if (stage.gates.empty()) {
      stage.gates.emplace_back(FailuresGate{.max = Ratio::percent(5)});
    }
    plan.stages.push_back(std::move(stage));
  }
  check_growth(plan.stages);
}

Stage PlanReader::read_stage(const StageDocument& document, const std::string& path) {
  Stage stage;
  stage.name = document.name;
  if (!is_stage_name(document.name)) {
    values_.bad(path + ".name",
                in_quotes(document.name) + " is not a stage name: 1 to 31 of a-z 0-9 -");
  }
  if (document.mode == "SHADOW") {
    stage.mode = StageMode::kShadow;
    values_.problem(path + ".mode", "UNSUPPORTED_MODE",
                    "SHADOW stages are not supported by this version: leave the stage out");
  } else if (!document.mode.empty() && document.mode != "ACTIVE") {
    values_.bad(path + ".mode", in_quotes(document.mode) + " is neither ACTIVE nor SHADOW");
  }
  stage.size = read_size(document.size, path + ".size");
  stage.soak = values_.duration(document.soak, path + ".soak", stage.soak);
  stage.timeout = values_.duration(document.timeout, path + ".timeout", stage.timeout);
  stage.max_in_flight = document.max_in_flight;
  stage.approval_required = document.approval == "required";
  if (!document.approval.empty() && document.approval != "required") {
    values_.bad(path + ".approval",
                in_quotes(document.approval) + ": write required, or leave it out");
  }
  if (!document.window.empty()) {
    values_.problem(
        path + ".window", "UNSUPPORTED_WINDOW",
        "maintenance windows are not supported by this version: leave it out, or hold the stage "
        "with approval: required");
  }
  stage.gates = read_gates(document.gates, path + ".gates", values_);
  return stage;
}

StageSize PlanReader::read_size(const std::string& text, const std::string& path) {
  StageSize size;
  if (text.empty()) {
    values_.bad(path, "is missing: write a share such as 5% or a number of devices such as 20");
    return size;
  }
  const bool is_count =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (is_count) {
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), size.count);
    if (status != std::errc{} || end != text.data() + text.size() || size.count == 0) {
      values_.bad(path, in_quotes(text) + " is not a number of devices: at least 1");
    }
    return size;
  }
  if (!text.ends_with("%")) {
    values_.bad(path, in_quotes(text) +
                          " is neither a share such as 5% nor a number of devices such as 20");
    return size;
  }
  size.share = values_.ratio(text, path, std::nullopt);
  if (size.share.ppm == 0 && parse_ratio(text))
    values_.bad(path, "an empty stage: at least 0.0001%");
  return size;
}

// Sizes are of the target, not of what is left: a later stage contains the earlier ones.
void PlanReader::check_growth(const std::vector<Stage>& stages) {
  const StageSize* last_count = nullptr;
  const StageSize* last_share = nullptr;
  for (size_t i = 0; i < stages.size(); ++i) {
    const StageSize& size = stages[i].size;
    const bool shrinks =
        (size.count > 0 && last_count != nullptr && size.count < last_count->count) ||
        (size.share.ppm > 0 && last_share != nullptr && size.share < last_share->share);
    if (shrinks) {
      values_.bad(entry_of("spec.stages", i) + ".size",
                  to_string(size) +
                      " is less than an earlier stage has: a later stage contains the earlier "
                      "ones");
    }
    if (size.count > 0) last_count = &size;
    if (size.share.ppm > 0) last_share = &size;
  }
}

}  // namespace covey
