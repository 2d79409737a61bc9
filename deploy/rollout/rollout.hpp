// SPDX-License-Identifier: Apache-2.0
// Bringing one release to one target under a plan: the rollout's and its stages' state machine
// (docs/design/rollouts.md, "Stages"). It decides when a stage starts, passes and fails; which
// device is offered what, and when, is the engine's, within the bounds stated here.
// What was decided at the creation never changes and may be large (RolloutPlan: shared, never
// copied); what changes is small (RolloutProgress). Time that passes changes nothing: a stage keeps
// the mark since when it soaks (docs/adr/0020-soak-is-a-mark.md). Thread safety: values and pure
// functions. Durations are observed time (docs/design/time-and-persistence.md, "Observed time").
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/id.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "core/verdict.hpp"
#include "deploy/rollout/plan.hpp"

namespace covey {

enum class RolloutState : uint8_t {
  kDraft,
  kAwaitingApproval,
  kRunning,
  kPaused,
  kRollingBack,
  kSucceeded,
  kAborted,
  kRolledBack,
};
std::string_view to_string(RolloutState state);  // DRAFT, AWAITING_APPROVAL, ...
std::optional<RolloutState> parse_rollout_state(std::string_view text);
bool has_ended(RolloutState state);

enum class StageState : uint8_t {
  kPending,
  kDeploying,
  kSoaking,
  kAnalyzing,
  kPassed,
  kFailed,
  kInconclusive,
};
std::string_view to_string(StageState state);  // PENDING, DEPLOYING, ...
std::optional<StageState> parse_stage_state(std::string_view text);

// A device of the target that the plan leaves out, and why: kAlreadyRunning, or an incompatibility.
inline constexpr std::string_view kAlreadyRunning = "ALREADY_RUNNING";
struct Exclusion {
  DeviceId device;
  std::string reason;
  std::string explanation;

  bool operator==(const Exclusion&) const = default;
};

// What a rollout is: decided when it was created.
struct RolloutPlan {
  RolloutName name;
  PlanDocument document;        // as it was sent
  Plan rules;                   // what it means
  std::vector<DeviceId> order;  // stage order, holdback last (deploy/rollout/order.hpp)
  std::vector<uint32_t> ends;   // stage k is order[0, ends[k])
  uint32_t holdback = 0;
  std::vector<Exclusion> excluded;
  std::string creator;
  Millis create_wall{0};

  // The document says nothing that the rules don't.
  bool operator==(const RolloutPlan& other) const {
    return name == other.name && rules == other.rules && order == other.order &&
           ends == other.ends && holdback == other.holdback && excluded == other.excluded &&
           creator == other.creator && create_wall == other.create_wall;
  }
};
// Order and exclusions are large: whoever holds many that are over holds them without.
std::shared_ptr<const RolloutPlan> without_devices(const RolloutPlan& plan);

struct StageProgress {
  StageState state = StageState::kPending;
  bool approved = false;
  std::string approver;  // who did; "": nobody, or before that was kept
  // Observed time since when it soaks or is analysed; none: that time stands still.
  std::optional<Millis> since;
  Millis soak_used{0};      // observed, before `since`
  Millis analysis_used{0};  // the same, from the end of the soak or the last resume on
  Millis start_wall{0};
  Millis end_wall{0};

  bool operator==(const StageProgress&) const = default;
};

struct RolloutProgress {
  RolloutState state = RolloutState::kDraft;
  std::string reason;       // UPPER_SNAKE: why paused, failed or ended
  std::string explanation;  // for people: gate, stratum, measured value
  std::vector<StageProgress> stages;
  uint32_t queued = 0;     // devices of the order that had their turn, stage by stage
  bool cancels = false;    // aborted at once: what is in progress ends too
  bool assigning = false;  // succeeded: not yet everybody who matches the target was told
  Millis end_wall{0};
  Millis end_observed{0};  // observed time: the rollback window opens then
  uint64_t revision = 0;   // of the last change: watches resume by it
  bool settled = false;    // can't be rolled back any more: its deployments are history

  bool operator==(const RolloutProgress&) const = default;
};

struct Rollout {
  std::shared_ptr<const RolloutPlan> plan;  // never null; without devices once it is settled
  RolloutProgress progress;

  bool operator==(const Rollout& other) const {
    return progress == other.progress && (plan == other.plan || *plan == *other.plan);
  }
};

// The stage that is being worked on; nullopt when all passed.
std::optional<size_t> current_stage(const RolloutProgress& progress);
// Devices may be offered the release now (RUNNING, a stage is DEPLOYING).
bool offers(const RolloutProgress& progress);
// How long the stage has soaked, at this observed time.
Millis soaked(const StageProgress& stage, Millis observed);

namespace rollout {

// How the devices of the current stage, earlier stages included, stand; and what the gates say.
struct StageFacts {
  uint32_t waiting = 0;       // queued, or in back-off before another attempt
  uint32_t in_flight = 0;     // offered and not ended
  bool can_roll_back = true;  // some device that was offered the release had one before
  uint32_t targeted = 0;      // devices of the stage, without those that have left it
  uint32_t confirmed = 0;     // of them: the device has proven that it runs the release
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;  // of the gate that decides
  std::string explanation;
};
// Devices that must be brought back.
struct RollbackFacts {
  uint32_t awaited = 0;      // online, not back yet, and another attempt may bring it back
  uint32_t outstanding = 0;  // not back yet, all
  uint32_t back = 0;
  uint32_t kept = 0;   // had no release before: they keep this one
  uint32_t newer = 0;  // got something newer since the rollout ended: that stands
  bool told = true;    // everybody has got the goal that brings it back
};

struct Start {};
struct Tick {
  StageFacts facts;
};
struct RollbackTick {
  RollbackFacts facts;
};
struct Pause {
  std::string reason;  // UPPER_SNAKE, e.g. OPERATOR, RESTORED
  std::string explanation;
};
struct Resume {};
struct Approve {
  std::string by;  // who does
};
// While ROLLING_BACK only at once: what isn't back by then is not waited for.
struct Abort {
  bool now = false;
  std::string explanation;
  StageFacts stage{};
  RollbackFacts back{};
};
struct RollBack {
  std::string explanation;
  bool window_open = false;   // an ended rollout (but for ROLLED_BACK) may still be rolled back
  uint32_t first_models = 0;  // devices that run the release and had none before
  bool can_roll_back = true;  // some device that was offered the release had one before
};
using Event = std::variant<Start, Tick, RollbackTick, Pause, Resume, Approve, Abort, RollBack>;

struct StageStarted {
  size_t stage = 0;
};
// Bring back every device ever offered the release and not proven to be elsewhere.
struct RollbackStarted {};
// End the attempts in progress (their goals change).
struct CancelInProgress {
  std::string reason;
};
struct RolloutEnded {
  RolloutState state = RolloutState::kSucceeded;
};
// A line of the append-only history.
struct Happened {
  std::string kind;  // UPPER_SNAKE
  std::string subject;
  std::string text;
};
using Effect =
    std::variant<StageStarted, RollbackStarted, CancelInProgress, RolloutEnded, Happened>;

struct Step {
  RolloutProgress progress;
  std::vector<Effect> effects;
};
struct At {
  Millis wall{0};
  Millis observed{0};
};
// Errors (commands only): ROLLOUT_ENDED, ROLLOUT_NOT_RUNNING, ROLLOUT_NOT_PAUSED,
// NOTHING_TO_APPROVE, ROLLING_BACK, ROLLBACK_BEGINS, ALREADY_ROLLED_BACK, NO_PREVIOUS_RELEASE.
Result<Step> step(const RolloutPlan& plan, RolloutProgress progress, const Event& event, At now);

}  // namespace rollout
}  // namespace covey
