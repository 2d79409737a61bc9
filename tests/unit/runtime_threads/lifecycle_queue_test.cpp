// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/lifecycle_queue.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <thread>

#include "gateway/runtime/inbox.hpp"

namespace covey::runtime {
namespace {

using engine::ByeMessage;
using engine::DeviceMessage;
using engine::EnrollReceived;
using engine::Event;
using engine::FetchMessage;
using engine::FromDevice;
using engine::HelloMessage;
using engine::StatusMessage;

Event from(const std::string& device, DeviceMessage message) {
  return FromDevice{.device = DeviceId(device), .message = std::move(message), .payload = {}};
}
Event hello(const std::string& device, uint64_t boot = 1, uint64_t uptime_ms = 0) {
  return from(device, HelloMessage{.boot_id = boot, .uptime_ms = uptime_ms});
}
Event status(const std::string& device, uint32_t number, uint64_t boot = 1) {
  return from(device, StatusMessage{.boot_id = boot, .number = number});
}
Event fetch(const std::string& device, uint32_t first, uint8_t model = 0) {
  FetchMessage message{.first = first, .bitmap = 1};
  message.manifest.bytes[0] = model;
  return from(device, message);
}
Event bye(const std::string& device, uint32_t connection = 1) {
  return from(device, ByeMessage{.boot_id = 1, .connection = connection});
}
Event enroll(const std::string& device, uint64_t nonce = 1) {
  return EnrollReceived{DeviceId(device), {.device = DeviceId(device), .nonce = nonce}};
}

struct Word {
  std::string operator()(const HelloMessage& m) const {
    return fmt::format("hello{}.{}", m.boot_id, m.uptime_ms);
  }
  std::string operator()(const StatusMessage& m) const { return fmt::format("status{}", m.number); }
  std::string operator()(const FetchMessage& m) const { return fmt::format("fetch{}", m.first); }
  std::string operator()(const ByeMessage& m) const { return fmt::format("bye{}", m.connection); }
};
std::string word(const Event& event) {
  if (const auto* said = std::get_if<FromDevice>(&event)) {
    return said->device.str() + ":" + std::visit(Word{}, said->message);
  }
  const auto& enroll = std::get<EnrollReceived>(event);
  return fmt::format("{}:enroll{}", enroll.device.str(), enroll.message.nonce);
}

class LifecycleQueueTest : public testing::Test {
 protected:
  void put(Event event) { ASSERT_TRUE(queue.push(std::move(event))); }
  std::string drained(size_t at_once = 100) {
    std::string text;
    while (queue.size() > 0) {
      for (const Event& event : queue.pop_some(at_once)) {
        text += (text.empty() ? "" : " ") + word(event);
      }
    }
    return text;
  }
  uint64_t drops(LifecycleDrop drop) const { return queue.drops()[static_cast<size_t>(drop)]; }

  LifecycleQueue queue{8};
};

TEST_F(LifecycleQueueTest, ADevicesNewestWordTakesThePlaceOfTheOlder) {
  put(hello("a", 1, 10));
  put(fetch("b", 0));
  put(hello("a", 1, 20));
  put(fetch("b", 4));
  put(status("b", 1));
  put(status("b", 2));
  EXPECT_EQ(queue.size(), 3U);
  EXPECT_EQ(drops(LifecycleDrop::kRepeated), 3U);
  EXPECT_EQ(drained(), "a:hello1.20 b:fetch4 b:status2");
}

TEST_F(LifecycleQueueTest, WhoSpeaksAgainKeepsItsTurnAndItsOrder) {
  put(status("a", 1));
  put(fetch("a", 0));
  put(hello("b"));
  put(status("a", 2));  // before b, as the first was; after the fetch, as it was said
  EXPECT_EQ(drained(1), "a:fetch0 a:status2 b:hello1.0");
}

TEST_F(LifecycleQueueTest, OnlyWhatSaysTheSameIsReplaced) {
  put(hello("a", 1));
  put(hello("a", 2));  // another boot, or another device under this name
  put(fetch("a", 0, 1));
  put(fetch("a", 8, 2));  // another model
  put(enroll("b", 1));
  put(enroll("b", 2));
  EXPECT_EQ(drained(), "a:hello1.0 a:hello2.0 a:fetch0 a:fetch8 b:enroll1 b:enroll2");
  EXPECT_EQ(drops(LifecycleDrop::kRepeated), 0U);
}

TEST_F(LifecycleQueueTest, AnOlderStatusThatComesLaterIsNotKept) {
  put(status("a", 7));
  put(status("a", 6));
  EXPECT_EQ(drained(), "a:status7");
  EXPECT_EQ(drops(LifecycleDrop::kRepeated), 1U);
}

TEST_F(LifecycleQueueTest, ADeviceThatHasGoneIsSentNoChunks) {
  put(hello("a"));
  put(fetch("a", 0));
  put(status("a", 3));
  put(bye("a"));
  put(bye("a"));
  put(fetch("b", 0));
  EXPECT_EQ(drained(), "a:hello1.0 a:status3 a:bye1 b:fetch0");
  EXPECT_EQ(drops(LifecycleDrop::kGone), 1U);
}

TEST_F(LifecycleQueueTest, TheLastOneThatHasGoneLeavesItsTurnToItsBye) {
  put(fetch("a", 0));
  put(hello("b"));
  put(bye("a"));
  EXPECT_EQ(drained(), "a:bye1 b:hello1.0");
}

TEST_F(LifecycleQueueTest, WhenItIsFullTheLeastUsefulGoes) {
  put(enroll("e1"));
  put(enroll("e2"));
  put(hello("h1"));
  put(hello("h2"));
  put(fetch("f1", 0));
  put(status("s1", 1));
  put(status("s2", 1));
  put(bye("b1"));
  EXPECT_FALSE(queue.push(enroll("e3"))) << "nothing less useful waits";
  put(hello("h3"));      // instead of e2
  put(fetch("f2", 0));   // instead of e1
  put(status("s3", 1));  // instead of h3, the newest hello
  put(bye("b2"));
  put(bye("b3"));
  EXPECT_EQ(queue.size(), 8U);
  EXPECT_EQ(drops(LifecycleDrop::kFullEnroll), 3U);
  EXPECT_EQ(drops(LifecycleDrop::kFullHello), 3U);
  EXPECT_EQ(drained(),
            "f1:fetch0 s1:status1 s2:status1 b1:bye1 f2:fetch0 s3:status1 b2:bye1 b3:bye1");
}

TEST_F(LifecycleQueueTest, ARepetitionNeedsNoRoomInAFullOne) {
  for (int i = 0; i < 8; ++i) put(hello("h" + std::to_string(i)));
  put(hello("h3", 1, 99));
  EXPECT_EQ(queue.size(), 8U);
  EXPECT_EQ(drops(LifecycleDrop::kFullHello), 0U);
  EXPECT_FALSE(queue.push(hello("h9")));
}

TEST(LifecycleQueue, OneDeviceHasNoMoreThanItsShare) {
  LifecycleQueue queue(1'000);
  uint64_t taken = 0;
  for (uint32_t i = 0; i < 500; ++i) taken += queue.push(bye("liar", i)) ? 1 : 0;
  for (uint32_t i = 0; i < 500; ++i) taken += queue.push(hello("liar", i + 1)) ? 1 : 0;
  EXPECT_LE(taken, 32U);
  EXPECT_EQ(queue.size(), taken);
  EXPECT_EQ(queue.drops()[static_cast<size_t>(LifecycleDrop::kShare)], 1'000 - taken);
  EXPECT_TRUE(queue.push(hello("honest")));
}

TEST(LifecycleQueue, WhatIsKeptOfADeviceStaysInOrder) {
  // Whatever comes and goes: numbers rise, so what is taken of a device must rise, too.
  std::mt19937 random(7);
  LifecycleQueue queue(40);
  std::map<std::string, uint32_t> last;
  uint64_t taken = 0;
  const auto take = [&](size_t limit) {
    for (const Event& event : queue.pop_some(limit)) {
      const auto* said = std::get_if<FromDevice>(&event);
      ASSERT_NE(said, nullptr);
      uint32_t number = 0;
      if (const auto* m = std::get_if<HelloMessage>(&said->message)) number = m->status_number;
      if (const auto* m = std::get_if<StatusMessage>(&said->message)) number = m->number;
      if (const auto* m = std::get_if<FetchMessage>(&said->message)) number = m->first;
      if (const auto* m = std::get_if<ByeMessage>(&said->message)) number = m->connection;
      EXPECT_GT(number, last[said->device.str()]);
      last[said->device.str()] = number;
      ++taken;
    }
  };
  for (uint32_t n = 1; n <= 20'000; ++n) {
    const std::string device = "d" + std::to_string(random() % 30);
    switch (random() % 4) {
      case 0:
        (void)queue.push(from(device, HelloMessage{.boot_id = 1, .status_number = n}));
        break;
      case 1:
        (void)queue.push(status(device, n));
        break;
      case 2:
        (void)queue.push(fetch(device, n));
        break;
      default:
        (void)queue.push(bye(device, n));
    }
    ASSERT_LE(queue.size(), 40U);
    if (random() % 8 == 0) take(random() % 12);
  }
  take(100);
  EXPECT_EQ(queue.size(), 0U);
  uint64_t dropped = 0;
  for (const uint64_t count : queue.drops()) dropped += count;
  EXPECT_EQ(taken + dropped, 20'000U) << "each that isn't taken is counted once";
}

TEST(LifecycleQueue, ManyThreadsPutAndOneTakes) {
  LifecycleQueue queue(64);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&queue, t] {
      for (uint32_t n = 1; n <= 2'000; ++n) {
        (void)queue.push(status(fmt::format("d{}-{}", t, n % 20), n));
      }
    });
  }
  size_t taken = 0;
  while (taken < 200) taken += queue.pop_some(16).size();
  for (std::thread& thread : threads) thread.join();
  queue.close();
  EXPECT_FALSE(queue.push(status("late", 1)));
  while (queue.size() > 0) (void)queue.pop_some(16);
}

TEST(Inbox, TellsHowFullItIs) {
  Inbox inbox(4, 10, 20);
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(inbox.push(EventClass::kLifecycle, hello("h" + std::to_string(i))));
    ASSERT_TRUE(inbox.push(EventClass::kTelemetry, engine::ReportReceived{}));
  }
  EXPECT_EQ(inbox.backlog().lifecycle_percent, 60U);
  EXPECT_EQ(inbox.backlog().telemetry_percent, 30U);
  for (int i = 6; i < 12; ++i)
    (void)inbox.push(EventClass::kLifecycle, hello("h" + std::to_string(i)));
  EXPECT_EQ(inbox.refused()[static_cast<size_t>(EventClass::kLifecycle)], 2U);
}

}  // namespace
}  // namespace covey::runtime
