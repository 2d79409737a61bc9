// A rollout plan: the document as people write it (PlanDocument: shares, durations and enums as
// text, the same strings as in the API's RolloutSpec) and what it means (Plan). parse_plan() finds
// all errors at once, each with its path. Pure; any thread.
//
// Defaults:
//   target    "" is every device        on_fail  ROLLBACK
//   holdback  0%                        attempt  {deadline: 24h, retries: 2, backoff: 10m}
//   seed      the rollout's name        offline  {skip_after: 7d}
//   stages    mode ACTIVE, soak 0s, timeout 24h, max_in_flight 0 (no limit but the stage's size)
//   gates     failures {of: attempted, min_sample: 1}
//             accuracy {alpha: 5%, min_sample: 0, which is the gate's own minimum}
// A stage that lists gates has these instead of the plan's; a stage left without any gate gets
// failures {max: 5%}.
//
// Errors: BAD_PLAN. When nothing else is wrong: UNSUPPORTED_GATE, UNSUPPORTED_MODE,
// UNSUPPORTED_WINDOW.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/id.hpp"
#include "core/ratio.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "deploy/rollout/filter/filter.hpp"

namespace covey {

inline constexpr size_t kStagesMax = 32;
inline constexpr size_t kGatesMax = 16;
inline constexpr size_t kStrataMax = 4;

// ---- the document

// Exactly one member is set.
struct GateDocument {
  struct Failures {
    std::string max;
    std::string of;  // targeted | attempted | reported
    std::optional<uint32_t> min_sample;
  };
  struct Silence {
    std::string max;
  };
  struct Accuracy {
    std::string non_inferior_by;
    std::string alpha;
    std::string per;  // labels.KEY: judged for each value of the label too
    std::optional<uint32_t> min_sample;
  };
  struct Drift {
    std::string max_psi;  // "0.1"
  };
  struct Latency {
    std::string p95_max;
  };
  struct Agreement {
    std::string min;
  };

  std::optional<Failures> failures;
  std::optional<Silence> silence;
  std::optional<Accuracy> accuracy;
  std::optional<Drift> drift;
  std::optional<Latency> latency;
  std::optional<Agreement> agreement;
};

struct StageDocument {
  std::string name;
  std::string mode;  // ACTIVE | SHADOW
  std::string size;  // "5%" or "20"
  std::string soak;
  uint32_t max_in_flight = 0;
  std::string approval;  // required
  std::string window;
  std::string timeout;
  std::vector<GateDocument> gates;  // instead of the plan's
};

struct PlanDocument {
  std::string name;
  std::string release;
  std::string target;
  std::vector<std::string> strata;
  std::string holdback;
  std::string seed;
  std::vector<StageDocument> stages;
  std::vector<GateDocument> gates;
  std::string on_fail;  // ROLLBACK | PAUSE
  struct Attempt {
    std::string deadline;
    std::optional<uint32_t> retries;
    std::string backoff;
  };
  struct Offline {
    std::string skip_after;
  };
  Attempt attempt;
  Offline offline;
};

// ---- the plan

enum class Denominator : uint8_t { kTargeted, kAttempted, kReported };
enum class StageMode : uint8_t { kActive, kShadow };
enum class OnFail : uint8_t { kRollback, kPause };
std::string_view to_string(Denominator of);  // "targeted", ...: as in the document
std::string_view to_string(StageMode mode);
std::string_view to_string(OnFail action);

struct FailuresGate {
  Ratio max;
  Denominator of = Denominator::kAttempted;
  uint32_t min_sample = 1;
  bool operator==(const FailuresGate&) const = default;
};
struct SilenceGate {
  Ratio max;
  bool operator==(const SilenceGate&) const = default;
};
struct AccuracyGate {
  Ratio non_inferior_by;
  Ratio alpha = Ratio::percent(5);
  std::string per;          // label key without "labels.", or empty
  uint32_t min_sample = 0;  // labels per arm
  bool operator==(const AccuracyGate&) const = default;
};
struct DriftGate {
  Ratio max_psi;  // parts per million of PSI
  bool operator==(const DriftGate&) const = default;
};
using Gate = std::variant<FailuresGate, SilenceGate, AccuracyGate, DriftGate>;
std::string_view name_of(const Gate& gate);  // "failures", "silence", "accuracy", "drift"
// As a document would say it: "failures {max: 2%, of: attempted, min_sample: 20}".
std::string to_string(const Gate& gate);

struct StageSize {
  uint32_t count = 0;  // 0: `share` holds
  Ratio share;
  bool operator==(const StageSize&) const = default;
};
std::string to_string(const StageSize& size);

struct Stage {
  std::string name;
  StageMode mode = StageMode::kActive;
  StageSize size;
  Millis soak{0};
  uint32_t max_in_flight = 0;  // 0: no limit
  bool approval_required = false;
  Millis timeout{24h};      // longest wait for a decision after the soak, then INCONCLUSIVE
  std::vector<Gate> gates;  // at least one, each kind at most once
  bool operator==(const Stage&) const = default;
};

struct AttemptRules {
  Millis deadline{24h};
  uint32_t retries = 2;
  Millis backoff{10min};
  bool operator==(const AttemptRules&) const = default;
};

struct Plan {
  RolloutName name;
  ReleaseId release;
  Filter target;
  std::vector<std::string> strata;  // filter fields
  Ratio holdback;
  std::string seed;
  std::vector<Stage> stages;
  OnFail on_fail = OnFail::kRollback;
  AttemptRules attempt;
  Millis skip_after{24h * 7};
  bool operator==(const Plan&) const = default;
};

struct PlanProblem {
  std::string path;  // "spec.stages[1].size"
  std::string reason;
  std::string message;
  bool operator==(const PlanProblem&) const = default;
};

struct PlanReading {
  std::optional<Plan> plan;  // set when there are no problems
  std::vector<PlanProblem> problems;
};

PlanReading read_plan(const PlanDocument& document);
// The same with all problems in one Error, one line each: "spec.stages[1].size: ...".
Result<Plan> parse_plan(const PlanDocument& document);

}  // namespace covey
