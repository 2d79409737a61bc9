// SPDX-License-Identifier: Apache-2.0
#include "cli/rollout_selection.hpp"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <array>
#include <vector>

#include "cli/show/output.hpp"
#include "core/nearest.hpp"

namespace covey::cli {
namespace {

constexpr std::array<FilterField, 6> kFields{{{"name", FieldKind::kText},
                                              {"state", FieldKind::kText},
                                              {"reason", FieldKind::kText},
                                              {"release", FieldKind::kText},
                                              {"model", FieldKind::kText},
                                              {"creator", FieldKind::kText}}};

std::vector<std::string> states() {
  std::vector<std::string> words;
  const google::protobuf::EnumDescriptor& all = *v1::RolloutState_descriptor();
  for (int i = 1; i < all.value_count(); ++i) words.push_back(word(all.value(i)->name()));
  return words;
}

class Subject : public FilterSubject {
 public:
  explicit Subject(const v1::Rollout& rollout) : rollout_(rollout) {}
  std::optional<std::string> find(std::string_view field) const override {
    const std::string& release = rollout_.spec().release();
    if (field == "name") return id_of(rollout_.name());
    if (field == "state") return word(v1::RolloutState_Name(rollout_.state()));
    if (field == "reason") return rollout_.reason();
    if (field == "release") return release;
    if (field == "model") return release.substr(0, release.find('@'));
    if (field == "creator") return rollout_.creator();
    return std::nullopt;
  }

 private:
  const v1::Rollout& rollout_;
};

}  // namespace

Result<RolloutSelection> RolloutSelection::parse(const std::string& state,
                                                 const std::string& filter) {
  RolloutSelection selection;
  Result<Filter> parsed = Filter::parse(filter, kFields);
  if (!parsed) {
    return invalid(parsed.error().reason, fmt::format("--filter: {}", parsed.error().message));
  }
  selection.filter_ = *std::move(parsed);
  if (state.empty()) return selection;
  selection.state_ = state;
  for (char& c : selection.state_) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  const std::vector<std::string> known = states();
  if (std::find(known.begin(), known.end(), selection.state_) != known.end()) return selection;
  return invalid("BAD_STATE",
                 fmt::format("--state: '{}' is no state of a rollout: they are {}{}", state,
                             fmt::join(known, ", "), did_you_mean(state, known)));
}

v1::ListRolloutsResponse RolloutSelection::of(const v1::ListRolloutsResponse& all) const {
  std::vector<const v1::Rollout*> chosen;
  for (const v1::Rollout& rollout : all.rollouts()) {
    const bool of_state = state_.empty() || word(v1::RolloutState_Name(rollout.state())) == state_;
    if (of_state && filter_.matches(Subject(rollout))) chosen.push_back(&rollout);
  }
  std::stable_sort(chosen.begin(), chosen.end(), [](const v1::Rollout* a, const v1::Rollout* b) {
    return a->create_time_ms() > b->create_time_ms();
  });
  v1::ListRolloutsResponse out;
  for (const v1::Rollout* rollout : chosen) *out.add_rollouts() = *rollout;
  return out;
}

}  // namespace covey::cli
