// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

constexpr uint64_t kOffer = 1'000;  // a credit of one
constexpr Millis kSpanMax = 5s;     // that one tick is paid for
constexpr uint64_t kKeptMs = 100;   // what nobody took of this long, or one offer, is kept

}  // namespace

void earn(Turn& turn, Millis passed) {
  RolloutsState& rollouts = own_rollouts(turn);
  const double bytes = static_cast<double>(turn.config.bandwidth_bytes_per_s);
  const double earned = static_cast<double>(passed.count()) / 1000.0 * bytes;
  rollouts.bandwidth_tokens = std::min(rollouts.bandwidth_tokens + earned, bytes);
  // Offers per second, times milliseconds: thousandths.
  const uint64_t rate = turn.config.offers_per_s;
  const auto span = static_cast<uint64_t>(std::clamp(passed, Millis{0}, kSpanMax).count());
  rollouts.offer_credit =
      std::min(rollouts.offer_credit, std::max(kOffer, rate * kKeptMs)) + rate * span;
}

uint32_t offers_left(const State& state) {
  return std::min({static_cast<uint32_t>(state.rollouts.offer_credit / kOffer),
                   transfers_left(state), tellings_left(state)});
}

void spend_offers(Turn& turn, uint32_t offers) {
  uint64_t& credit = own_rollouts(turn).offer_credit;
  credit -= std::min(credit, offers * kOffer);
}

}  // namespace covey::engine
