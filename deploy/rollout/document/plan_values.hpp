// SPDX-License-Identifier: Apache-2.0
// Values of a plan document, and every problem that was found with them, each with its path. The
// readers of the document's parts (plan_reader.cpp, a file per gate) share one. Not thread safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ratio.hpp"
#include "core/time.hpp"

namespace covey {

struct PlanProblem {
  std::string path;  // "spec.stages[1].size"
  std::string reason;
  std::string message;
  bool operator==(const PlanProblem&) const = default;
};

class PlanValues {
 public:
  // Empty text: `fallback`, or a problem where there is none.
  Ratio ratio(const std::string& text, const std::string& path, std::optional<Ratio> fallback);
  Millis duration(const std::string& text, const std::string& path, Millis fallback);

  void problem(std::string path, std::string reason, std::string message);
  void bad(std::string path, std::string message) {
    problem(std::move(path), "BAD_PLAN", std::move(message));
  }
  std::vector<PlanProblem>& problems() { return problems_; }

 private:
  std::vector<PlanProblem> problems_;
};

// As it is quoted in a message: 'text', cut where it is long.
std::string in_quotes(std::string_view text);
// "spec.stages" and 1: "spec.stages[1]".
std::string entry_of(std::string_view list, size_t index);

}  // namespace covey
