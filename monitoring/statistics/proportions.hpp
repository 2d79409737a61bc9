// SPDX-License-Identifier: Apache-2.0
// Tables of two rows, exactly, and the sample that tells two shares apart.
// Thread safety: pure functions.
#pragma once

#include <array>
#include <cstdint>

namespace covey::monitoring {

// Fisher's exact test of the table {{a, b}, {c, d}}, two-sided: the probability of all tables with
// these margins that are no likelier than this one. Margins up to 2^53.
double fisher_exact(const std::array<std::array<uint64_t, 2>, 2>& table);

// Samples per arm with which a one-sided test of level alpha finds `other` instead of `p` with
// probability `power` (Fleiss 1981, without the correction for continuity). Not rounded. Infinite
// for equal shares.
double power_proportions(double p, double other, double alpha, double power);

}  // namespace covey::monitoring
