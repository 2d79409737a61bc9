// SPDX-License-Identifier: Apache-2.0
// Which side of a rollout a device's counts belong to while it is on: those that it has offered the
// release and that run it (canary), the others of its order (control), and everybody else (fleet).
// Kept and shown as text, which stays what it is: "fleet", "NAME/canary", "NAME/control"; cohorts
// sort by it. Values; any thread.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "core/id.hpp"

namespace covey {

class Cohort {
 public:
  Cohort() = default;  // the fleet
  static Cohort canary(const RolloutName& rollout);
  static Cohort control(const RolloutName& rollout);

  const std::string& text() const { return text_; }
  auto operator<=>(const Cohort&) const = default;

 private:
  explicit Cohort(std::string text) : text_(std::move(text)) {}
  friend std::optional<Cohort> parse_cohort(std::string_view text);

  std::string text_ = "fleet";
};

// nullopt: not such a text.
std::optional<Cohort> parse_cohort(std::string_view text);

}  // namespace covey
