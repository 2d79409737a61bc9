// SPDX-License-Identifier: Apache-2.0
// A version as firmware writes it: numbers with dots, as many as there are, then what SemVer 2.0
// calls pre-release and build. A leading v and leading zeros do no harm. Ordered as SemVer says;
// missing numbers are zero. Views: valid as long as the text. Any thread.
#pragma once

#include <compare>
#include <optional>
#include <string_view>
#include <vector>

namespace covey {

struct LooseVersion {
  std::vector<std::string_view> numbers;  // digits without leading zeros, at least one number
  std::vector<std::string_view> prerelease;
  std::string_view build;

  // nullopt: not a version ("r123").
  static std::optional<LooseVersion> parse(std::string_view text);
};

// Precedence: the build does not count.
std::weak_ordering precedence(const LooseVersion& a, const LooseVersion& b);

}  // namespace covey
