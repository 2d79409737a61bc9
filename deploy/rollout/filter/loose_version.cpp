// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/filter/loose_version.hpp"

#include <algorithm>

namespace covey {
namespace {

constexpr size_t kNumbersMax = 8;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_identifier(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

std::string_view without_zeros(std::string_view digits) {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

// The part up to the next dot, which goes with it.
std::string_view take_part(std::string_view& text) {
  const size_t dot = text.find('.');
  const std::string_view part = text.substr(0, dot);
  text.remove_prefix(dot == std::string_view::npos ? text.size() : dot + 1);
  return part;
}

bool all(std::string_view text, bool (*is)(char)) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is);
}

// Numbers of any length: the longer one is the larger.
std::weak_ordering compare_digits(std::string_view a, std::string_view b) {
  a = without_zeros(a);
  b = without_zeros(b);
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

// SemVer 2.0, 11.4: numbers below texts, fewer below more.
std::weak_ordering compare_prerelease(std::string_view a, std::string_view b) {
  const bool number_a = all(a, is_digit);
  const bool number_b = all(b, is_digit);
  if (number_a && number_b) return compare_digits(a, b);
  if (number_a != number_b)
    return number_a ? std::weak_ordering::less : std::weak_ordering::greater;
  return a.compare(b) <=> 0;
}

}  // namespace

std::optional<LooseVersion> LooseVersion::parse(std::string_view text) {
  LooseVersion version;
  if (!text.empty() && (text.front() == 'v' || text.front() == 'V')) text.remove_prefix(1);
  if (const size_t plus = text.find('+'); plus != std::string_view::npos) {
    version.build = text.substr(plus + 1);
    if (version.build.empty()) return std::nullopt;
    text = text.substr(0, plus);
  }
  std::string_view prerelease;
  if (const size_t dash = text.find('-'); dash != std::string_view::npos) {
    prerelease = text.substr(dash + 1);
    if (prerelease.empty() || prerelease.back() == '.') return std::nullopt;
    text = text.substr(0, dash);
  }
  if (text.empty() || text.back() == '.') return std::nullopt;
  while (!text.empty()) {
    const std::string_view part = take_part(text);
    if (!all(part, is_digit) || version.numbers.size() == kNumbersMax) return std::nullopt;
    version.numbers.push_back(without_zeros(part));
  }
  while (!prerelease.empty()) {
    const std::string_view part = take_part(prerelease);
    if (!all(part, is_identifier)) return std::nullopt;
    version.prerelease.push_back(part);
  }
  return version;
}

std::weak_ordering precedence(const LooseVersion& a, const LooseVersion& b) {
  for (size_t i = 0; i < std::max(a.numbers.size(), b.numbers.size()); ++i) {
    const auto order = compare_digits(i < a.numbers.size() ? a.numbers[i] : "",
                                      i < b.numbers.size() ? b.numbers[i] : "");
    if (order != 0) return order;
  }
  if (a.prerelease.empty() != b.prerelease.empty()) {
    return a.prerelease.empty() ? std::weak_ordering::greater : std::weak_ordering::less;
  }
  for (size_t i = 0; i < std::min(a.prerelease.size(), b.prerelease.size()); ++i) {
    const auto order = compare_prerelease(a.prerelease[i], b.prerelease[i]);
    if (order != 0) return order;
  }
  return a.prerelease.size() <=> b.prerelease.size();
}

}  // namespace covey
