#include "deploy/rollout/document/plan_reader.hpp"

#include <algorithm>
#include <charconv>

#include "core/duration.hpp"

namespace covey {
namespace {

constexpr uint32_t kRetriesMax = 100;
constexpr size_t kSeedBytesMax = 128;
constexpr size_t kProblemsMax = 50;  // a hostile document must not make a hostile answer
constexpr Millis kDeadlineMin{1'000};

std::string entry(std::string_view list, size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

std::string shown(std::string_view text) { return "'" + std::string(text.substr(0, 64)) + "'"; }

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
  if (problems_.empty()) {
    reading.plan = std::move(plan);
  } else {
    reading.problems = std::move(problems_);
  }
  return reading;
}

void PlanReader::read_spec(const PlanDocument& document, Plan& plan) {
  Result<RolloutName> name = RolloutName::parse(document.name);
  if (name) {
    plan.name = *std::move(name);
  } else {
    bad("metadata.name", name.error().message);
  }
  Result<ReleaseId> release = ReleaseId::parse(document.release);
  if (release) {
    plan.release = *std::move(release);
  } else {
    bad("spec.release", release.error().message);
  }
  Result<Filter> target = Filter::parse(document.target);
  if (target) {
    plan.target = *std::move(target);
  } else {
    bad("spec.target", target.error().message);
  }
  plan.holdback = ratio(document.holdback, "spec.holdback", Ratio{});
  if (plan.holdback >= Ratio::percent(100)) {
    bad("spec.holdback", "holds back every device: nothing would be rolled out");
  }
  plan.seed = document.seed.empty() ? document.name : document.seed;
  if (document.seed.size() > kSeedBytesMax) bad("spec.seed", "is longer than 128 bytes");
  if (document.on_fail == "PAUSE") {
    plan.on_fail = OnFail::kPause;
  } else if (!document.on_fail.empty() && document.on_fail != "ROLLBACK") {
    bad("spec.on_fail", shown(document.on_fail) + " is neither ROLLBACK nor PAUSE");
  }
}

void PlanReader::read_strata(const PlanDocument& document, Plan& plan) {
  if (document.strata.size() > kStrataMax) {
    bad("spec.strata", "has more than " + std::to_string(kStrataMax) + " entries");
    return;
  }
  for (size_t i = 0; i < document.strata.size(); ++i) {
    const std::string& field = document.strata[i];
    const std::string path = entry("spec.strata", i);
    // A stratum is a field whose value a filter can ask for.
    const Result<Filter> probe = Filter::parse(field + ":*");
    if (!probe || probe->fields() != std::vector<std::string>{field}) {
      bad(path,
          shown(field) + " is not a field of a device: write for example class or labels.hall");
    } else if (std::find(plan.strata.begin(), plan.strata.end(), field) != plan.strata.end()) {
      bad(path, shown(field) + " is given twice");
    } else {
      plan.strata.push_back(field);
    }
  }
}

void PlanReader::read_attempt(const PlanDocument& document, Plan& plan) {
  const AttemptRules defaults;
  plan.attempt.deadline =
      duration(document.attempt.deadline, "spec.attempt.deadline", defaults.deadline);
  if (plan.attempt.deadline < kDeadlineMin) {
    bad("spec.attempt.deadline", "leaves a device no time: at least 1s");
  }
  plan.attempt.retries = document.attempt.retries.value_or(defaults.retries);
  if (plan.attempt.retries > kRetriesMax) {
    bad("spec.attempt.retries", "at most " + std::to_string(kRetriesMax));
  }
  plan.attempt.backoff =
      duration(document.attempt.backoff, "spec.attempt.backoff", defaults.backoff);
  plan.skip_after =
      duration(document.offline.skip_after, "spec.offline.skip_after", plan.skip_after);
}

void PlanReader::read_stages(const PlanDocument& document, Plan& plan) {
  const std::vector<Gate> common = read_gates(document.gates, "spec.gates");
  if (document.stages.empty()) {
    bad("spec.stages", "is missing: write at least {name: fleet, size: 100%}");
  }
  if (document.stages.size() > kStagesMax) {
    bad("spec.stages", "has more than " + std::to_string(kStagesMax) + " entries");
    return;
  }
  for (size_t i = 0; i < document.stages.size(); ++i) {
    const std::string path = entry("spec.stages", i);
    Stage stage = read_stage(document.stages[i], path);
    for (const Stage& earlier : plan.stages) {
      if (!stage.name.empty() && earlier.name == stage.name) {
        bad(path + ".name", shown(stage.name) + " is the name of an earlier stage");
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
    bad(path + ".name", shown(document.name) + " is not a stage name: 1 to 31 of a-z 0-9 -");
  }
  if (document.mode == "SHADOW") {
    stage.mode = StageMode::kShadow;
    problem(path + ".mode", "UNSUPPORTED_MODE",
            "SHADOW stages are not supported by this version: leave the stage out");
  } else if (!document.mode.empty() && document.mode != "ACTIVE") {
    bad(path + ".mode", shown(document.mode) + " is neither ACTIVE nor SHADOW");
  }
  stage.size = read_size(document.size, path + ".size");
  stage.soak = duration(document.soak, path + ".soak", stage.soak);
  stage.timeout = duration(document.timeout, path + ".timeout", stage.timeout);
  stage.max_in_flight = document.max_in_flight;
  stage.approval_required = document.approval == "required";
  if (!document.approval.empty() && document.approval != "required") {
    bad(path + ".approval", shown(document.approval) + ": write required, or leave it out");
  }
  if (!document.window.empty()) {
    problem(
        path + ".window", "UNSUPPORTED_WINDOW",
        "maintenance windows are not supported by this version: leave it out, or hold the stage "
        "with approval: required");
  }
  stage.gates = read_gates(document.gates, path + ".gates");
  return stage;
}

StageSize PlanReader::read_size(const std::string& text, const std::string& path) {
  StageSize size;
  if (text.empty()) {
    bad(path, "is missing: write a share such as 5% or a number of devices such as 20");
    return size;
  }
  const bool is_count =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (is_count) {
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), size.count);
    if (status != std::errc{} || end != text.data() + text.size() || size.count == 0) {
      bad(path, shown(text) + " is not a number of devices: at least 1");
    }
    return size;
  }
  if (!text.ends_with("%")) {
    bad(path, shown(text) + " is neither a share such as 5% nor a number of devices such as 20");
    return size;
  }
  size.share = ratio(text, path, std::nullopt);
  if (size.share.ppm == 0 && parse_ratio(text)) bad(path, "an empty stage: at least 0.0001%");
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
      bad(entry("spec.stages", i) + ".size",
          to_string(size) +
              " is less than an earlier stage has: a later stage contains the earlier "
              "ones");
    }
    if (size.count > 0) last_count = &size;
    if (size.share.ppm > 0) last_share = &size;
  }
}

Ratio PlanReader::ratio(const std::string& text, const std::string& path,
                        std::optional<Ratio> fallback) {
  if (text.empty() && fallback) return *fallback;
  if (text.empty()) {
    bad(path, "is missing: write a share such as 5%");
    return {};
  }
  const Result<Ratio> value = parse_ratio(text);
  if (value) return *value;
  bad(path, value.error().message);
  return {};
}

Millis PlanReader::duration(const std::string& text, const std::string& path, Millis fallback) {
  if (text.empty()) return fallback;
  const Result<Millis> value = parse_duration(text);
  if (value) return *value;
  bad(path, value.error().message);
  return fallback;
}

void PlanReader::problem(std::string path, std::string reason, std::string message) {
  if (problems_.size() >= kProblemsMax) return;
  problems_.push_back({std::move(path), std::move(reason), std::move(message)});
}

}  // namespace covey
