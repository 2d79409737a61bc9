// SPDX-License-Identifier: Apache-2.0
// Ratio: a share or a difference of shares in parts per million. Thresholds are integers, so that a
// verdict is replayable bit for bit.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace covey {

struct Ratio {
  int32_t ppm = 0;

  static constexpr Ratio percent(int32_t value) { return {value * 10'000}; }
  double as_double() const { return static_cast<double>(ppm) / 1e6; }
  auto operator<=>(const Ratio&) const = default;
};

// "5%", "0.5%", "2pp" (percentage points) or "0.02"; 0 to 100 %. Errors: BAD_RATIO.
Result<Ratio> parse_ratio(std::string_view text);
// "5%", "0.25%".
std::string to_string(Ratio ratio);

// part / whole > limit, exactly, without rounding. False when whole is 0.
bool exceeds(uint64_t part, uint64_t whole, Ratio limit);
// ceil(whole * ratio): sizes round up (docs/design/rollouts.md, "Order of devices").
uint64_t ceil_share(uint64_t whole, Ratio ratio);

}  // namespace covey
