// SPDX-License-Identifier: Apache-2.0
// Thousands who watch cost the engine what one costs.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "gateway/adapters/grpc/feed.hpp"
#include "gateway/api/limits.hpp"
#include "tests/integration/grpc/local_engine.hpp"

namespace covey {
namespace {

struct Listener final : api::Feed::Watcher {
  void tell(const api::Feed::News& news) override {
    const std::lock_guard lock(mutex);
    newest = news;
    ++told;
    changed.notify_all();
  }
  uint64_t wait_for(uint64_t times) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, std::chrono::seconds(20), [&] { return told >= times; });
    return told;
  }
  std::mutex mutex;
  std::condition_variable changed;
  api::Feed::News newest;
  uint64_t told = 0;
};

TEST(Feed, three_thousand_watchers_are_one_question_to_the_engine) {
  Snapshot snapshot;
  snapshot.secrets = {{.number = 1, .sealed = Bytes(32, 1), .create_wall = Millis{0}}};
  test::LocalEngine engine(std::move(snapshot));
  api::Feed feed(engine);
  std::vector<std::shared_ptr<Listener>> listeners;
  const uint64_t before = engine.walks;
  for (int i = 0; i < 3'000; ++i) {
    listeners.push_back(std::make_shared<Listener>());
    ASSERT_NE(feed.add(RolloutName("first"), api::Via::kTcp, listeners.back()), 0U);
  }
  for (const auto& listener : listeners) ASSERT_GE(listener->wait_for(1), 1U);
  EXPECT_EQ(listeners[0]->newest.message, nullptr) << "there is no such rollout";
  EXPECT_LT(engine.walks - before, 100U);
}

TEST(Feed, what_is_full_is_full_and_a_place_comes_back) {
  Snapshot snapshot;
  snapshot.secrets = {{.number = 1, .sealed = Bytes(32, 1), .create_wall = Millis{0}}};
  test::LocalEngine engine(std::move(snapshot));
  api::Feed feed(engine);
  const auto listener = std::make_shared<Listener>();
  uint64_t last = 0;
  for (size_t i = 0; i < kWatchesMax; ++i) {
    last = feed.add(RolloutName("first"), api::Via::kTcp, listener);
    ASSERT_NE(last, 0U);
  }
  EXPECT_EQ(feed.add(RolloutName("first"), api::Via::kTcp, listener), 0U);
  EXPECT_NE(feed.add(RolloutName("first"), api::Via::kUnixSocket, listener), 0U)
      << "the owner has places of his own";
  feed.remove(last);
  EXPECT_NE(feed.add(RolloutName("first"), api::Via::kTcp, listener), 0U);
}

}  // namespace
}  // namespace covey
