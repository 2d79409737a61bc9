// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/newest_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

namespace covey::runtime {
namespace {

TEST(NewestQueue, OfEachDeviceTheNewestWaitsInThePlaceOfTheFirst) {
  NewestQueue<int> queue;
  queue.put(DeviceId("a"), 1);
  queue.put(DeviceId("b"), 2);
  queue.put(DeviceId("a"), 3);
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_EQ(queue.take(), 3);
  queue.put(DeviceId("a"), 4);  // another turn
  EXPECT_EQ(queue.take(), 2);
  EXPECT_EQ(queue.take(), 4);
  EXPECT_EQ(queue.take(), std::nullopt);
}

TEST(NewestQueue, WhatWaitsIsForgottenWithTheConnection) {
  NewestQueue<int> queue;
  queue.put(DeviceId("a"), 1);
  queue.clear();
  EXPECT_EQ(queue.take(), std::nullopt);
}

TEST(NewestQueue, ManyThreadsPutAndTheNewestOfEachIsTaken) {
  NewestQueue<int> queue;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&queue, t] {
      for (int n = 1; n <= 1'000; ++n) queue.put(DeviceId("d" + std::to_string(t)), 1'000 * t + n);
    });
  }
  std::array<int, 4> last{};
  for (size_t taken = 0; taken < 500;) {
    const auto one = queue.take();
    if (!one) break;
    const auto of = static_cast<size_t>((*one - 1) / 1'000);
    EXPECT_GT(*one, last[of]);
    last[of] = *one;
    ++taken;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(queue.size(), 4U);
}

}  // namespace
}  // namespace covey::runtime
