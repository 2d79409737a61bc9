// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/chunk_queue.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace covey::runtime {
namespace {

engine::PublishChunks wish(const std::string& device, std::vector<uint32_t> indexes) {
  return {.device = DeviceId(device), .indexes = std::move(indexes)};
}

// "a:1,2 b:1", part by part.
std::string drained(ChunkQueue& queue, size_t chunks_max) {
  std::string text;
  while (const auto some = queue.take(chunks_max)) {
    text += (text.empty() ? "" : " ") + some->device.str() + ":";
    for (size_t i = 0; i < some->indexes.size(); ++i) {
      text += (i == 0 ? "" : ",") + std::to_string(some->indexes[i]);
    }
  }
  return text;
}

TEST(ChunkQueue, DevicesAreServedInTurns) {
  ChunkQueue queue;
  queue.put(wish("a", {1, 2, 3}));
  queue.put(wish("b", {7}));
  queue.put(wish("c", {4, 5}));
  EXPECT_EQ(queue.chunks(), 6U);
  EXPECT_EQ(drained(queue, 2), "a:1,2 b:7 c:4,5 a:3");
  EXPECT_EQ(queue.chunks(), 0U);
}

TEST(ChunkQueue, WhoAsksAgainIsSentItOnceAndKeepsItsTurn) {
  ChunkQueue queue;
  queue.put(wish("a", {1, 2, 3}));
  queue.put(wish("b", {1}));
  ASSERT_TRUE(queue.take(2));
  queue.put(wish("a", {2, 3}));  // 2 was lost on its way, or is on it
  EXPECT_EQ(queue.chunks(), 3U);
  EXPECT_EQ(drained(queue, 8), "b:1 a:2,3");
}

TEST(ChunkQueue, WhatWaitsIsForgottenWithTheConnection) {
  ChunkQueue queue;
  queue.put(wish("a", {1, 2}));
  queue.clear();
  EXPECT_EQ(queue.chunks(), 0U);
  queue.put(wish("a", {9}));
  EXPECT_EQ(drained(queue, 8), "a:9");
}

TEST(ChunkQueue, OneThreadPutsWhileAnotherTakes) {
  constexpr uint32_t kWishes = 20'000;
  ChunkQueue queue;
  std::thread putter([&queue] {
    for (uint32_t i = 0; i < kWishes; ++i) {
      queue.put(wish("d" + std::to_string(i % 50), {2 * i, 2 * i + 1}));
    }
    queue.put(wish("last", {0}));
  });
  bool last = false;
  while (!last) {
    if (const auto some = queue.take(1)) last = some->device == DeviceId("last");
  }
  putter.join();
  EXPECT_LE(queue.chunks(), 50U * 2U);
}

}  // namespace
}  // namespace covey::runtime
