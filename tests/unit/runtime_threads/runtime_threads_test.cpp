// SPDX-License-Identifier: Apache-2.0
// The runtime between its threads: what is shown is durable, what does not fit is refused and
// counted. Run under the thread sanitizer.
#include <gtest/gtest.h>

#include <future>
#include <set>

#include "tests/unit/runtime_threads/gated_store.hpp"

namespace covey::test {
namespace {

using runtime::EventClass;
using Reply = Result<engine::CommandReply>;

class RuntimeThreads : public testing::Test {
 protected:
  void start(runtime::RuntimeOptions options = {}) {
    runtime_ = std::make_unique<runtime::Runtime>(
        load_engine(store), store, *store.reader(), options,
        runtime::Runtime::Edges{
            .sinks = {.broker = nullptr,
                      .devices = [this](auto effects) { collect(effects); },
                      .log = nullptr},
            .fatal = [](const Error&) { std::abort(); },
            .health =
                [] {
                  return std::vector<runtime::HealthCheck>{{"broker", false, "gone"}};
                },
            .endpoints =
                [] {
                  return std::map<std::string, std::string>{{"grpc", "here"}};
                }});
    runtime_->start();
  }
  void TearDown() override {
    store.open(true);
    if (runtime_) runtime_->stop(5s);
  }
  std::future<Reply> submit(engine::CommandRequest request) {
    auto promise = std::make_shared<std::promise<Reply>>();
    runtime_->submit(std::move(request),
                     [promise](Reply reply) { promise->set_value(std::move(reply)); });
    return promise->get_future();
  }
  void collect(std::span<const engine::Effect> effects) {
    const std::lock_guard lock(mutex_);
    for (const engine::Effect& effect : effects) {
      const auto* grant = std::get_if<engine::PublishGrant>(&effect);
      if (grant != nullptr) grants_.push_back(*grant);
    }
    changed_.notify_all();
  }
  size_t grants() {
    const std::lock_guard lock(mutex_);
    return grants_.size();
  }
  void wait_for_grants(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return grants_.size() >= count; });
  }
  static bool ready(const std::future<Reply>& reply) {
    return reply.wait_for(0s) == std::future_status::ready;
  }

  GatedStore store;
  std::unique_ptr<runtime::Runtime> runtime_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<engine::PublishGrant> grants_;  // guarded by mutex_
};

TEST_F(RuntimeThreads, NothingLeavesBeforeItIsDurable) {
  start();
  store.open(false);
  ASSERT_TRUE(runtime_->post(EventClass::kControl, enroll("a")));
  std::future<Reply> reply = submit(accept_all());
  std::promise<uint64_t> seen;
  std::promise<void> shown;
  std::future<void> durable = shown.get_future();
  runtime_->read(
      [&](const engine::Engine& engine) { seen.set_value(engine.state().fleet.devices.size()); },
      [&](const Status&) { shown.set_value(); });
  store.wait_for_commit();
  EXPECT_EQ(seen.get_future().get(), 1U) << "the engine has decided ...";
  EXPECT_FALSE(ready(reply)) << "... but nobody may know yet";
  EXPECT_EQ(durable.wait_for(0s), std::future_status::timeout);
  EXPECT_EQ(grants(), 0U);
  EXPECT_EQ(store.memory.load({})->devices.size(), 0U);
  store.open(true);
  EXPECT_EQ(reply.get()->changed, 1U);
  durable.get();
  wait_for_grants(2);
  EXPECT_EQ(store.memory.load({})->devices.size(), 1U);
}

TEST_F(RuntimeThreads, RepliesComeInTheOrderOfTheirCommands) {
  start();
  std::mutex mutex;
  std::vector<int> order;
  std::promise<void> all;
  for (int i = 0; i < 200; ++i) {
    runtime_->submit({engine::PauseRollout{RolloutName("none"), ""}, "alice", ""},
                     [&, i](const Reply& reply) {
                       EXPECT_EQ(reply.error().code, Code::kNotFound);
                       bool last = false;
                       {
                         const std::lock_guard lock(mutex);
                         order.push_back(i);
                         last = order.size() == 200;
                       }
                       if (last) all.set_value();
                     });
  }
  all.get_future().get();
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(RuntimeThreads, AFullQueueRefusesAndCounts) {
  start({.control_queue = 4, .lifecycle_queue = 8, .telemetry_queue = 8});
  // The engine thread is busy in a look: nothing is taken from the queues.
  std::promise<void> inside;
  std::promise<void> go_on;
  runtime_->read(
      [&](const engine::Engine&) {
        inside.set_value();
        go_on.get_future().get();
      },
      nullptr);
  inside.get_future().get();
  int taken = 0;
  for (int i = 0; i < 20; ++i) {
    if (runtime_->post(EventClass::kLifecycle, enroll("d" + std::to_string(i)))) ++taken;
  }
  EXPECT_EQ(taken, 8);
  EXPECT_EQ(runtime_->counters().queue_full[1], 12U);
  EXPECT_EQ(runtime_->counters().queued[1], 8U);
  taken = 0;
  for (int i = 0; i < 20; ++i) {
    if (runtime_->post(EventClass::kTelemetry, enroll("d" + std::to_string(i)))) ++taken;
  }
  EXPECT_EQ(taken, 8);
  // Four commands fit; the others are answered, all of them.
  std::vector<std::future<Reply>> replies;
  for (int i = 0; i < 6; ++i) replies.push_back(submit(accept_all()));
  int refused = 0;
  for (std::future<Reply>& reply : replies) {
    if (ready(reply)) {
      EXPECT_EQ(reply.get().error().code, Code::kResourceExhausted);
      ++refused;
    }
  }
  EXPECT_EQ(refused, 2);
  Error refused_look;
  runtime_->read([](const engine::Engine&) { FAIL(); },
                 [&](const Status& status) { refused_look = status.error(); });
  EXPECT_EQ(refused_look.reason, "ENGINE_BUSY");
  go_on.set_value();
  for (std::future<Reply>& reply : replies) {
    if (reply.valid()) {
      EXPECT_TRUE(reply.get().ok());
    }
  }
  wait_for_grants(8);
}

// Nobody's answer is not an empty answer.
TEST_F(RuntimeThreads, AFullHistoryRefuses) {
  start({.history_max = 2});
  std::promise<void> inside;
  std::promise<void> go_on;
  runtime_->history(
      [&](Reader&) {
        inside.set_value();
        go_on.get_future().get();
      },
      [](const Status&) {}, nullptr);
  inside.get_future().get();
  std::promise<Status> gone;
  std::promise<Status> second;
  runtime_->history([](Reader&) { FAIL(); }, [&](const Status& status) { gone.set_value(status); },
                    [] { return false; });
  runtime_->history([](Reader&) {}, [&](const Status& status) { second.set_value(status); },
                    nullptr);
  Error refused;
  runtime_->history([](Reader&) { FAIL(); },
                    [&](const Status& status) { refused = status.error(); }, nullptr);
  EXPECT_EQ(refused.reason, "ENGINE_BUSY");
  go_on.set_value();
  EXPECT_EQ(gone.get_future().get().error().reason, "CALLER_GONE");
  EXPECT_TRUE(second.get_future().get().ok());
}

// Else offers, goals and closings would stand still until the next session.
TEST_F(RuntimeThreads, AFullQueueDoesNotHideThatTheBrokerIsThere) {
  start({.tick = 1ms, .control_queue = 1});
  std::promise<void> inside;
  std::promise<void> go_on;
  runtime_->read(
      [&](const engine::Engine&) {
        inside.set_value();
        go_on.get_future().get();
      },
      nullptr);
  inside.get_future().get();
  runtime_->read([](const engine::Engine&) {}, nullptr);
  runtime_->set_broker_session(1);
  go_on.set_value();
  const uint64_t ticks = runtime_->lag().count + 5;
  while (runtime_->lag().count < ticks) std::this_thread::yield();
  std::promise<bool> connected;
  runtime_->read(
      [&](const engine::Engine& engine) {
        connected.set_value(engine.state().clocks.broker_connected());
      },
      nullptr);
  EXPECT_TRUE(connected.get_future().get());
}

// Two hundred long looks at once: ticks come between them, not behind them all.
TEST_F(RuntimeThreads, TicksGetTheirTurnBetweenLooks) {
  start({.tick = 1ms, .turn = 2ms});
  constexpr int kLooks = 200;
  std::promise<void> all;
  int left = kLooks;
  std::set<uint64_t> ticks;
  for (int i = 0; i < kLooks; ++i) {
    runtime_->read(
        [&](const engine::Engine&) {
          ticks.insert(runtime_->lag().count);
          const auto until = std::chrono::steady_clock::now() + 2ms;
          while (std::chrono::steady_clock::now() < until) {
          }
        },
        [&](const Status&) {
          if (--left == 0) all.set_value();
        });
  }
  all.get_future().get();
  EXPECT_GT(ticks.size(), static_cast<size_t>(kLooks) / 4);
}

TEST_F(RuntimeThreads, AWalkGivesWayToOthersUntilItHasSeenAll) {
  start();
  std::promise<void> walked;
  std::promise<void> looked;
  std::atomic<int> parts{0};
  std::atomic<int> parts_before_the_look{-1};
  runtime_->walk(
      [&](const engine::Engine&) {
        if (++parts > 1) return parts_before_the_look >= 0;
        runtime_->read([&](const engine::Engine&) { parts_before_the_look = parts.load(); },
                       [&](const Status&) { looked.set_value(); });
        return false;
      },
      [&](const Status& status) {
        EXPECT_TRUE(status.ok());
        walked.set_value();
      },
      nullptr);
  looked.get_future().get();
  walked.get_future().get();
  EXPECT_GE(parts, 2);
}

TEST_F(RuntimeThreads, NobodyWorksForWhoHasGone) {
  start();
  Error told;
  std::promise<void> answered;
  runtime_->read([](const engine::Engine&) { FAIL() << "computed for nobody"; },
                 [&](const Status& status) {
                   told = status.error();
                   answered.set_value();
                 },
                 [] { return false; });
  answered.get_future().get();
  EXPECT_EQ(told.reason, "CALLER_GONE");
  EXPECT_EQ(runtime_->counters().callers_gone, 1U);
}

// While the disk does not answer, what is not durable stays within its bound: first reports wait
// in their queue, then what devices say of themselves, then the API. Nothing of it is lost.
TEST_F(RuntimeThreads, ASlowDiskHoldsBackEverybodyInTheirOrder) {
  start({.tick = 1ms, .batch_max = 4, .writes_max = 40});
  store.open(false);
  ASSERT_TRUE(runtime_->post(EventClass::kLifecycle, enroll("first")));
  store.wait_for_commit();
  constexpr size_t kEach = 500;
  for (size_t i = 0; i < kEach; ++i) {
    ASSERT_TRUE(runtime_->post(EventClass::kTelemetry, enroll("t" + std::to_string(i))));
    ASSERT_TRUE(runtime_->post(EventClass::kLifecycle, enroll("l" + std::to_string(i))));
  }
  const uint64_t ticks = runtime_->lag().count + 20;
  while (runtime_->lag().count < ticks) std::this_thread::yield();
  const auto queued = runtime_->counters().queued;
  EXPECT_GT(queued[1], kEach - 60);
  EXPECT_GT(queued[2], kEach - 60);
  // Of one device: who accepts all writes as many rows as have come by then.
  std::future<Reply> reply =
      submit({engine::AcceptDevices{{.ids = {DeviceId("first")}, .filter = "", .all = false}},
              "alice", ""});
  store.open(true);
  EXPECT_TRUE(reply.get().ok());
  runtime_->stop(30s);
  EXPECT_EQ(store.memory.load({})->devices.size(), 2 * kEach + 1);
  EXPECT_LT(store.rows_at_once(), 100U);
}

TEST_F(RuntimeThreads, ADiskThatDoesNotAnswerIsNotReady) {
  start({.tick = 1ms, .commit_max = 50ms});
  store.open(false);
  ASSERT_TRUE(runtime_->post(EventClass::kLifecycle, enroll("a")));
  store.wait_for_commit();
  while (runtime_->health()[1].ok) std::this_thread::yield();
  EXPECT_EQ(runtime_->health()[1].reason.rfind("STORE_SLOW: ", 0), 0U);
  store.open(true);
  while (!runtime_->health()[1].ok) std::this_thread::yield();
}

// What the engine believes of the broker and what the link does are compared.
TEST_F(RuntimeThreads, AnEngineThatMissedASessionIsNotReady) {
  start({.lag_max = 20ms});
  std::promise<void> inside;
  std::promise<void> go_on;
  runtime_->read(
      [&](const engine::Engine&) {
        inside.set_value();
        go_on.get_future().get();
      },
      nullptr);
  inside.get_future().get();
  runtime_->set_broker_session(7);
  while (runtime_->health()[0].ok) std::this_thread::yield();
  go_on.set_value();
  while (!runtime_->health()[0].ok) std::this_thread::yield();
}

TEST_F(RuntimeThreads, AReadSeesWhatCameBeforeItAndNothingLater) {
  start();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(runtime_->post(EventClass::kControl, enroll("d" + std::to_string(i))));
    std::promise<size_t> seen;
    std::promise<void> shown;
    runtime_->read(
        [&](const engine::Engine& engine) { seen.set_value(engine.state().fleet.devices.size()); },
        [&](const Status&) { shown.set_value(); });
    EXPECT_EQ(seen.get_future().get(), static_cast<size_t>(i + 1));
    shown.get_future().get();
    EXPECT_GE(store.memory.load({})->devices.size(), static_cast<size_t>(i + 1));
  }
}

TEST_F(RuntimeThreads, WatchersSeeEachDurableRevisionInOrder) {
  start();
  std::mutex mutex;
  std::vector<uint64_t> revisions;
  const uint64_t id = runtime_->watch([&](uint64_t revision) {
    const std::lock_guard lock(mutex);
    revisions.push_back(revision);
  });
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(runtime_->post(EventClass::kLifecycle, enroll("d" + std::to_string(i))));
    EXPECT_TRUE(submit(accept_all()).get().ok());
  }
  runtime_->unwatch(id);
  // A watcher that was being called when it was removed is done after the next answer.
  EXPECT_TRUE(submit(accept_all()).get().ok());
  const std::lock_guard lock(mutex);
  ASSERT_FALSE(revisions.empty());
  EXPECT_TRUE(std::is_sorted(revisions.begin(), revisions.end()));
  EXPECT_TRUE(std::adjacent_find(revisions.begin(), revisions.end()) == revisions.end());
}

// Adapters' threads all at once: nothing is lost, nothing is answered twice.
TEST_F(RuntimeThreads, ManyThreadsAtOnce) {
  start();
  constexpr int kThreads = 6;
  constexpr int kEach = 100;
  std::atomic<int> answered{0};
  std::atomic<int> looked{0};
  std::atomic<int> pages{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        (void)runtime_->post(EventClass::kLifecycle,
                             enroll("t" + std::to_string(t) + "-" + std::to_string(i)));
        std::promise<void> done;
        runtime_->submit(accept_all(), [&](const Reply&) {
          ++answered;
          done.set_value();
        });
        done.get_future().get();
        std::promise<void> seen;
        runtime_->read([&](const engine::Engine&) { ++looked; },
                       [&](const Status&) { seen.set_value(); });
        seen.get_future().get();
        std::promise<void> page;
        runtime_->history([&](Reader& reader) { pages += reader.audit({.limit = 5}).ok() ? 1 : 0; },
                          [&](const Status&) { page.set_value(); }, nullptr);
        page.get_future().get();
        runtime_->set_broker_session(i % 2);
        (void)runtime_->counters();
        (void)runtime_->engine_counters();
        (void)runtime_->health();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, kThreads * kEach);
  EXPECT_EQ(looked, kThreads * kEach);
  EXPECT_EQ(pages, kThreads * kEach);
  runtime_->stop(5s);
  EXPECT_EQ(store.memory.load({})->devices.size(), static_cast<size_t>(kThreads * kEach));
}

TEST_F(RuntimeThreads, HealthIsTheEnginesAndTheAdapters) {
  start();
  const auto checks = runtime_->health();
  ASSERT_EQ(checks.size(), 3U);
  EXPECT_EQ(checks[0].name, "engine");
  EXPECT_EQ(checks[1].name, "store");
  EXPECT_TRUE(checks[1].ok);
  EXPECT_EQ(checks[2].reason, "gone");
  EXPECT_EQ(runtime_->endpoints().at("grpc"), "here");
}

TEST_F(RuntimeThreads, AnEngineThatStandsStillIsNotReady) {
  start({.tick = 1ms, .lag_max = 50ms});
  std::promise<void> inside;
  std::promise<void> go_on;
  runtime_->read(
      [&](const engine::Engine&) {
        inside.set_value();
        go_on.get_future().get();
      },
      nullptr);
  inside.get_future().get();
  while (runtime_->health()[0].ok) std::this_thread::yield();
  EXPECT_EQ(runtime_->health()[0].reason.rfind("ENGINE_LAG: ", 0), 0U);
  go_on.set_value();
  while (!runtime_->health()[0].ok) std::this_thread::yield();
  EXPECT_GT(runtime_->lag().max_us, 0U);
}

TEST_F(RuntimeThreads, AReadOnlySiteAnswersReadsAndRefusesTheRest) {
  const Error full{Code::kResourceExhausted, "DISK_FULL", "free space"};
  start({.tick = 1ms, .read_only = full});
  EXPECT_EQ(submit(accept_all()).get().error(), full);
  for (const EventClass any :
       {EventClass::kControl, EventClass::kLifecycle, EventClass::kTelemetry}) {
    EXPECT_FALSE(runtime_->post(any, enroll("a")));
  }
  std::promise<size_t> seen;
  std::promise<void> shown;
  runtime_->read(
      [&](const engine::Engine& engine) { seen.set_value(engine.state().fleet.devices.size()); },
      [&](const Status&) { shown.set_value(); });
  shown.get_future().get();
  EXPECT_EQ(seen.get_future().get(), 0U);
  std::promise<bool> page;
  runtime_->history([&](Reader& reader) { page.set_value(reader.audit({.limit = 5}).ok()); },
                    [](const Status&) {}, nullptr);
  EXPECT_TRUE(page.get_future().get());
  const auto checks = runtime_->health();
  EXPECT_FALSE(checks[1].ok);
  EXPECT_EQ(checks[1].reason, "DISK_FULL: free space");
  // Time passes, and nothing is written.
  while (runtime_->lag().count < 20) std::this_thread::yield();
  EXPECT_EQ(runtime_->counters().commits, 0U);
}

}  // namespace
}  // namespace covey::test
