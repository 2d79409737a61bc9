// SPDX-License-Identifier: Apache-2.0
#include "cli/show/rollout_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "cli/exit_code.hpp"

namespace covey::cli {
namespace {

constexpr uint64_t kQuartersFrom = 40;  // devices of a stage: fewer are done before one looks

// `received`: of those OFFERED. What is offered is what the gateway means; what is received, it
// knows.
std::string counts(const google::protobuf::Map<std::string, uint32_t>& map, uint32_t received) {
  const std::map<std::string, uint32_t> sorted(map.begin(), map.end());
  std::string out;
  for (const auto& [state, count] : sorted) {
    out += (out.empty() ? "" : ", ") + fmt::format("{} {}", count, state);
    if (state == "OFFERED") out += fmt::format(" ({} received)", received);
  }
  return out.empty() ? "-" : out;
}

uint32_t count_of(const v1::Stage& stage, const char* state) {
  const auto found = stage.deployments().find(state);
  return found == stage.deployments().end() ? 0 : found->second;
}

uint32_t failed_of(const v1::Stage& stage) {
  return count_of(stage, "FAILED") + count_of(stage, "REVERTED") + count_of(stage, "TIMED_OUT") +
         count_of(stage, "DECLINED");
}

std::string name_of(const v1::Rollout& rollout) { return id_of(rollout.name()); }
std::string state_of(const v1::Rollout& rollout) {
  return word(v1::RolloutState_Name(rollout.state()));
}
std::string state_of(const v1::Stage& stage) { return word(v1::StageState_Name(stage.state())); }

std::string head(const v1::Rollout& rollout, const Style& style) {
  std::string out = fmt::format("{}  {}  {}", name_of(rollout), rollout.spec().release(),
                                colored(state_of(rollout), style));
  if (!rollout.reason().empty()) out += " (" + rollout.reason() + ")";
  out += '\n';
  if (!rollout.explanation().empty()) out += "  " + rollout.explanation() + "\n";
  return out;
}

// First of all that is said: who or what it waits for, and what can be done about it.
std::string waits(const v1::Rollout& rollout) {
  std::string out;
  for (const v1::Wait& wait : rollout.waits()) {
    out += "Waits for ";
    if (wait.devices_total() > 0) {
      std::string names;
      for (const std::string& device : wait.devices()) {
        names += (names.empty() ? "" : ", ") + device;
      }
      const uint32_t more =
          wait.devices_total() - static_cast<uint32_t>(std::min<int>(
                                     wait.devices_size(), static_cast<int>(wait.devices_total())));
      if (more > 0) names += fmt::format(" and {} more", more);
      out += fmt::format("{} {}: {}: ", wait.devices_total(),
                         wait.devices_total() == 1 ? "device" : "devices", names);
    }
    out += wait.what();
    if (!wait.explanation().empty()) out += ", " + wait.explanation();
    if (wait.since_ms() > 0) out += "; since " + utc(wait.since_ms()) + " UTC";
    if (wait.until_ms() > 0) out += "; until " + utc(wait.until_ms()) + " UTC at the latest";
    out += "\n  you can: " + wait.advice() + "\n";
  }
  if (!out.empty()) out += '\n';
  return out;
}

}  // namespace

std::string rollout_page(const v1::Rollout& rollout, const Style& style) {
  std::string out = head(rollout, style);
  out += fmt::format("  created {} UTC by {}", utc(rollout.create_time_ms()), rollout.creator());
  if (rollout.end_time_ms() > 0) out += ", ended " + utc(rollout.end_time_ms()) + " UTC";
  if (!rollout.spec().source().empty()) out += "\n  source " + rollout.spec().source();
  out += fmt::format("\n  target {}, holdback {} devices, left out {}\n\n",
                     rollout.spec().target().empty() ? "all" : rollout.spec().target(),
                     rollout.holdback_devices(), rollout.excluded_devices());
  Table table({"STAGE", "STATE", "DEVICES", "NEW", "DEPLOYMENTS", "GATES"});
  for (const v1::Stage& stage : rollout.stages()) {
    std::string gates;
    for (const v1::GateResult& gate : stage.gates()) {
      gates +=
          (gates.empty() ? "" : ", ") + gate.gate() + " " + word(v1::Verdict_Name(gate.verdict()));
    }
    table.add({stage.name(), state_of(stage), fmt::format("{}", stage.devices()),
               fmt::format("{}", stage.devices_new()),
               counts(stage.deployments(), stage.received()), gates.empty() ? "-" : gates});
  }
  out += table.render(style);
  if (!rollout.rollback_deployments().empty()) {
    out += fmt::format("\nrollback: {}; {} outstanding\n",
                       counts(rollout.rollback_deployments(), rollout.rollback_received()),
                       rollout.rollback_outstanding());
  }
  if (rollout.awaiting_approval()) {
    out += fmt::format("\nWaits for approval: covey rollout approve {}\n", name_of(rollout));
  }
  return out;
}

std::string rollout_explanation(const v1::Rollout& rollout,
                                const v1::ListDeploymentsResponse& deployments,
                                const Style& style) {
  std::string out = waits(rollout) + head(rollout, style);
  for (const v1::Stage& stage : rollout.stages()) {
    out += fmt::format("\nstage {}  {}  {}\n", stage.name(), colored(state_of(stage), style),
                       counts(stage.deployments(), stage.received()));
    if (!stage.approver().empty()) out += fmt::format("  approved by {}\n", stage.approver());
    for (const v1::GateResult& gate : stage.gates()) {
      out += fmt::format("  {}  {} {}\n    {}\n", gate.gate(),
                         colored(word(v1::Verdict_Name(gate.verdict())), style), gate.reason(),
                         gate.explanation());
      for (const v1::Measure& measure : gate.measures()) {
        out += fmt::format("      {}{} = {}", measure.name(),
                           measure.stratum().empty() ? "" : "[" + measure.stratum() + "]",
                           measure.value());
        if (!measure.bound().empty()) out += " (bound " + measure.bound() + ")";
        out += '\n';
      }
    }
  }
  std::map<std::string, std::vector<std::string>> excluded;
  for (const v1::Exclusion& exclusion : rollout.excluded()) {
    excluded[exclusion.reason() + ": " + exclusion.explanation()].push_back(exclusion.device());
  }
  if (!excluded.empty()) out += "\nleft out\n";
  for (const auto& [reason, devices] : excluded) {
    out += fmt::format("  {} device(s), e.g. {}: {}\n", devices.size(), devices.front(), reason);
  }
  const auto shown = static_cast<uint32_t>(rollout.excluded_size());
  if (rollout.excluded_devices() > shown) {
    out += fmt::format("  of the first {} of {}; the API has the others\n", shown,
                       rollout.excluded_devices());
  }
  Table troubled({"DEVICE", "STAGE", "CAUSE", "STATE", "ATTEMPT", "REASON"});
  for (const v1::Deployment& deployment : deployments.deployments()) {
    if (deployment.state() == v1::DEPLOYMENT_STATE_CONFIRMED || deployment.reason().empty()) {
      continue;
    }
    troubled.add({deployment.device(), deployment.stage(), deployment.cause(),
                  word(v1::DeploymentState_Name(deployment.state())),
                  fmt::format("{}", deployment.attempt()), deployment.reason()});
  }
  if (!troubled.empty()) out += "\n" + troubled.render(style);
  return out;
}

std::string rollout_progress(const v1::Rollout& rollout, const Style& style) {
  std::string out = head(rollout, style);
  size_t width = 0;
  for (const v1::Stage& stage : rollout.stages()) {
    width = std::max(width, display_width(stage.name()));
  }
  for (const v1::Stage& stage : rollout.stages()) {
    const uint32_t confirmed = count_of(stage, "CONFIRMED");
    const uint32_t failed = failed_of(stage);
    out += fmt::format("  {}{}  {}  {}/{}  {}", stage.name(),
                       std::string(width - display_width(stage.name()), ' '),
                       bar(confirmed, stage.devices_new(), 30), confirmed, stage.devices_new(),
                       colored(state_of(stage), style));
    if (failed > 0) out += fmt::format(", {} failed", failed);
    if (!stage.soak_remaining().empty()) out += ", soaks " + stage.soak_remaining();
    out += '\n';
  }
  if (rollout.state() == v1::ROLLOUT_STATE_ROLLING_BACK) {
    out += fmt::format("  rollback: {} devices are not back yet\n", rollout.rollback_outstanding());
  }
  if (rollout.awaiting_approval()) {
    out += "  waits for approval: covey rollout approve " + name_of(rollout) + "\n";
  }
  return out;
}

std::string rollout_summary(const v1::Rollout& rollout) {
  std::string out = state_of(rollout);
  if (!rollout.reason().empty()) out += fmt::format(" ({})", rollout.reason());
  for (const v1::Stage& stage : rollout.stages()) {
    if (stage.state() == v1::STAGE_STATE_PENDING) continue;
    out += fmt::format("  {} {} {}/{}", stage.name(), state_of(stage), count_of(stage, "CONFIRMED"),
                       stage.devices_new());
    if (const uint32_t failed = failed_of(stage); failed > 0) {
      out += fmt::format(", {} failed", failed);
    }
  }
  if (rollout.awaiting_approval()) out += "  waits for approval";
  return out;
}

std::string rollout_milestone(const v1::Rollout& rollout) {
  std::string out =
      fmt::format("{} {} {}", state_of(rollout), rollout.reason(), rollout.awaiting_approval());
  for (const v1::Stage& stage : rollout.stages()) {
    const uint64_t devices = stage.devices_new();
    const auto quarter = [&](uint64_t count) {
      return devices < kQuartersFrom ? 0 : count * 4 / devices;
    };
    const uint32_t failed = failed_of(stage);
    out += fmt::format(" {} {} {} {}", state_of(stage), quarter(count_of(stage, "CONFIRMED")),
                       failed > 0, quarter(failed));
  }
  return out;
}

std::optional<int> rollout_exit_code(const v1::Rollout& rollout) {
  switch (rollout.state()) {
    case v1::ROLLOUT_STATE_SUCCEEDED:
      return kDone;
    case v1::ROLLOUT_STATE_ABORTED:
    case v1::ROLLOUT_STATE_ROLLED_BACK:
      return kFailedOrRolledBack;
    case v1::ROLLOUT_STATE_PAUSED:
      return kPausedOrInconclusive;
    default:  // the API's enum is open: newer states go on
      return std::nullopt;
  }
}

}  // namespace covey::cli
