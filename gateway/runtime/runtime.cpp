// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/runtime.hpp"

#include <algorithm>
#include <csignal>
#include <future>
#include <iterator>
#include <utility>

#include <boost/asio/post.hpp>

#include "gateway/runtime/clocks.hpp"

namespace covey::runtime {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Events that are handled together: few enough for a look at the clock in between.
constexpr size_t kLifecycleAtOnce = 32;

Error full() {
  return {Code::kResourceExhausted, "CONTROL_QUEUE_FULL",
          "coveyd has too many requests waiting: try again in a moment"};
}

// A page of history, answered exactly once: also when its job is dropped unrun.
class Page {
 public:
  explicit Page(EnginePort::Done done) : done_(std::move(done)) {}
  ~Page() { answer(shutting_down()); }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;
  void answer(const Status& status) {
    if (done_) std::exchange(done_, nullptr)(status);
  }

 private:
  EnginePort::Done done_;
};

}  // namespace

Runtime::Runtime(engine::Engine engine, Store& store, std::unique_ptr<Reader> reader,
                 RuntimeOptions options, Edges edges)
    : options_(std::move(options)),
      edges_(std::move(edges)),
      store_(store),
      reader_(std::move(reader)),
      engine_(std::move(engine)),
      pace_(options_.commit_wanted, options_.writes_max),
      durable_(engine_.revision()),
      inbox_(options_.control_queue, options_.lifecycle_queue, options_.telemetry_queue),
      durable_shown_(durable_),
      router_(edges_.sinks, options_.outbox_max,
              [this](engine::WindowVerdict verdict) {
                boost::asio::post(io_, [this, verdict = std::move(verdict)] {
                  handle({engine::WindowJudged{verdict}}, events_cpu_);
                });
              }),
      writer_("covey-writer", 1),
      history_("covey-history", options_.history_max) {
  COVEY_ASSERT(reader_ != nullptr);
}

Runtime::~Runtime() { stop(1s); }

void Runtime::start() {
  tick_due_ = SteadyClock::now();
  arm_tick();
  engine_thread_ = std::thread([this] {
    const auto work = boost::asio::make_work_guard(io_);
    io_.run();
  });
}

void Runtime::stop(Millis deadline) {
  if (stopped_.exchange(true) || !engine_thread_.joinable()) return;
  const auto end = SteadyClock::now() + deadline;
  const auto left = [end] {
    return std::chrono::duration_cast<Millis>(std::max(end - SteadyClock::now(), 0ns));
  };
  inbox_.close();
  // The engine thread drains its queues and asks for the last commit, then ends its loop.
  boost::asio::post(io_, [this] {
    stopping_ = true;
    tick_timer_.cancel();
    gather_timer_.cancel();
    finish();
  });
  std::future<void> ended = std::async(std::launch::async, [this] { engine_thread_.join(); });
  if (ended.wait_for(deadline) == std::future_status::timeout) io_.stop();
  ended.wait();
  writer_.stop(left());
  history_.stop(left());
  router_.stop(left(), shutting_down());
  // What the deadline left is answered too: somebody waits for it.
  for (const Pending& waits : std::exchange(pending_, {})) {
    if (waits.done) waits.done(shutting_down());
  }
  for (ControlItem& item : inbox_.take_control(SIZE_MAX)) control_.push_back(std::move(item));
  for (ControlItem& item : std::exchange(control_, {})) {
    if (auto* command = std::get_if<CommandItem>(&item)) command->done(shutting_down());
    if (auto* walk = std::get_if<Walk>(&item)) walk->done(shutting_down());
  }
}

bool Runtime::post(EventClass event_class, engine::Event event) {
  if (options_.read_only || !inbox_.push(event_class, std::move(event))) return false;
  if (event_class == EventClass::kTelemetry && !inbox_.has_telemetry(options_.gather_max)) {
    wake_soon();
    return true;
  }
  wake();
  return true;
}

void Runtime::set_broker_session(uint64_t number) {
  broker_session_since_ = SteadyClock::now();
  broker_session_ = number;
  wake();
}

void Runtime::submit(engine::CommandRequest request,
                     std::function<void(Result<engine::CommandReply>)> done) {
  if (options_.read_only) return done(*options_.read_only);
  ControlItem item(CommandItem{std::move(request), std::move(done)});
  if (!inbox_.push(std::move(item))) {
    return std::get<CommandItem>(item).done(stopped_ ? shutting_down() : full());
  }
  wake();
}

void Runtime::walk(Some some, Done done, Wanted wanted) {
  if (!done) done = [](const Status&) {};
  ControlItem item(Walk{std::move(some), std::move(done), std::move(wanted)});
  if (!inbox_.push(std::move(item))) return std::get<Walk>(item).done(stopping_or_busy());
  wake();
}

void Runtime::history(std::function<void(Reader&)> query, Done done, Wanted wanted) {
  const auto page = std::make_shared<Page>(std::move(done));
  const bool posted =
      history_.post([this, page, query = std::move(query), wanted = std::move(wanted)] {
        if (wanted && !wanted()) {
          ++callers_gone_;
          return page->answer(nobody_waits());
        }
        query(*reader_);
        page->answer({});
      });
  if (!posted) page->answer(stopping_or_busy());
}

void Runtime::wake() {
  if (!awake_.exchange(true)) boost::asio::post(io_, [this] { drain(); });
}

void Runtime::wake_soon() {
  if (awake_ || gathering_.exchange(true)) return;
  boost::asio::post(io_, [this] {
    gather_timer_.expires_after(options_.gather);
    gather_timer_.async_wait([this](const boost::system::error_code&) {
      gathering_ = false;
      if (!stopping_) wake();
    });
  });
}

// One turn: some of each, and then others (ticks, finished commits) have theirs.
void Runtime::drain() {
  awake_ = false;
  const auto since = SteadyClock::now();
  drain_control(since + options_.turn / 2);
  drain_events(since + options_.turn);
  if (takes_any()) wake();
}

void Runtime::drain_control(SteadyTime until) {
  if (!has_room(Share::kControl)) return;
  if (control_.size() < options_.batch_max) {
    for (ControlItem& item : inbox_.take_control(options_.batch_max - control_.size())) {
      control_.push_back(std::move(item));
    }
  }
  // A walk that isn't over goes to the end of the queue: once round is a turn.
  for (size_t left = control_.size(); left > 0; --left) {
    ControlItem item = std::move(control_.front());
    control_.pop_front();
    run(std::move(item));
    if (SteadyClock::now() >= until || !has_room(Share::kControl)) return;
  }
}

void Runtime::run(ControlItem item) {
  if (auto* walk = std::get_if<Walk>(&item)) return run_walk(std::move(*walk));
  if (auto* command = std::get_if<CommandItem>(&item)) {
    const uint64_t ticket = router_.expect(std::move(command->done));
    return handle({engine::CommandReceived{ticket, std::move(command->request)}}, events_cpu_);
  }
  handle({std::get<engine::Event>(std::move(item))}, events_cpu_);
}

void Runtime::drain_events(SteadyTime until) {
  do {
    std::deque<engine::Event> events;
    if (has_room(Share::kLifecycle)) {
      events = inbox_.take_lifecycle(std::min(options_.batch_max, kLifecycleAtOnce));
    }
    if (has_room(Share::kTelemetry)) {
      for (engine::Event& event : inbox_.take_telemetry(options_.batch_max)) {
        events.push_back(std::move(event));
      }
    }
    std::vector<engine::Event> batch;
    // Read after the queues: no word of a session is handled before the session itself.
    if (!options_.read_only && broker_session_ != session_told_) batch.emplace_back(tick());
    std::move(events.begin(), events.end(), std::back_inserter(batch));
    if (batch.empty()) return;
    handle(std::move(batch), events_cpu_);
  } while (SteadyClock::now() < until);
}

bool Runtime::has_room(Share share) const {
  const auto quarters = static_cast<size_t>(share);
  // A report can wait for one more commit, which a caller or a transfer should not.
  if (share == Share::kTelemetry && writes_.size() >= pace_.rows()) return false;
  return 4 * writes_.size() < quarters * options_.writes_max &&
         4 * pending_size_ < quarters * options_.pending_max;
}

bool Runtime::takes_any() const {
  return (has_room(Share::kControl) && (!control_.empty() || inbox_.has_control())) ||
         (has_room(Share::kLifecycle) && inbox_.has_lifecycle()) || takes_telemetry();
}

engine::Tick Runtime::tick() {
  session_told_ = broker_session_;
  return {.broker_session = session_told_,
          .chunks = edges_.chunks ? edges_.chunks() : engine::ChunkFlow{},
          .backlog = inbox_.backlog(),
          .certificate_until = edges_.certificate_until ? edges_.certificate_until() : Millis{0}};
}

// The last turn: everything that was taken, then the last commit. Telemetry that does not fit is
// not acknowledged: devices send it again.
void Runtime::finish() {
  while (!io_.stopped() && takes_any()) drain();
  if (!committing_) submit_commit();
  if (!committing_) io_.stop();
}

void Runtime::handle(std::vector<engine::Event> batch, Lag& cpu) {
  const auto since = SteadyClock::now();
  const auto spent = processor_time();
  engine::Output output = engine_.handle(batch, now_of_clocks());
  slice_.observe(SteadyClock::now() - since);
  cpu.observe(processor_time() - spent);
  {
    const std::lock_guard lock(counters_mutex_);
    engine_counters_ = engine_.state().counters;
  }
  session_heard_ = engine_.state().clocks.broker_session;
  const bool wrote = !output.writes.empty();
  if (wrote) {
    writes_.insert(writes_.end(), std::make_move_iterator(output.writes.begin()),
                   std::make_move_iterator(output.writes.end()));
    writes_revision_ = output.revision;
  }
  if (!output.after_commit.empty()) {
    release_when_durable({output.revision, std::move(output.after_commit), nullptr});
  }
  if (wrote) commit_soon(output.urgent);
}

void Runtime::run_walk(Walk walk) {
  if (walk.wanted && !walk.wanted()) {
    ++callers_gone_;
    return walk.done(nobody_waits());
  }
  const auto since = SteadyClock::now();
  const bool whole = walk.some(engine_);
  walk_.observe(SteadyClock::now() - since);
  if (!whole) return control_.push_back(std::move(walk));
  release_when_durable({engine_.revision(), {}, std::move(walk.done)});
}

void Runtime::arm_tick() {
  tick_due_ += options_.tick;
  tick_due_shown_ = tick_due_;
  tick_timer_.expires_at(tick_due_);
  tick_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !stopping_) on_tick();
  });
}

void Runtime::on_tick() {
  const auto late = SteadyClock::now() - tick_due_;
  lag_.observe(late);
  last_late_ = late;
  if (late > 1s) tick_due_ = SteadyClock::now();  // do not run after lost ticks
  // A site whose disk does not answer decides nothing more.
  if (!options_.read_only && has_room(Share::kTick)) handle({engine::Event(tick())}, tick_cpu_);
  if (takes_any()) wake();
  arm_tick();
}

void Runtime::commit_soon(bool urgent) {
  if (committing_) return;  // the next one starts when this one is done
  if (urgent || writes_.size() >= pace_.rows() / 2) return submit_commit();
  if (commit_armed_) return;
  commit_armed_ = true;
  commit_timer_.expires_after(options_.commit_interval);
  commit_timer_.async_wait([this](const boost::system::error_code& error) {
    commit_armed_ = false;
    if (!error && !committing_) submit_commit();
  });
}

void Runtime::submit_commit() {
  if (writes_.empty()) return;
  committing_ = true;
  commit_since_ = SteadyClock::now();
  const bool taken =
      writer_.post([this, rows = std::exchange(writes_, {}), revision = writes_revision_,
                    since = SteadyClock::now()] { write(rows, revision, since); });
  COVEY_ASSERT(taken);  // one commit is under way at most
}

void Runtime::write(const std::vector<Write>& rows, uint64_t revision, SteadyTime since) {
  if (const Status done = store_.commit(rows); !done) return edges_.fatal(done.error());
  writes_count_ += rows.size();
  if (++commits_ == options_.kill_after_commits) std::raise(SIGKILL);
  boost::asio::post(
      io_, [this, count = rows.size(), revision, since] { on_committed(count, revision, since); });
}

void Runtime::on_committed(size_t rows, uint64_t revision, SteadyTime since) {
  commit_lag_.observe(SteadyClock::now() - since);
  pace_.observe(rows, SteadyClock::now() - since);
  committing_ = false;
  commit_since_ = SteadyTime{};
  durable_ = revision;
  durable_shown_ = revision;
  while (!pending_.empty() && pending_.front().revision <= revision) {
    Pending next = std::move(pending_.front());
    pending_.pop_front();
    pending_size_ -= next.size();
    release(std::move(next));
  }
  watchers_.tell(revision);
  if (!writes_.empty()) submit_commit();
  if (stopping_) return finish();
  if (takes_any()) wake();
}

// Order is kept: nothing overtakes what waits for an earlier revision.
void Runtime::release_when_durable(Pending pending) {
  if (pending.revision > durable_ || !pending_.empty()) {
    pending_size_ += pending.size();
    pending_.push_back(std::move(pending));
  } else {
    release(std::move(pending));
  }
}

void Runtime::release(Pending pending) {
  router_.route(std::move(pending.effects));
  if (pending.done) pending.done({});
}

}  // namespace covey::runtime
