// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/queries/uses.hpp"

#include <fmt/format.h>

#include <set>

namespace covey::engine {
namespace {

constexpr size_t kNamed = 5;

// "3 devices (a, b, c)"
std::string counted(const std::set<std::string>& names, std::string_view one,
                    std::string_view many) {
  std::string list;
  size_t named = 0;
  for (const std::string& name : names) {
    if (named++ == kNamed) break;
    list += (list.empty() ? "" : ", ") + name;
  }
  if (names.size() > kNamed) list += fmt::format(" and {} more", names.size() - kNamed);
  return fmt::format("{} {} ({})", names.size(), names.size() == 1 ? one : many, list);
}

class Uses {
 public:
  Uses(const State& state, const ReleaseRecord& release) : state_(state), release_(release) {
    for (const ArtifactRecord& record : release.artifacts) {
      manifests_.insert(record.artifact->digest);
    }
  }

  std::string text() const {
    std::string all;
    const auto add = [&](const std::set<std::string>& names, std::string_view one,
                         std::string_view many, std::string_view advice) {
      if (names.empty()) return;
      all += fmt::format("{}{}: {}", all.empty() ? "" : "; ", counted(names, one, many), advice);
    };
    add(devices(), "device has it", "devices have it",
        "give them another release, or `covey device remove`");
    add(rollouts(), "rollout needs it", "rollouts need it",
        "wait until it has ended and can't be rolled back any more");
    add(assignments(), "assignment keeps it", "assignments keep it",
        "roll out another release to that target");
    return all;
  }

 private:
  bool is(const std::optional<Digest>& manifest) const {
    return manifest && manifests_.contains(*manifest);
  }

  bool has(const DeviceModel& model) const {
    const ModelReport& reported = model.reported;
    return is(reported.confirmed) || is(reported.active) || is(reported.candidate) ||
           is(reported.fallback) || is(model.desired) ||
           (model.ordered && (is(model.ordered->confirmed) || is(model.ordered->candidate)));
  }

  // Who was rejected or decommissioned is none of ours.
  std::set<std::string> devices() const {
    std::set<std::string> names;
    for (const auto& [id, device] : state_.fleet.devices) {
      if (device.state == DeviceState::kRejected) continue;
      if (device.state == DeviceState::kDecommissioned) continue;
      const auto model = device.models.find(release_.id.model);
      if (model != device.models.end() && has(model->second)) names.insert(id.str());
    }
    return names;
  }

  std::set<std::string> rollouts() const {
    const RolloutsState& rollouts = state_.rollouts;
    std::set<std::string> names;
    for (const std::set<RolloutName>* some : {&rollouts.open, &rollouts.unsettled}) {
      for (const RolloutName& name : *some) {
        if (rollouts.by_name.at(name).plan->rules.release == release_.id) names.insert(name.str());
      }
    }
    // What a rollout would bring devices back to.
    for (const auto& [number, deployment] : rollouts.deployments) {
      if (!deployment.rollout || !is(deployment.previous)) continue;
      const bool over = !rollouts.open.contains(*deployment.rollout) &&
                        !rollouts.unsettled.contains(*deployment.rollout);
      if (!over) names.insert(deployment.rollout->str());
    }
    return names;
  }

  std::set<std::string> assignments() const {
    std::set<std::string> names;
    for (const AssignmentRecord& assignment : state_.rollouts.assignments) {
      if (assignment.release != release_.id) continue;
      names.insert(fmt::format("of rollout {}, target {}", assignment.rollout.str(),
                               assignment.target.empty() ? "all" : assignment.target));
    }
    return names;
  }

  const State& state_;
  const ReleaseRecord& release_;
  std::set<Digest> manifests_;
};

}  // namespace

Status refuse_used(const State& state, const ReleaseRecord& release) {
  const std::string uses = Uses(state, release).text();
  if (uses.empty()) return {};
  return precondition("RELEASE_IN_USE", to_string(release.id) + " is in use: " + uses);
}

}  // namespace covey::engine
