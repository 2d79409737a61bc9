// SPDX-License-Identifier: Apache-2.0
// The production interpreter of the engine: real time, threads, group commit.
//
//   engine thread   an Asio io_context of one thread: owns the Engine, handles batches of events
//   writer lane     one commit at a time; the only one that writes to the store
//   history lane    pages of history from a Reader
//   router          outbox and judge lanes: what leaves, after its commit (router.hpp)
//
// Adapters' threads only enqueue (inbox.hpp). A failed commit ends in `fatal`, which must not
// return.
//
// With `read_only` (a full disk) the engine stands still: reads, watches and history are served,
// commands are refused with that error, events are not taken, nothing is committed.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "gateway/runtime/commit_pace.hpp"
#include "gateway/runtime/engine_port.hpp"
#include "gateway/runtime/inbox.hpp"
#include "gateway/runtime/lag.hpp"
#include "gateway/runtime/lane.hpp"
#include "gateway/runtime/router.hpp"
#include "gateway/runtime/watchers.hpp"

namespace covey::runtime {

struct RuntimeOptions {
  Millis tick{100};
  Millis commit_interval{50};  // telemetry waits this long for company; control does not wait
  // Nobody is woken for one report: the engine takes them after this long, or when there are many.
  Millis gather{20};
  size_t gather_max = 512;
  size_t control_queue = 1024;
  size_t lifecycle_queue = 16'384;
  size_t telemetry_queue = 65'536;
  size_t batch_max = 128;  // events of a class that are handled together
  // A turn ends after this, whatever waits: ticks and finished commits come next.
  Millis turn{20};
  // What devices say is taken while the next commit has no more rows than the disk takes in this
  // time: whoever asks something meanwhile waits for two commits.
  Millis commit_wanted{15};
  // What waits for a slow disk: rows, and what may be said once they are durable. At one of them
  // telemetry stays in its queue, at 5/4 what devices say of themselves, at 6/4 the API, and at
  // twice as much the engine stands still.
  size_t writes_max = 20'000;
  size_t pending_max = 65'536;
  size_t outbox_max = 262'144;
  size_t history_max = 256;
  // Fault injection: SIGKILL to ourselves after this many commits, before anything leaves; 0:
  // never.
  uint64_t kill_after_commits = 0;
  Millis lag_max{1000};            // above, readiness fails
  Millis commit_max{5000};         // likewise
  std::optional<Error> read_only;  // why, and what to do
};

struct RuntimeCounters {
  std::array<uint64_t, kEventClasses> queue_full{};  // by EventClass
  std::array<uint64_t, kEventClasses> queued{};      // now
  std::array<uint64_t, kLifecycleDrops> lifecycle_drops{};
  uint64_t commits = 0;
  uint64_t writes = 0;
  uint64_t outbox_full = 0;
  uint64_t callers_gone = 0;  // questions that nobody waited for when their turn came
  uint64_t revision_durable = 0;
  LagFigures slice;  // one batch of events
  LagFigures walk;   // one part of a look at the engine
  // The same in processor time, which a busy machine does not lengthen: ticks, and turns of events.
  LagFigures tick_cpu;
  LagFigures events_cpu;
  LagFigures lag;     // how late ticks came
  LagFigures commit;  // from submission to durable
};

class Runtime final : public EnginePort {
 public:
  struct Edges {
    Sinks sinks;
    std::function<void(const Error&)> fatal;           // must not return
    std::function<std::vector<HealthCheck>()> health;  // of the adapters; any thread
    std::function<std::map<std::string, std::string>()> endpoints;
    std::function<engine::ChunkFlow()> chunks;  // empty: nobody sends any; engine thread
    std::function<Millis()> certificate_until;  // as of Tick; empty: none; engine thread
  };

  Runtime(engine::Engine engine, Store& store, std::unique_ptr<Reader> reader,
          RuntimeOptions options, Edges edges);
  ~Runtime() override;
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  void start();
  // Handles what is queued, commits, delivers; at most `deadline`. Then every thread is gone.
  void stop(Millis deadline);
  bool stopped() const { return stopped_; }  // any thread: stop() was called

  // Any thread. False: full, the event is dropped and counted.
  [[nodiscard]] bool post(EventClass event_class, engine::Event event);
  // Any thread: the number of the session with the broker, 0 while there is none. The engine hears
  // of it before it hears of anything that was posted after this.
  void set_broker_session(uint64_t number);

  void submit(engine::CommandRequest request,
              std::function<void(Result<engine::CommandReply>)> done) override;
  void walk(Some some, Done done, Wanted wanted) override;
  uint64_t watch(std::function<void(uint64_t revision)> changed) override {
    return watchers_.add(std::move(changed));
  }
  void unwatch(uint64_t id) override { watchers_.remove(id); }
  void history(std::function<void(Reader&)> query, Done done, Wanted wanted) override;
  LagFigures lag() const override { return lag_.figures(); }
  // Not ready: among others, an engine that is further behind than `lag_max`, or has not heard for
  // as long that the session with the broker is another one; a commit that takes longer than
  // `commit_max`.
  std::vector<HealthCheck> health() const override;
  std::map<std::string, std::string> endpoints() const override;

  RuntimeCounters counters() const;
  // Engine counters of the last slice, for metrics.
  engine::Counters engine_counters() const;

 private:
  // What leaves once `revision` is durable.
  struct Pending {
    uint64_t revision = 0;
    std::vector<engine::Effect> effects;
    Done done;

    size_t size() const { return effects.size() + 1; }
  };
  using SteadyTime = std::chrono::steady_clock::time_point;
  // Who may still add to what waits for the disk, in quarters of its limits.
  enum class Share : uint8_t { kTelemetry = 4, kLifecycle = 5, kControl = 6, kTick = 8 };

  void wake();
  void wake_soon();
  void drain();
  void drain_control(SteadyTime until);
  void drain_events(SteadyTime until);
  void run(ControlItem item);
  void run_walk(Walk walk);
  bool has_room(Share share) const;
  bool takes_telemetry() const { return inbox_.has_telemetry() && has_room(Share::kTelemetry); }
  bool takes_any() const;
  engine::Tick tick();
  Error stopping_or_busy() const { return stopped_ ? shutting_down() : engine_busy(); }
  void finish();
  void handle(std::vector<engine::Event> batch, Lag& cpu);
  void arm_tick();
  void on_tick();
  void commit_soon(bool urgent);
  void submit_commit();
  void write(const std::vector<Write>& rows, uint64_t revision, SteadyTime since);
  void on_committed(size_t rows, uint64_t revision, SteadyTime since);
  void release_when_durable(Pending pending);
  void release(Pending pending);
  bool knows_session() const;         // any thread
  std::string store_problem() const;  // any thread; empty: none

  const RuntimeOptions options_;
  const Edges edges_;
  Store& store_;
  std::unique_ptr<Reader> reader_;  // history lane

  boost::asio::io_context io_;
  boost::asio::steady_timer tick_timer_{io_};
  boost::asio::steady_timer commit_timer_{io_};
  boost::asio::steady_timer gather_timer_{io_};

  // Engine thread only.
  engine::Engine engine_;
  std::vector<Write> writes_;
  uint64_t writes_revision_ = 0;
  bool commit_armed_ = false;
  bool committing_ = false;
  CommitPace pace_;
  uint64_t durable_ = 0;
  std::deque<Pending> pending_;
  size_t pending_size_ = 0;
  std::deque<ControlItem> control_;  // taken, not handled yet
  SteadyTime tick_due_;
  uint64_t session_told_ = 0;  // to the engine
  bool stopping_ = false;

  // Any thread.
  Inbox inbox_;
  Watchers watchers_;
  std::atomic<bool> awake_{false};
  std::atomic<uint64_t> broker_session_{0};
  std::atomic<SteadyTime> broker_session_since_{};
  std::atomic<uint64_t> session_heard_{0};  // by the engine
  std::atomic<SteadyTime> commit_since_{};  // zero: none is under way
  std::atomic<uint64_t> callers_gone_{0};
  std::atomic<bool> gathering_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<uint64_t> commits_{0};
  std::atomic<uint64_t> writes_count_{0};
  std::atomic<uint64_t> durable_shown_{0};
  // When the next tick is due, and how late the last one was, for readiness.
  std::atomic<SteadyTime> tick_due_shown_{};
  std::atomic<std::chrono::steady_clock::duration> last_late_{};
  Lag slice_;
  Lag walk_;
  Lag tick_cpu_;
  Lag events_cpu_;
  Lag lag_;
  Lag commit_lag_;
  mutable std::mutex counters_mutex_;
  engine::Counters engine_counters_;  // guarded by counters_mutex_

  // Last: their threads use what is above.
  Router router_;
  Lane writer_;
  Lane history_;
  std::thread engine_thread_;
};

}  // namespace covey::runtime
