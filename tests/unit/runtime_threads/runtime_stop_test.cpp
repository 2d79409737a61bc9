// SPDX-License-Identifier: Apache-2.0
// How the runtime ends: with everything done, with a disk that hangs, with a disk that fails.
#include <gtest/gtest.h>

#include <future>

#include "tests/unit/runtime_threads/gated_store.hpp"

namespace covey::test {
namespace {

using runtime::EventClass;
using Reply = Result<engine::CommandReply>;

struct Seen {
  std::atomic<int> delivered{0};
  std::promise<Error> fatal;

  runtime::Sink sink() {
    return [this](auto effects) { delivered += static_cast<int>(effects.size()); };
  }
};

std::unique_ptr<runtime::Runtime> make(GatedStore& store, Seen& seen,
                                       runtime::RuntimeOptions options = {}) {
  return std::make_unique<runtime::Runtime>(
      load_engine(store), store, *store.reader(), options,
      runtime::Runtime::Edges{
          .sinks = {.broker = seen.sink(), .devices = seen.sink(), .log = seen.sink()},
          .fatal = [&seen](const Error& e) { seen.fatal.set_value(e); },
          .health = nullptr,
          .endpoints = nullptr});
}

TEST(RuntimeStop, FinishesWhatItTook) {
  GatedStore store;
  Seen seen;
  auto runtime = make(store, seen, {.batch_max = 8});
  runtime->start();
  constexpr int kCommands = 400;  // many slices
  std::atomic<int> answered{0};
  std::atomic<int> ok{0};
  for (int i = 0; i < kCommands; ++i) {
    ASSERT_TRUE(runtime->post(EventClass::kLifecycle, enroll("d" + std::to_string(i))));
    runtime->submit(accept_all(), [&](const Reply& reply) {
      ++answered;
      ok += reply.ok() ? 1 : 0;
    });
  }
  runtime->stop(30s);
  EXPECT_EQ(answered, kCommands) << "somebody waits for an answer for ever";
  EXPECT_EQ(ok, kCommands) << "taken, not done, though there was time";
  EXPECT_EQ(store.memory.load({})->devices.size(), static_cast<size_t>(kCommands));
  EXPECT_GE(seen.delivered, kCommands);
}

// Refused commands write nothing: the end must not come before they are answered.
TEST(RuntimeStop, AnswersWhatNeedsNoCommit) {
  GatedStore store;
  Seen seen;
  auto runtime = make(store, seen, {.batch_max = 8});
  runtime->start();
  std::atomic<int> answered{0};
  for (int i = 0; i < 400; ++i) {
    runtime->submit({engine::PauseRollout{RolloutName("none"), ""}, "alice", ""},
                    [&](const Reply&) { ++answered; });
  }
  runtime->stop(30s);
  EXPECT_EQ(answered, 400);
}

TEST(RuntimeStop, AnswersWhatTheDeadlineLeftInTheQueue) {
  GatedStore store;
  Seen seen;
  auto runtime = make(store, seen);
  runtime->start();
  std::promise<void> inside;
  std::promise<void> go_on;
  runtime->read(
      [&](const engine::Engine&) {
        inside.set_value();
        go_on.get_future().get();
      },
      nullptr);
  inside.get_future().get();
  std::promise<Reply> answer;
  runtime->submit(accept_all(), [&](Reply reply) { answer.set_value(std::move(reply)); });
  std::future<void> stopped = std::async(std::launch::async, [&] { runtime->stop(0ms); });
  go_on.set_value();
  stopped.get();
  EXPECT_EQ(answer.get_future().wait_for(0s), std::future_status::ready);
}

// Looks, and pages that nobody has read: who asked is told, not forgotten.
TEST(RuntimeStop, TellsThoseWhoseTurnDidNotCome) {
  GatedStore store;
  Seen seen;
  auto runtime = make(store, seen);
  runtime->start();
  std::promise<void> inside;
  std::promise<void> go_on;
  const std::shared_future<void> may_go_on = go_on.get_future();
  runtime->history(
      [&](Reader&) {
        inside.set_value();
        may_go_on.get();
      },
      [](const Status&) {}, nullptr);
  inside.get_future().get();
  std::promise<void> inside_look;
  runtime->read(
      [&](const engine::Engine&) {
        inside_look.set_value();
        may_go_on.get();
      },
      nullptr);
  inside_look.get_future().get();
  std::mutex mutex;
  std::vector<std::string> told;
  const auto note = [&](const Status& status) {
    const std::lock_guard lock(mutex);
    told.push_back(status ? "OK" : status.error().reason);
  };
  for (int i = 0; i < 3; ++i) {
    runtime->read([](const engine::Engine&) {}, note);
    runtime->history([](Reader&) {}, note, nullptr);
  }
  std::future<void> stopped = std::async(std::launch::async, [&] { runtime->stop(0ms); });
  while (!runtime->stopped()) std::this_thread::yield();
  go_on.set_value();
  stopped.get();
  EXPECT_EQ(told.size(), 6U);
}

TEST(RuntimeStop, RefusesWhatComesAfterwards) {
  GatedStore store;
  Seen seen;
  auto runtime = make(store, seen);
  runtime->start();
  runtime->stop(5s);
  EXPECT_FALSE(runtime->post(EventClass::kLifecycle, enroll("a")));
  std::vector<std::string> refused;
  const auto note = [&](const Status& status) { refused.push_back(status.error().reason); };
  runtime->read([](const engine::Engine&) { FAIL(); }, note);
  bool answered = false;
  runtime->submit(accept_all(), [&](const Reply& reply) {
    answered = true;
    EXPECT_FALSE(reply.ok());
  });
  EXPECT_TRUE(answered);
  runtime->history([](Reader&) { FAIL(); }, note, nullptr);
  EXPECT_EQ(refused, (std::vector<std::string>{"SHUTTING_DOWN", "SHUTTING_DOWN"}));
  runtime->stop(5s);  // twice is harmless
}

TEST(RuntimeStop, AnswersEverybodyThoughTheDiskHangs) {
  GatedStore store;
  Seen seen;
  auto runtime = make(store, seen);
  runtime->start();
  store.open(false);
  ASSERT_TRUE(runtime->post(EventClass::kLifecycle, enroll("a")));
  std::promise<Reply> answer;
  runtime->submit(accept_all(), [&](Reply reply) { answer.set_value(std::move(reply)); });
  store.wait_for_commit();
  std::future<void> stopped = std::async(std::launch::async, [&] { runtime->stop(50ms); });
  // The writer is joined: it needs its disk back. The deadline bounds the engine's part.
  std::future<Reply> reply = answer.get_future();
  store.open(true);
  stopped.get();
  EXPECT_EQ(reply.wait_for(0s), std::future_status::ready);
}

TEST(RuntimeFatal, AFailedCommitIsFatalAndNothingIsShown) {
  GatedStore store;
  Seen seen;
  auto runtime = make(store, seen);
  runtime->start();
  store.memory.fail_next(1);
  ASSERT_TRUE(runtime->post(EventClass::kLifecycle, enroll("a")));
  std::atomic<bool> ok{false};
  runtime->submit(accept_all(), [&](const Reply& reply) { ok = reply.ok(); });
  EXPECT_EQ(seen.fatal.get_future().get().reason, "STORE_IO");
  runtime->stop(100ms);
  EXPECT_FALSE(ok) << "a success that is not durable";
  EXPECT_EQ(seen.delivered, 0);
  EXPECT_TRUE(store.memory.load({})->devices.empty());
}

}  // namespace
}  // namespace covey::test
