// SPDX-License-Identifier: Apache-2.0
// Times that the tests of this folder play in.
#pragma once

#include "core/time.hpp"

namespace covey::tls {

inline constexpr Millis kDay{24h};
inline constexpr Millis kNow{1'790'000'000'000};  // 2026-09-21

}  // namespace covey::tls
