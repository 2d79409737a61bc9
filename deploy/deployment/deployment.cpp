// SPDX-License-Identifier: Apache-2.0
#include "deploy/deployment/deployment.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/assert.hpp"

namespace covey {
namespace {

constexpr std::array<std::pair<DeploymentState, std::string_view>, 14> kDeploymentStates{{
    {DeploymentState::kQueued, "QUEUED"},
    {DeploymentState::kOffered, "OFFERED"},
    {DeploymentState::kDownloading, "DOWNLOADING"},
    {DeploymentState::kVerifying, "VERIFYING"},
    {DeploymentState::kStaged, "STAGED"},
    {DeploymentState::kShadowing, "SHADOWING"},
    {DeploymentState::kProbation, "PROBATION"},
    {DeploymentState::kConfirmed, "CONFIRMED"},
    {DeploymentState::kDeclined, "DECLINED"},
    {DeploymentState::kFailed, "FAILED"},
    {DeploymentState::kReverted, "REVERTED"},
    {DeploymentState::kTimedOut, "TIMED_OUT"},
    {DeploymentState::kCanceled, "CANCELED"},
    {DeploymentState::kRemoved, "REMOVED"},
}};

constexpr std::array<std::pair<Cause, std::string_view>, 3> kCauses{{
    {Cause::kRollout, "ROLLOUT"},
    {Cause::kRollback, "ROLLBACK"},
    {Cause::kAssignment, "ASSIGNMENT"},
}};

// What a phase in the device's report means for the attempt; nullopt: nothing.
std::optional<DeploymentState> state_of_phase(std::string_view phase) {
  if (phase == "PROBATION_OK") return DeploymentState::kProbation;
  if (phase == "IDLE") return std::nullopt;
  const std::optional<DeploymentState> state = parse_deployment_state(phase);
  // What a device cannot say about itself.
  if (state == DeploymentState::kQueued || state == DeploymentState::kOffered ||
      state == DeploymentState::kTimedOut || state == DeploymentState::kCanceled ||
      state == DeploymentState::kRemoved) {
    return std::nullopt;
  }
  return state;
}

namespace dep = deployment;

class Stepper {
 public:
  Stepper(Deployment deployment, Now now) : step_{std::move(deployment), {}}, now_(now) {}

  void operator()(const dep::Offered& event) {
    Deployment& d = step_.state;
    if (d.state != DeploymentState::kQueued) return;
    d.deadline = event.deadline;
    d.attempt = event.attempt;
    // A retry keeps what the device had before the first attempt: that one may have been confirmed
    // too late to count.
    if (!d.previous) d.previous = event.previous;
    become(DeploymentState::kOffered, "");
    step_.effects.emplace_back(dep::GoalChanged{});
  }

  void operator()(const dep::DeviceReported& event) {
    Deployment& d = step_.state;
    const ModelReport& report = event.report;
    if (d.state == DeploymentState::kQueued) return;
    const bool about_us = report.candidate == d.manifest && report.attempt == d.attempt;
    const bool proven = report.confirmed == d.manifest && report.active == d.manifest;
    if (has_ended(d.state)) {
      // A late proof is a fact about the device, not about the attempt.
      if (about_us && proven && d.state != DeploymentState::kConfirmed && !d.late_confirmed) {
        d.late_confirmed = true;
        touch();
      }
      return;
    }
    if (!about_us) return;
    const std::optional<DeploymentState> reported = state_of_phase(report.phase);
    if (!reported) return;
    if (*reported == DeploymentState::kConfirmed) {
      // Success only by proof: its own digest, confirmed and running.
      if (proven) end(DeploymentState::kConfirmed, "");
      return;
    }
    if (d.chunks_have != report.chunks_have || d.chunks_total != report.chunks_total) {
      d.chunks_have = report.chunks_have;
      d.chunks_total = report.chunks_total;
      touch();
    }
    if (*reported != DeploymentState::kDeclined && !d.attempted) {
      d.attempted = true;
      touch();
    }
    if (has_ended(*reported)) {
      end(*reported, report.reason);
      return;
    }
    if (*reported != d.state) become(*reported, report.reason);
    if (report.phase == "PROBATION_OK" && !d.granted) {
      d.granted = true;
      touch();
      step_.effects.emplace_back(dep::GoalChanged{});
    }
  }

  void operator()(const dep::ObservedTime& event) {
    if (in_flight(step_.state.state) && event.observed >= step_.state.deadline) {
      end(DeploymentState::kTimedOut, "ATTEMPT_DEADLINE");
    }
  }

  void operator()(const dep::StepLapsed& event) {
    if (in_flight(step_.state.state)) end(DeploymentState::kTimedOut, event.reason);
  }

  void operator()(const dep::Cancel& event) {
    if (!has_ended(step_.state.state)) end(DeploymentState::kCanceled, event.reason);
  }

  dep::Step take() { return std::move(step_); }

 private:
  void touch() { step_.state.update_wall = now_.wall; }

  void become(DeploymentState state, std::string reason) {
    COVEY_ASSERT(!has_ended(step_.state.state));
    step_.state.state = state;
    step_.state.reason = std::move(reason);
    touch();
  }

  void end(DeploymentState state, std::string reason) {
    const bool offered = step_.state.state != DeploymentState::kQueued;
    become(state, std::move(reason));
    if (offered) step_.effects.emplace_back(dep::GoalChanged{});
    step_.effects.emplace_back(dep::Ended{state});
  }

  dep::Step step_;
  Now now_;
};

}  // namespace

std::string_view to_string(DeploymentState state) {
  for (const auto& [value, text] : kDeploymentStates) {
    if (value == state) return text;
  }
  return "UNKNOWN";
}

std::optional<DeploymentState> parse_deployment_state(std::string_view text) {
  for (const auto& [value, name] : kDeploymentStates) {
    if (name == text) return value;
  }
  return std::nullopt;
}

bool has_ended(DeploymentState state) { return state >= DeploymentState::kConfirmed; }

bool in_flight(DeploymentState state) {
  return state >= DeploymentState::kOffered && state <= DeploymentState::kProbation;
}

std::string_view to_string(Cause cause) {
  for (const auto& [value, text] : kCauses) {
    if (value == cause) return text;
  }
  return "UNKNOWN";
}

std::optional<Cause> parse_cause(std::string_view text) {
  for (const auto& [value, name] : kCauses) {
    if (name == text) return value;
  }
  return std::nullopt;
}

namespace deployment {

Step step(Deployment deployment, const Event& event, Now now) {
  Stepper stepper(std::move(deployment), now);
  std::visit(stepper, event);
  return stepper.take();
}

}  // namespace deployment

bool has_left(const Deployment& deployment) {
  static constexpr std::array kReasons{kDeviceRejected,       kDeviceReenrolled, kDeviceRemoved,
                                       kDeviceDecommissioned, kDeviceChanged,    kSuperseded};
  return deployment.state == DeploymentState::kCanceled &&
         std::find(kReasons.begin(), kReasons.end(), deployment.reason) != kReasons.end();
}

bool worth_retrying(const Deployment& ended) {
  static constexpr std::array<std::string_view, 11> kFinal{
      "BELOW_SECURITY_FLOOR", "SIGNATURE_INVALID", "KEY_UNKNOWN",           "ALGORITHM_UNSUPPORTED",
      "CLASS_MISMATCH",       "MODEL_MISMATCH",    "SLOT_TOO_SMALL",        "ARENA_TOO_SMALL",
      "RUNTIME_MISMATCH",     "SELFTEST_MISMATCH", "PREPROCESSING_MISMATCH"};
  if (std::find(kFinal.begin(), kFinal.end(), ended.reason) != kFinal.end()) return false;
  return ended.state == DeploymentState::kFailed || ended.state == DeploymentState::kReverted ||
         ended.state == DeploymentState::kTimedOut || ended.state == DeploymentState::kDeclined;
}

}  // namespace covey
