// SPDX-License-Identifier: Apache-2.0
// A lane: one thread, a bounded queue, an end in time.
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <future>
#include <memory>

#include "gateway/runtime/lane.hpp"

namespace covey::test {
namespace {

using runtime::Lane;

// Occupies a lane until it is let go.
struct Hold {
  explicit Hold(Lane& lane) {
    EXPECT_TRUE(lane.post([this] {
      inside.set_value();
      go_on.get_future().get();
    }));
    inside.get_future().get();
  }
  std::promise<void> inside;
  std::promise<void> go_on;
};

TEST(Lane, RunsInOrderOnAThreadWithItsName) {
  Lane lane("a-name-that-is-too-long", 100);
  std::vector<int> order;
  std::array<char, 16> name{};
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(lane.post([&order, i] { order.push_back(i); }));
  std::promise<void> done;
  EXPECT_TRUE(lane.post([&] {
    pthread_getname_np(pthread_self(), name.data(), name.size());
    done.set_value();
  }));
  done.get_future().get();
  EXPECT_EQ(order.size(), 50U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_STREQ(name.data(), "a-name-that-is-");
}

TEST(Lane, RefusesWhatDoesNotFitAndTakesAgain) {
  Lane lane("lane", 2);
  Hold hold(lane);
  EXPECT_TRUE(lane.post([] {}));
  EXPECT_TRUE(lane.post([] {}));
  EXPECT_FALSE(lane.post([] { FAIL(); }));
  EXPECT_EQ(lane.queued(), 2U);
  hold.go_on.set_value();
  while (lane.queued() > 0) std::this_thread::yield();
  EXPECT_TRUE(lane.post([] {}));
}

TEST(Lane, FinishesWhatItHasInTime) {
  Lane lane("lane", 10);
  int run = 0;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(lane.post([&run] { ++run; }));
  lane.stop(30s);
  EXPECT_EQ(run, 10);
  EXPECT_FALSE(lane.post([] { FAIL(); }));
  lane.stop(30s);  // twice is harmless
}

TEST(Lane, DestroysUnrunWhatTheDeadlineLeft) {
  Lane lane("lane", SIZE_MAX);
  auto kept = std::make_shared<int>(0);
  Hold hold(lane);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(lane.post([kept] { FAIL(); }));
  }
  std::future<void> stopped = std::async(std::launch::async, [&] { lane.stop(0ms); });
  while (lane.post([] { FAIL(); })) std::this_thread::yield();  // until it is stopping
  hold.go_on.set_value();
  stopped.get();
  EXPECT_EQ(kept.use_count(), 1);
}

}  // namespace
}  // namespace covey::test
