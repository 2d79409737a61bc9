// SPDX-License-Identifier: Apache-2.0
// What a gate concludes. Missing or contradicting evidence is never kPass
// (docs/design/rollouts.md, "Gates").
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace covey {

enum class Verdict : uint8_t { kPass, kFail, kInconclusive, kError };
// PASS, FAIL, INCONCLUSIVE, ERROR
std::string_view to_string(Verdict verdict);
std::optional<Verdict> parse_verdict(std::string_view text);

// Precedence, written once: fail > error > inconclusive > pass. No verdict at all is inconclusive.
Verdict combine(std::span<const Verdict> verdicts);
Verdict combine(Verdict a, Verdict b);

}  // namespace covey
