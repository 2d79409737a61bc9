// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/log/log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

#include "core/limits.hpp"
#include "gateway/adapters/log/line_writer.hpp"
#include "gateway/adapters/log/repeats.hpp"

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
  flush_log(10s);
  const std::string written = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(written.find("quiet"), std::string::npos);
  EXPECT_NE(written.find(" error loud a=1\n"), std::string::npos);
  EXPECT_FALSE(log_enabled(Level::kInfo));
}

// The first of a kind pass at once, then some per second; what is left out is counted and said.
TEST(LogRepeats, OfAKindSomeAtOnceThenSomePerSecond) {
  Repeats repeats;
  constexpr int kAtOnce = static_cast<int>(kLogLinesAtOnce);
  int passed = 0;
  for (int i = 0; i < 10 * kAtOnce; ++i) passed += repeats.pass("flood", Millis{1000}) ? 1 : 0;
  EXPECT_EQ(passed, kAtOnce);
  EXPECT_TRUE(repeats.pass("other", Millis{1000})) << "one kind takes nothing of another";
  EXPECT_TRUE(repeats.take(Millis{1000}, false).empty()) << "not said for each";
  const Repeats::LeftOut said = repeats.take(Millis{1000} + kLogRepeatsSaidEvery, false);
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said.front(), (std::pair<std::string, uint64_t>{"flood", 9 * kAtOnce}));
  EXPECT_TRUE(repeats.take(Millis{99'000}, true).empty()) << "said once";
  EXPECT_EQ(repeats.left_out(), 9U * kAtOnce);
  EXPECT_TRUE(repeats.pass("flood", Millis{2000})) << "it may come again";
}

TEST(LogRepeats, KindsAreBounded) {
  Repeats repeats;
  int passed = 0;
  for (int i = 0; i < 10'000; ++i) {
    passed += repeats.pass("kind " + std::to_string(i), Millis{0}) ? 1 : 0;
  }
  EXPECT_LE(passed, static_cast<int>(kLogKindsMax + kLogLinesAtOnce));
}

TEST(LogWriter, NobodyWaitsForAPipeThatIsNotRead) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  constexpr size_t kBytes = 100'000;
  // Lives as long as the process, as its thread may hang.
  LineWriter& writer = *std::make_unique<LineWriter>(ends[1], kBytes, [](uint64_t lines) {
                          return "dropped " + std::to_string(lines);
                        }).release();
  const std::string line(99, 'x');
  uint64_t taken = 0;
  for (int i = 0; i < 10'000; ++i) taken += writer.push(line) ? 1 : 0;
  EXPECT_EQ(taken + writer.dropped(), 10'000U);
  EXPECT_GT(writer.dropped(), 5'000U);
  EXPECT_FALSE(writer.flush(50ms));
  std::string read;
  std::array<char, 4096> block{};
  while (read.find("dropped") == std::string::npos || !read.ends_with('\n')) {
    const ssize_t got = ::read(ends[0], block.data(), block.size());
    ASSERT_GT(got, 0);
    read.append(block.data(), static_cast<size_t>(got));
  }
  EXPECT_TRUE(read.ends_with("dropped " + std::to_string(10'000 - taken) + "\n"));
  EXPECT_TRUE(writer.flush(10s));
  EXPECT_EQ(writer.written(), taken);
}

}  // namespace
}  // namespace covey::log
