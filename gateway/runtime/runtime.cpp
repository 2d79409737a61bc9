// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/runtime.hpp"

#include <algorithm>
#include <csignal>
#include <future>
#include <utility>

#include <boost/asio/post.hpp>

#include "gateway/runtime/clocks.hpp"

namespace covey::runtime {
namespace {

using SteadyClock = std::chrono::steady_clock;

Error full() {
  return {Code::kResourceExhausted, "CONTROL_QUEUE_FULL",
          "coveyd has too many requests waiting: try again in a moment"};
}

}  // namespace

Runtime::Runtime(engine::Engine engine, Store& store, std::unique_ptr<Reader> reader,
                 RuntimeOptions options, Edges edges)
    : options_(std::move(options)),
      edges_(std::move(edges)),
      store_(store),
      reader_(std::move(reader)),
      engine_(std::move(engine)),
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
  const Error gone{Code::kUnavailable, "SHUTTING_DOWN", "coveyd is stopping: try again"};
  router_.stop(left(), gone);
  // What the deadline left in the queue is answered too: somebody waits for it.
  for (ControlItem& item : inbox_.take_control(SIZE_MAX)) {
    if (auto* command = std::get_if<CommandItem>(&item)) command->done(gone);
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
  broker_session_ = number;
  wake();
}

void Runtime::submit(engine::CommandRequest request,
                     std::function<void(Result<engine::CommandReply>)> done) {
  if (options_.read_only) return done(*options_.read_only);
  ControlItem item(CommandItem{std::move(request), std::move(done)});
  if (!inbox_.push(std::move(item))) return std::get<CommandItem>(item).done(full());
  wake();
}

bool Runtime::read(std::function<void(const engine::Engine&)> look, std::function<void()> durable) {
  if (!inbox_.push(ControlItem(ReadRequest{std::move(look), std::move(durable)}))) return false;
  wake();
  return true;
}

bool Runtime::history(std::function<void(Reader&)> query, std::function<void()> done) {
  return history_.post([this, query = std::move(query), done = std::move(done)] {
    query(*reader_);
    done();
  });
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

void Runtime::drain() {
  awake_ = false;
  std::vector<engine::Event> batch;
  const auto flush = [&] {
    if (!batch.empty()) handle(std::exchange(batch, {}), events_cpu_);
  };
  std::deque<ControlItem> control = inbox_.take_control(options_.batch_max);
  std::deque<engine::Event> events = inbox_.take_lifecycle(options_.batch_max);
  if (writes_.size() < options_.writes_max) {
    for (engine::Event& event : inbox_.take_telemetry(options_.batch_max)) {
      events.push_back(std::move(event));
    }
  }
  // Read after the queues: no word of a session is handled before the session itself.
  if (!options_.read_only && broker_session_ != session_told_) batch.emplace_back(tick());
  for (ControlItem& item : control) {
    if (auto* event = std::get_if<engine::Event>(&item)) {
      batch.push_back(std::move(*event));
    } else if (auto* command = std::get_if<CommandItem>(&item)) {
      const uint64_t ticket = router_.expect(std::move(command->done));
      batch.emplace_back(engine::CommandReceived{ticket, std::move(command->request)});
    } else {
      // A read sees what came before it, and nothing that came after.
      flush();
      run_read(std::get<ReadRequest>(item));
    }
  }
  for (engine::Event& event : events) batch.push_back(std::move(event));
  flush();
  // Other handlers (ticks, finished commits) get their turn between two slices.
  if (inbox_.has_urgent() || takes_telemetry()) wake();
}

engine::Tick Runtime::tick() {
  session_told_ = broker_session_;
  return {session_told_};
}

bool Runtime::takes_telemetry() const {
  return inbox_.has_telemetry() && writes_.size() < options_.writes_max;
}

// The last turn: everything that was taken, then the last commit. Telemetry that does not fit is
// not acknowledged: devices send it again.
void Runtime::finish() {
  while (!io_.stopped() && (inbox_.has_urgent() || takes_telemetry())) drain();
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

void Runtime::run_read(const ReadRequest& request) {
  request.look(engine_);
  if (request.durable) release_when_durable({engine_.revision(), {}, request.durable});
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
  if (!options_.read_only) handle({engine::Event(tick())}, tick_cpu_);
  if (takes_telemetry()) wake();
  arm_tick();
}

void Runtime::commit_soon(bool urgent) {
  if (committing_) return;  // the next one starts when this one is done
  if (urgent || writes_.size() >= options_.writes_max / 2) return submit_commit();
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
  const bool taken =
      writer_.post([this, rows = std::exchange(writes_, {}), revision = writes_revision_,
                    since = SteadyClock::now()] { write(rows, revision, since); });
  COVEY_ASSERT(taken);  // one commit is under way at most
}

void Runtime::write(const std::vector<Write>& rows, uint64_t revision, SteadyTime since) {
  if (const Status done = store_.commit(rows); !done) return edges_.fatal(done.error());
  writes_count_ += rows.size();
  if (++commits_ == options_.kill_after_commits) std::raise(SIGKILL);
  boost::asio::post(io_, [this, revision, since] { on_committed(revision, since); });
}

void Runtime::on_committed(uint64_t revision, SteadyTime since) {
  commit_lag_.observe(SteadyClock::now() - since);
  committing_ = false;
  durable_ = revision;
  durable_shown_ = revision;
  while (!pending_.empty() && pending_.front().revision <= revision) {
    Pending next = std::move(pending_.front());
    pending_.pop_front();
    release(std::move(next));
  }
  watchers_.tell(revision);
  if (!writes_.empty()) submit_commit();
  if (stopping_) return finish();
  if (inbox_.has_telemetry()) wake();
}

// Order is kept: nothing overtakes what waits for an earlier revision.
void Runtime::release_when_durable(Pending pending) {
  if (pending.revision > durable_ || !pending_.empty()) {
    pending_.push_back(std::move(pending));
  } else {
    release(std::move(pending));
  }
}

void Runtime::release(Pending pending) {
  router_.route(std::move(pending.effects));
  if (pending.durable) pending.durable();
}

}  // namespace covey::runtime
