// SPDX-License-Identifier: Apache-2.0
#include "core/duration.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace covey {
namespace {
struct Unit {
  std::string_view suffix;
  int64_t ms;
};
constexpr std::array<Unit, 5> kUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr int64_t kMaxMs = 10LL * 366 * 86'400'000;

Error bad_duration(std::string_view text) {
  return invalid("BAD_DURATION", "'" + std::string(text.substr(0, 40)) +
                                     "' is not a duration: write for example 250ms, 90s, 10m, 24h "
                                     "or 1h30m (at most ten years)");
}
}  // namespace

Result<Millis> parse_duration(std::string_view text) {
  const std::string_view whole = text;
  if (text == "0") return Millis{0};
  if (text.empty()) return bad_duration(whole);
  int64_t total = 0;
  while (!text.empty()) {
    int64_t number = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (status != std::errc{} || number < 0) return bad_duration(whole);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    size_t letters = 0;
    while (letters < text.size() && text[letters] >= 'a' && text[letters] <= 'z') ++letters;
    const std::string_view suffix = text.substr(0, letters);
    text.remove_prefix(letters);
    int64_t unit_ms = 0;
    for (const Unit& unit : kUnits) {
      if (unit.suffix == suffix) unit_ms = unit.ms;
    }
    if (unit_ms == 0 || number > kMaxMs / unit_ms) return bad_duration(whole);
    total += number * unit_ms;
    if (total > kMaxMs) return bad_duration(whole);
  }
  return Millis{total};
}

std::string to_string(Millis duration) {
  int64_t rest = duration.count();
  if (rest == 0) return "0s";
  std::string text;
  if (rest < 0) {
    text = "-";
    rest = -rest;
  }
  for (const Unit& unit : kUnits) {
    if (rest / unit.ms > 0) {
      text += std::to_string(rest / unit.ms);
      text += unit.suffix;
      rest %= unit.ms;
    }
  }
  return text;
}

}  // namespace covey
