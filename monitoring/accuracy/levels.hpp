// SPDX-License-Identifier: Apache-2.0
// How a test's alpha is divided: a part is for the boundary, the rest for the bets (boundary.hpp).
// An equal release is never far above the margin, so that bets win little; a bad one should be
// found early.
#pragma once

namespace covey::monitoring {

inline constexpr double kOfBoundaryToPass = 0.9;
inline constexpr double kOfBoundaryToFail = 0.5;

}  // namespace covey::monitoring
