// SPDX-License-Identifier: Apache-2.0
// Two shares side by side, as long as one likes: e-processes for labels without device effects
// (Turner, Ly, Gruenwald 2024, "Generic E-variables for exact sequential k-sample tests"). The
// capital that bets against "both shares are the same" has won; by 1/alpha that is rejected.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace covey::monitoring {

struct TwoSampleBlock {
  uint64_t right_a = 0;
  uint64_t n_a = 0;
  uint64_t right_b = 0;
  uint64_t n_b = 0;
};
struct BetaPrior {
  double right = 0.18;
  double wrong = 0.18;
};
// ln of the capital after each block: the shares of the next are bet on as the blocks so far say.
std::vector<double> two_sample_log_capital(std::span<const TwoSampleBlock> blocks,
                                           const BetaPrior& a = {}, const BetaPrior& b = {});

// Given how many of a block are right in all, only the odds of both sides matter. Capital after
// each block that bets on the odds ratio exp(log_odds), and on log odds that are normal around 0.
std::vector<double> odds_capital(std::span<const TwoSampleBlock> blocks, double log_odds);
std::vector<double> normal_odds_capital(std::span<const TwoSampleBlock> blocks, double sd);

}  // namespace covey::monitoring
