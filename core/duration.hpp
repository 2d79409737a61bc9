// SPDX-License-Identifier: Apache-2.0
// Durations as people write them: "250ms", "90s", "10m", "24h", "7d", "1h30m".
#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/time.hpp"

namespace covey {

// Errors: BAD_DURATION. At most ten years, never negative.
Result<Millis> parse_duration(std::string_view text);
// The shortest text that parse_duration reads back to the same value.
std::string to_string(Millis duration);

}  // namespace covey
