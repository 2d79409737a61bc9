// SPDX-License-Identifier: Apache-2.0
// One device's attempt to move to one release: a pure state machine. Success is what the device
// proves (docs/design/rollouts.md, "Success is what the device proves"); an end is the gateway's
// decision about an attempt and never changes. Thread safety: values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "core/time.hpp"
#include "deploy/deployment/device.hpp"

namespace covey {

enum class DeploymentState : uint8_t {
  kQueued,
  kOffered,
  kDownloading,
  kVerifying,
  kStaged,
  kShadowing,
  kProbation,
  kConfirmed,
  kDeclined,
  kFailed,
  kReverted,
  kTimedOut,
  kCanceled,
  kRemoved,
};
std::string_view to_string(DeploymentState state);  // QUEUED, OFFERED, ...
std::optional<DeploymentState> parse_deployment_state(std::string_view text);
bool has_ended(DeploymentState state);
// Holds a place in max_in_flight: offered and not ended.
bool in_flight(DeploymentState state);

enum class Cause : uint8_t { kRollout, kRollback, kAssignment };
std::string_view to_string(Cause cause);  // ROLLOUT, ROLLBACK, ASSIGNMENT
std::optional<Cause> parse_cause(std::string_view text);

struct Deployment {
  uint64_t number = 0;  // unique at the site
  DeviceId device;
  ReleaseId release;
  Digest manifest;                     // the release's artifact for this device's class
  std::optional<Digest> previous;      // confirmed at the offer: the rollback target
  std::optional<RolloutName> rollout;  // none for assignments
  uint32_t stage = 0;
  Cause cause = Cause::kRollout;
  DeploymentState state = DeploymentState::kQueued;
  uint32_t attempt = 0;  // on the device, over all rollouts
  uint32_t attempt_in_rollout = 1;
  std::string reason;
  uint32_t chunks_have = 0;
  uint32_t chunks_total = 0;
  bool attempted = false;       // reached DOWNLOADING or later, in this attempt or one before
  bool granted = false;         // may_confirm is in the goal
  bool late_confirmed = false;  // proof came after the end
  Millis deadline{0};           // observed time; 0 until offered
  Millis create_wall{0};
  Millis update_wall{0};

  bool operator==(const Deployment&) const = default;
};

namespace deployment {

// The goal with this deployment was decided; it lapses at `deadline` (observed time).
struct Offered {
  Millis deadline{0};
  uint32_t attempt = 0;
  std::optional<Digest> previous;
};
struct DeviceReported {
  ModelReport report;
};
struct ObservedTime {
  Millis observed{0};
};
// The step it is in has taken too long: an offer that nobody took, a probation without a proof.
struct StepLapsed {
  std::string reason;  // UPPER_SNAKE
};
struct Cancel {
  std::string reason;  // UPPER_SNAKE
};
using Event = std::variant<Offered, DeviceReported, ObservedTime, StepLapsed, Cancel>;

// The device's goal must be written anew.
struct GoalChanged {};
// The attempt ended in `state`; the owner decides about another attempt.
struct Ended {
  DeploymentState state = DeploymentState::kFailed;
};
using Effect = std::variant<GoalChanged, Ended>;

struct Step {
  Deployment state;
  std::vector<Effect> effects;
};
Step step(Deployment deployment, const Event& event, Now now);

}  // namespace deployment

// Why an attempt was cancelled, where its device is not any more what the attempt was made for.
inline constexpr std::string_view kDeviceRejected = "DEVICE_REJECTED";
inline constexpr std::string_view kDeviceReenrolled = "DEVICE_REENROLLED";
inline constexpr std::string_view kDeviceRemoved = "DEVICE_REMOVED";
inline constexpr std::string_view kDeviceDecommissioned = "DEVICE_DECOMMISSIONED";
inline constexpr std::string_view kDeviceChanged = "DEVICE_CHANGED";  // its class, slot, runtime
inline constexpr std::string_view kSuperseded = "SUPERSEDED";  // by a newer decision about it
// It counts for nothing: neither as proven, nor as failed, nor as outstanding.
bool has_left(const Deployment& deployment);

// A failed attempt that another attempt may mend; a signature or class problem is not.
bool worth_retrying(const Deployment& ended);

}  // namespace covey
