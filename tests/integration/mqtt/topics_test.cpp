// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/mqtt/topics.hpp"

#include <gtest/gtest.h>

#include "deploy/deployment/device.hpp"

namespace covey::mqtt {
namespace {

TEST(Topics, WhatADeviceSays) {
  const Result<UpTopic> hello = parse_up_topic("covey/v1/2a/dev-1/up/hello");
  ASSERT_TRUE(hello.ok()) << hello.error().message;
  EXPECT_EQ(*hello, (UpTopic{UpKind::kHello, 0x2a, DeviceId("dev-1")}));
  for (const UpKind kind :
       {UpKind::kHello, UpKind::kStatus, UpKind::kReport, UpKind::kFetch, UpKind::kBye}) {
    const auto parsed = parse_up_topic("covey/v1/00/d/up/" + std::string(to_string(kind)));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed->kind, kind);
  }
  const Result<UpTopic> enroll = parse_up_topic("covey/v1/enroll/dev-1/up");
  ASSERT_TRUE(enroll.ok());
  EXPECT_EQ(*enroll, (UpTopic{UpKind::kEnroll, 0, DeviceId("dev-1")}));
}

TEST(Topics, NothingElse) {
  const auto reason = [](std::string_view topic) {
    const Result<UpTopic> parsed = parse_up_topic(topic);
    return parsed.ok() ? "accepted" : parsed.error().reason;
  };
  for (const char* topic :
       {"", "/", "covey/v1", "covey/v1/", "covey/v1/2a", "covey/v1/2a/d", "covey/v1/2a/d/up",
        "covey/v1/2a/d/down/goal", "covey/v1/2a/d/UP/hello", "Covey/v1/2a/d/up/hello",
        "/covey/v1/2a/d/up/hello", "covey/v2/2a/d/up/hello", "covey/v1/enroll/d/down",
        "covey/v1/enroll/d/up/", "covey/v1/enroll/d/up/hello", "covey/v1/site", "covey/v1/m/00"}) {
    EXPECT_EQ(reason(topic), "BAD_TOPIC") << topic;
  }
  for (const char* shard : {"", "2", "2A", "40", "ff", "2aa", "0x", "+", " 2"}) {
    EXPECT_EQ(reason("covey/v1/" + std::string(shard) + "/d/up/hello"), "BAD_SHARD") << shard;
  }
  for (const char* kind : {"", "hello/", "hello/x", "Hello", "goal", "enroll", "hello "}) {
    EXPECT_EQ(reason("covey/v1/2a/d/up/" + std::string(kind)), "UNKNOWN_TOPIC_KIND") << kind;
  }
  for (const char* id : {"", "-d", "a b", "d\xc3\xa9", "+", "#"}) {
    EXPECT_EQ(reason("covey/v1/2a/" + std::string(id) + "/up/hello"), "BAD_DEVICE_ID") << id;
  }
  EXPECT_EQ(reason("covey/v1/2a/svc-gateway/up/hello"), "RESERVED_DEVICE_ID");
  EXPECT_EQ(reason("covey/v1/2a/" + std::string(64, 'd') + "/up/hello"), "BAD_DEVICE_ID");
  EXPECT_EQ(reason("covey/v1/2a/" + std::string(200, 'd') + "/up/hello"), "BAD_TOPIC");
}

TEST(Topics, MessagesDoNotRepeatControlCharacters) {
  const Result<UpTopic> parsed = parse_up_topic("evil\n[error] forged");
  EXPECT_EQ(parsed.error().message.find('\n'), std::string::npos);
}

TEST(Topics, WhatTheGatewaySays) {
  EXPECT_EQ(down_topic(0x2a, DeviceId("d"), DownKind::kGoal), "covey/v1/2a/d/down/goal");
  EXPECT_EQ(down_topic(0, DeviceId("d"), DownKind::kAck), "covey/v1/00/d/down/ack");
  EXPECT_EQ(down_topic(0x3f, DeviceId("d"), DownKind::kChunk), "covey/v1/3f/d/down/chunk");
  EXPECT_EQ(enroll_down_topic(DeviceId("d"), {}), "covey/v1/enroll/d/down");
  EXPECT_EQ(manifest_topic(Digest{}), "covey/v1/m/" + std::string(64, '0'));
  EXPECT_EQ(root_topic(12), "covey/v1/m/root-12");
  for (uint8_t shard = 0; shard < kShards; ++shard) {
    EXPECT_EQ(*parse_shard(shard_text(shard)), shard);
  }
}

}  // namespace
}  // namespace covey::mqtt
