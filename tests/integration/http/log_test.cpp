// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/adapters/log/log.hpp"

namespace covey::log {
namespace {

constexpr int64_t kNoon = 1'777'636'800'123;  // 2026-05-01T12:00:00.123Z

std::string text(std::string_view event, Fields fields) {
  return format_event(config::LogFormat::kText, kNoon, Level::kInfo, event, fields);
}
std::string json(std::string_view event, Fields fields) {
  return format_event(config::LogFormat::kJson, kNoon, Level::kWarn, event, fields);
}

TEST(LogFormat, Text) {
  EXPECT_EQ(text("device_accepted", {{"device", "press-1"}, {"shard", 42}, {"ok", true}}),
            "2026-05-01T12:00:00.123Z info  device_accepted device=press-1 shard=42 ok=true");
}

TEST(LogFormat, Json) {
  EXPECT_EQ(json("lag", {{"seconds", 0.5}, {"queue", size_t{7}}, {"delta", -1}}),
            R"({"ts":"2026-05-01T12:00:00.123Z","level":"warn","event":"lag",)"
            R"("seconds":0.5,"queue":7,"delta":-1})");
}

TEST(LogFormat, NoLineCanBeForged) {
  const std::string evil = "x\n2026 error forged key=\"v\" \x1b[31m\xff";
  for (const std::string& line : {text("e", {{"topic", evil}}), json("e", {{"topic", evil}}),
                                  text(evil, {}), json(evil, {})}) {
    for (const char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;
  }
  EXPECT_EQ(text("e", {{"a", "b c"}, {"empty", ""}}),
            "2026-05-01T12:00:00.123Z info  e a=\"b c\" empty=\"\"");
}

TEST(LogFormat, LongValuesAreCut) {
  EXPECT_LT(text("e", {{"a", std::string(100'000, 'x')}}).size(), 700u);
  EXPECT_LT(json("e", {{"a", std::string(100'000, 'x')}}).size(), 700u);
}

TEST(LogFormat, SecretsAreNotWritten) {
  for (const char* name : {"password", "device_password", "enroll_token", "order_key"}) {
    EXPECT_EQ(text("e", {{name, "hunter2"}}).find("hunter2"), std::string::npos);
    EXPECT_EQ(json("e", {{name, "hunter2"}}).find("hunter2"), std::string::npos);
  }
  EXPECT_NE(text("e", {{"key_id", "abc"}}).find("abc"), std::string::npos);
}

TEST(Log, WritesToStderrFromItsLevelOn) {
  ::testing::internal::CaptureStderr();
  setup_log(Level::kWarn, config::LogFormat::kText);
  log_event(Level::kInfo, "quiet");
  log_event(Level::kError, "loud", {{"a", 1}});
  const std::string written = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(written.find("quiet"), std::string::npos);
  EXPECT_NE(written.find(" error loud a=1\n"), std::string::npos);
  EXPECT_FALSE(log_enabled(Level::kInfo));
}

}  // namespace
}  // namespace covey::log
