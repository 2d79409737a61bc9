// SPDX-License-Identifier: Apache-2.0
// rollout.offer_rate is a rate, whatever it is and however often the engine ticks.
#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/coveyd/engine_config.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

constexpr int kDevices = 150;
constexpr Millis kSpan{4'000};

int offered_in(Millis span, uint32_t rate, Millis tick) {
  config::Config config;
  config.rollout.offer_rate = rate;
  Site site(engine_config_of(config));
  site.push({1, 0, 0});
  site.join_many("d", kDevices);
  site.pass(1s, tick);
  EXPECT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  site.pass(span, tick);
  const auto& deployments = site.state().rollouts.deployments;
  return static_cast<int>(std::count_if(
      deployments.begin(), deployments.end(),
      [](const auto& entry) { return entry.second.state == DeploymentState::kOffered; }));
}

TEST(OfferRate, IsWhatTheConfigurationSays) {
  for (const uint32_t rate : {1U, 7U, 15U, 25U}) {
    for (const Millis tick : {50ms, 100ms, 250ms, 1000ms}) {
      const int expected = static_cast<int>(rate * kSpan.count() / 1000);
      // What nobody took before may be kept for one tick, of a tenth of a second or of its length.
      EXPECT_NEAR(offered_in(kSpan, rate, tick), expected, 1 + static_cast<int>(rate) / 10)
          << rate << " per second, a tick every " << tick.count() << " ms";
    }
  }
}

}  // namespace
}  // namespace covey::test
