// The production interpreter of the engine: real time, threads, group commit.
//
//   engine thread   an Asio io_context of one thread: owns the Engine, handles batches of events
//   writer thread   one commit at a time; the only one that writes to the store
//   outbox thread   hands effects to `deliver` (MQTT, broker), in order, after their commit
//   history thread  pages of history from a Reader
//   judge thread    the statistics of a window, one at a time
//
// Adapters' threads only enqueue. Queues are bounded by class: control (full: RESOURCE_EXHAUSTED),
// lifecycle and telemetry (full: not acknowledged, the agent keeps and resends). Every drop counts.
// A failed commit ends in `fatal`, which must not return.
//
// With `read_only` (a full disk) the engine stands still: reads, watches and history are served,
// commands are refused with that error, events are not taken, nothing is committed.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "core/bounded_queue.hpp"
#include "gateway/runtime/engine_port.hpp"
#include "gateway/runtime/lag.hpp"

namespace covey::runtime {

enum class EventClass : uint8_t { kControl, kLifecycle, kTelemetry };
std::string_view to_string(EventClass event_class);  // control, lifecycle, telemetry

struct RuntimeOptions {
  Millis tick{100};
  Millis commit_interval{50};  // telemetry waits this long for company; control does not wait
  size_t control_queue = 1024;
  size_t lifecycle_queue = 16'384;
  size_t telemetry_queue = 65'536;
  size_t batch_max = 128;      // events per slice
  size_t writes_max = 20'000;  // uncommitted: above, telemetry stays in its queue
  size_t outbox_max = 262'144;
  size_t history_max = 256;
  // Fault injection: SIGKILL to ourselves after this many commits, before anything leaves; 0:
  // never.
  uint64_t kill_after_commits = 0;
  Millis lag_max{1000};            // above, readiness fails
  std::optional<Error> read_only;  // why, and what to do
};

struct RuntimeCounters {
  std::array<uint64_t, 3> queue_full{};  // by EventClass
  std::array<uint64_t, 3> queued{};      // now
  uint64_t commits = 0;
  uint64_t writes = 0;
  uint64_t outbox_full = 0;
  uint64_t revision_durable = 0;
  LagFigures slice;  // one turn of the engine
  // The same in processor time, which a busy machine does not lengthen: ticks, and turns of events.
  LagFigures tick_cpu;
  LagFigures events_cpu;
  LagFigures lag;     // how late ticks came
  LagFigures commit;  // from submission to durable
};

class Runtime final : public EnginePort {
 public:
  struct Edges {
    // Outbox thread. What is there, in order; never empty, never a Reply.
    std::function<void(const std::deque<engine::Effect>&)> deliver;
    std::function<void(const Error&)> fatal;           // must not return
    std::function<std::vector<HealthCheck>()> health;  // of the adapters; any thread
    std::function<std::map<std::string, std::string>()> endpoints;
  };

  Runtime(engine::Engine engine, Store& store, std::unique_ptr<Reader> reader,
          RuntimeOptions options, Edges edges);
  ~Runtime() override;
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  void start();
  // Handles what is queued, commits, delivers; at most `deadline`. Then every thread is gone.
  void stop(Millis deadline);

  // Any thread. False: full, the event is dropped and counted.
  bool post(EventClass event_class, engine::Event event);
  // Any thread: the broker session's state, for ticks and readiness.
  void set_broker_connected(bool connected);

  void submit(engine::CommandRequest request,
              std::function<void(Result<engine::CommandReply>)> done) override;
  bool read(std::function<void(const engine::Engine&)> look,
            std::function<void()> durable) override;
  uint64_t watch(std::function<void(uint64_t revision)> changed) override;
  void unwatch(uint64_t id) override;
  bool history(std::function<void(Reader&)> query, std::function<void()> done) override;
  LagFigures lag() const override { return lag_.figures(); }
  // Not ready: among others, an engine that is further behind than `lag_max` now.
  std::vector<HealthCheck> health() const override;
  std::map<std::string, std::string> endpoints() const override;

  RuntimeCounters counters() const;
  // Engine counters of the last slice, for metrics.
  engine::Counters engine_counters() const;

 private:
  struct ReadRequest {
    std::function<void(const engine::Engine&)> look;
    std::function<void()> durable;
  };
  // Who waits for the answer to the command that follows.
  struct Ticket {
    uint64_t number = 0;
    std::shared_ptr<std::function<void(Result<engine::CommandReply>)>> done;
  };
  using ControlItem = std::variant<engine::Event, ReadRequest, Ticket>;
  // What leaves once `revision` is durable.
  struct Pending {
    uint64_t revision = 0;
    std::vector<engine::Effect> effects;
    std::function<void()> durable;
  };
  struct HistoryRequest {
    std::function<void(Reader&)> query;
    std::function<void()> done;
  };

  void wake();
  void drain();
  void finish();
  void handle(std::vector<engine::Event> batch, Lag& cpu);
  void run_read(ReadRequest request);
  void arm_tick();
  void on_tick();
  void commit_soon(bool urgent);
  void submit_commit();
  void on_committed(uint64_t revision, std::chrono::steady_clock::time_point since);
  void release(uint64_t revision);
  void release(Pending pending);
  void judge_soon(std::shared_ptr<const engine::WindowSnapshot> window);
  void write_loop();
  void outbox_loop();
  void history_loop();
  void judge_loop();

  const RuntimeOptions options_;
  const Edges edges_;
  Store& store_;
  std::unique_ptr<Reader> reader_;

  boost::asio::io_context io_;
  boost::asio::steady_timer tick_timer_{io_};
  boost::asio::steady_timer commit_timer_{io_};

  // Engine thread only.
  engine::Engine engine_;
  std::vector<Write> writes_;
  uint64_t writes_revision_ = 0;
  bool commit_armed_ = false;
  bool committing_ = false;
  uint64_t durable_ = 0;
  std::deque<Pending> pending_;
  std::chrono::steady_clock::time_point tick_due_;
  std::map<uint64_t, std::function<void(Result<engine::CommandReply>)>> tickets_;
  bool stopping_ = false;

  // Any thread.
  BoundedQueue<ControlItem> control_;
  BoundedQueue<engine::Event> lifecycle_;
  BoundedQueue<engine::Event> telemetry_;
  std::atomic<bool> awake_{false};
  std::atomic<bool> broker_connected_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<uint64_t> ticket_{0};
  std::array<std::atomic<uint64_t>, 3> queue_full_{};
  std::atomic<uint64_t> commits_{0};
  std::atomic<uint64_t> writes_count_{0};
  std::atomic<uint64_t> outbox_full_{0};
  std::atomic<uint64_t> durable_shown_{0};
  // When the next tick is due, and how late the last one was, for readiness.
  std::atomic<std::chrono::steady_clock::time_point> tick_due_shown_{};
  std::atomic<std::chrono::steady_clock::duration> last_late_{};
  Lag slice_;
  Lag tick_cpu_;
  Lag events_cpu_;
  Lag lag_;
  Lag commit_lag_;

  mutable std::mutex watch_mutex_;
  std::map<uint64_t, std::function<void(uint64_t)>> watchers_;  // guarded by watch_mutex_
  uint64_t watcher_ = 0;                                        // guarded by watch_mutex_
  engine::Counters engine_counters_;                            // guarded by watch_mutex_

  struct Job {
    std::vector<Write> writes;
    uint64_t revision = 0;
    std::chrono::steady_clock::time_point since;
  };
  std::mutex job_mutex_;
  std::condition_variable job_ready_;
  std::deque<Job> jobs_;   // guarded by job_mutex_; at most one
  bool jobs_end_ = false;  // guarded by job_mutex_

  std::mutex outbox_mutex_;
  std::condition_variable outbox_ready_;
  std::deque<engine::Effect> outbox_;  // guarded by outbox_mutex_; at most outbox_max
  bool outbox_end_ = false;            // guarded by outbox_mutex_

  std::mutex history_mutex_;
  std::condition_variable history_ready_;
  std::deque<HistoryRequest> history_;  // guarded by history_mutex_; at most history_max
  bool history_end_ = false;            // guarded by history_mutex_

  std::mutex judge_mutex_;
  std::condition_variable judge_ready_;
  std::shared_ptr<const engine::WindowSnapshot> judged_;  // guarded by judge_mutex_: the next one
  bool judge_end_ = false;                                // guarded by judge_mutex_

  std::thread engine_thread_;
  std::thread writer_thread_;
  std::thread outbox_thread_;
  std::thread history_thread_;
  std::thread judge_thread_;
};

}  // namespace covey::runtime
