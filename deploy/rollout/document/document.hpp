// SPDX-License-Identifier: Apache-2.0
// A rollout plan as people write it: shares, durations and enums as text, the same strings in a
// YAML file, in the API's RolloutSpec and in the store. Nothing is interpreted here (plan.hpp).
// Every mapping goes by fields() (core/fields.hpp), so that a new field is one member and one line.
// Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/fields.hpp"
#include "deploy/rollout/gates/gates.hpp"

namespace covey {

inline constexpr size_t kStagesMax = 32;
inline constexpr size_t kStrataMax = 4;

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
  bool operator==(const StageDocument&) const = default;
};

void fields(auto& visit, Like<StageDocument> auto& document) {
  auto& [name, mode, size, soak, max_in_flight, approval, window, timeout, gates] = document;
  visit("name", name);
  visit("mode", mode);
  visit("size", size);
  visit("soak", soak);
  visit("max_in_flight", max_in_flight);
  visit("approval", approval);
  visit("window", window);
  visit("timeout", timeout);
  visit("gates", gates);
}

struct PlanDocument {
  std::string name;  // metadata.name, beside the spec
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
    bool operator==(const Attempt&) const = default;
  };
  struct Offline {
    std::string skip_after;
    bool operator==(const Offline&) const = default;
  };
  Attempt attempt;
  Offline offline;
  std::string source;  // where it was made: a commit, a pipeline
  bool operator==(const PlanDocument&) const = default;
};

void fields(auto& visit, Like<PlanDocument::Attempt> auto& document) {
  auto& [deadline, retries, backoff] = document;
  visit("deadline", deadline);
  visit("retries", retries);
  visit("backoff", backoff);
}

void fields(auto& visit, Like<PlanDocument::Offline> auto& document) {
  auto& [skip_after] = document;
  visit("skip_after", skip_after);
}

// All but the name, which YAML and the API have elsewhere.
void spec_fields(auto& visit, Like<PlanDocument> auto& document) {
  auto& [name, release, target, strata, holdback, seed, stages, gates, on_fail, attempt, offline,
         source] = document;
  visit("release", release);
  visit("target", target);
  visit("strata", strata);
  visit("holdback", holdback);
  visit("seed", seed);
  visit("stages", stages);
  visit("gates", gates);
  visit("on_fail", on_fail);
  visit("attempt", attempt);
  visit("offline", offline);
  visit("source", source);
}

void fields(auto& visit, Like<PlanDocument> auto& document) {
  visit("name", document.name);
  spec_fields(visit, document);
}

// The most entries that a list of T may have.
template <typename T>
inline constexpr size_t kEntriesMax = 0;
template <>
inline constexpr size_t kEntriesMax<std::string> = kStrataMax;
template <>
inline constexpr size_t kEntriesMax<StageDocument> = kStagesMax;
template <>
inline constexpr size_t kEntriesMax<GateDocument> = kGatesMax;

// Of the document's own text, every field: what a client that repeats itself repeats.
Digest digest_of(const PlanDocument& document);

}  // namespace covey
