// SPDX-License-Identifier: Apache-2.0
#include "core/bounded_queue.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace covey {
namespace {

TEST(BoundedQueue, refuses_when_full_and_leaves_the_item_untouched) {
  BoundedQueue<std::unique_ptr<int>> queue(2);
  EXPECT_TRUE(queue.try_push(std::make_unique<int>(1)));
  EXPECT_TRUE(queue.try_push(std::make_unique<int>(2)));
  auto third = std::make_unique<int>(3);
  EXPECT_FALSE(queue.try_push(std::move(third)));
  ASSERT_TRUE(third)
      << "the caller still owns what was refused";  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_EQ(*queue.pop_some(1).front(), 1);
  EXPECT_TRUE(queue.try_push(std::move(third)));
  EXPECT_EQ(queue.pop_some(10).size(), 2U);
  EXPECT_TRUE(queue.pop_some(10).empty());
}

TEST(BoundedQueue, a_closed_queue_can_be_emptied_but_not_filled) {
  BoundedQueue<int> queue(8);
  EXPECT_TRUE(queue.try_push(1));
  queue.close();
  EXPECT_FALSE(queue.try_push(2));
  EXPECT_EQ(queue.pop_some(8).size(), 1U);
}

TEST(BoundedQueue, keeps_each_producers_order_and_loses_nothing) {
  constexpr int kProducers = 4;
  constexpr int kItems = 2000;
  BoundedQueue<std::pair<int, int>> queue(64);
  std::vector<std::thread> producers;
  producers.reserve(kProducers);
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&queue, p] {
      for (int i = 0; i < kItems;) {
        if (queue.try_push({p, i})) {
          ++i;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  std::vector<int> next(kProducers, 0);
  for (int taken = 0; taken < kProducers * kItems;) {
    const auto batch = queue.pop_some(16);
    EXPECT_LE(batch.size(), 16U);
    for (const auto& [producer, item] : batch) {
      EXPECT_EQ(item, next[static_cast<size_t>(producer)]++);
      ++taken;
    }
    if (batch.empty()) std::this_thread::yield();
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(queue.size(), 0U);
}

}  // namespace
}  // namespace covey
