// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/document/plan_values.hpp"

#include <fmt/format.h>

#include "core/duration.hpp"

namespace covey {

namespace {
constexpr size_t kProblemsMax = 50;  // a hostile document must not make a hostile answer
}

Ratio PlanValues::ratio(const std::string& text, const std::string& path,
                        std::optional<Ratio> fallback) {
  if (text.empty() && fallback) return *fallback;
  if (text.empty()) {
    bad(path, "is missing: write a share such as 5%");
    return {};
  }
  const Result<Ratio> value = parse_ratio(text);
  if (value) return *value;
  bad(path, value.error().message);
  return {};
}

Millis PlanValues::duration(const std::string& text, const std::string& path, Millis fallback) {
  if (text.empty()) return fallback;
  const Result<Millis> value = parse_duration(text);
  if (value) return *value;
  bad(path, value.error().message);
  return fallback;
}

void PlanValues::problem(std::string path, std::string reason, std::string message) {
  if (problems_.size() >= kProblemsMax) return;
  problems_.push_back({std::move(path), std::move(reason), std::move(message)});
}

std::string in_quotes(std::string_view text) { return fmt::format("'{}'", text.substr(0, 64)); }

std::string entry_of(std::string_view list, size_t index) {
  return fmt::format("{}[{}]", list, index);
}

}  // namespace covey
