#include "gateway/runtime/runtime.hpp"

#include <algorithm>
#include <csignal>
#include <ctime>
#include <future>
#include <utility>

#include <boost/asio/post.hpp>

namespace covey::runtime {
namespace {

using SteadyClock = std::chrono::steady_clock;

Now now_of_clocks() {
  return {std::chrono::duration_cast<Millis>(SteadyClock::now().time_since_epoch()),
          std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())};
}

std::chrono::nanoseconds processor_time() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

Error full() {
  return {Code::kResourceExhausted, "CONTROL_QUEUE_FULL",
          "coveyd has too many requests waiting: try again in a moment"};
}

}  // namespace

std::string_view to_string(EventClass event_class) {
  switch (event_class) {
    case EventClass::kControl:
      return "control";
    case EventClass::kLifecycle:
      return "lifecycle";
    case EventClass::kTelemetry:
      return "telemetry";
  }
  return "unknown";
}

Runtime::Runtime(engine::Engine engine, Store& store, std::unique_ptr<Reader> reader,
                 RuntimeOptions options, Edges edges)
    : options_(std::move(options)),
      edges_(std::move(edges)),
      store_(store),
      reader_(std::move(reader)),
      engine_(std::move(engine)),
      durable_(engine_.revision()),
      control_(options_.control_queue),
      lifecycle_(options_.lifecycle_queue),
      telemetry_(options_.telemetry_queue) {
  durable_shown_ = durable_;
}

Runtime::~Runtime() { stop(1s); }

void Runtime::start() {
  tick_due_ = SteadyClock::now();
  arm_tick();
  writer_thread_ = std::thread([this] { write_loop(); });
  outbox_thread_ = std::thread([this] { outbox_loop(); });
  history_thread_ = std::thread([this] { history_loop(); });
  judge_thread_ = std::thread([this] { judge_loop(); });
  engine_thread_ = std::thread([this] {
    const auto work = boost::asio::make_work_guard(io_);
    io_.run();
  });
}

void Runtime::stop(Millis deadline) {
  if (stopped_.exchange(true) || !engine_thread_.joinable()) return;
  control_.close();
  lifecycle_.close();
  telemetry_.close();
  // The engine thread drains its queues and asks for the last commit, then ends its loop.
  boost::asio::post(io_, [this] {
    stopping_ = true;
    tick_timer_.cancel();
    finish();
  });
  std::packaged_task<void()> join([this] { engine_thread_.join(); });
  std::future<void> joined = join.get_future();
  std::thread joiner(std::move(join));
  if (joined.wait_for(deadline) != std::future_status::ready) io_.stop();
  joiner.join();
  const auto end = [](std::mutex& mutex, std::condition_variable& ready, bool& flag,
                      std::thread& thread) {
    {
      const std::lock_guard lock(mutex);
      flag = true;
    }
    ready.notify_all();
    if (thread.joinable()) thread.join();
  };
  end(job_mutex_, job_ready_, jobs_end_, writer_thread_);
  end(outbox_mutex_, outbox_ready_, outbox_end_, outbox_thread_);
  end(history_mutex_, history_ready_, history_end_, history_thread_);
  end(judge_mutex_, judge_ready_, judge_end_, judge_thread_);
  const Error gone{Code::kUnavailable, "SHUTTING_DOWN", "coveyd is stopping: try again"};
  // What the deadline left in the queue is answered too: somebody waits for it.
  for (ControlItem& item : control_.pop_some(control_.capacity())) {
    if (auto* ticket = std::get_if<Ticket>(&item)) (*ticket->done)(gone);
  }
  for (auto& [ticket, done] : tickets_) done(gone);
  tickets_.clear();
}

bool Runtime::post(EventClass event_class, engine::Event event) {
  if (options_.read_only) return false;
  bool taken = false;
  switch (event_class) {
    case EventClass::kControl:
      taken = control_.try_push(ControlItem(std::move(event)));
      break;
    case EventClass::kLifecycle:
      taken = lifecycle_.try_push(std::move(event));
      break;
    case EventClass::kTelemetry:
      taken = telemetry_.try_push(std::move(event));
      break;
  }
  if (taken) {
    wake();
  } else {
    ++queue_full_[static_cast<size_t>(event_class)];
  }
  return taken;
}

void Runtime::set_broker_connected(bool connected) { broker_connected_ = connected; }

void Runtime::submit(engine::CommandRequest request,
                     std::function<void(Result<engine::CommandReply>)> done) {
  if (options_.read_only) return done(*options_.read_only);
  const uint64_t ticket = ++ticket_;
  // The ticket is known before the command can be answered: both travel in one item.
  auto waiting =
      std::make_shared<std::function<void(Result<engine::CommandReply>)>>(std::move(done));
  if (stopped_ || !control_.try_push(ControlItem(Ticket{ticket, waiting}))) {
    ++queue_full_[static_cast<size_t>(EventClass::kControl)];
    return (*waiting)(full());
  }
  if (!control_.try_push(
          ControlItem(engine::Event(engine::CommandReceived{ticket, std::move(request)})))) {
    ++queue_full_[static_cast<size_t>(EventClass::kControl)];
    // Its ticket is in the queue already: answer through it.
    boost::asio::post(io_, [this, ticket] {
      drain();
      const auto found = tickets_.find(ticket);
      if (found == tickets_.end()) return;
      const auto answer = std::move(found->second);
      tickets_.erase(found);
      answer(full());
    });
    return;
  }
  wake();
}

bool Runtime::read(std::function<void(const engine::Engine&)> look, std::function<void()> durable) {
  if (stopped_ ||
      !control_.try_push(ControlItem(ReadRequest{std::move(look), std::move(durable)}))) {
    ++queue_full_[static_cast<size_t>(EventClass::kControl)];
    return false;
  }
  wake();
  return true;
}

uint64_t Runtime::watch(std::function<void(uint64_t)> changed) {
  const std::lock_guard lock(watch_mutex_);
  watchers_.emplace(++watcher_, std::move(changed));
  return watcher_;
}

void Runtime::unwatch(uint64_t id) {
  const std::lock_guard lock(watch_mutex_);
  watchers_.erase(id);
}

bool Runtime::history(std::function<void(Reader&)> query, std::function<void()> done) {
  {
    const std::lock_guard lock(history_mutex_);
    if (history_end_ || history_.size() >= options_.history_max) return false;
    history_.push_back({std::move(query), std::move(done)});
  }
  history_ready_.notify_one();
  return true;
}

std::vector<HealthCheck> Runtime::health() const {
  std::vector<HealthCheck> checks;
  // A tick that does not come counts as one that came late: the engine may stand still.
  const auto late = std::max(last_late_.load(), SteadyClock::now() - tick_due_shown_.load());
  const bool behind = late > options_.lag_max;
  checks.push_back({"engine", !behind,
                    behind ? "ENGINE_LAG: the engine is " +
                                 std::to_string(std::chrono::duration_cast<Millis>(late).count()) +
                                 " ms behind: too much load, or a slow disk"
                           : ""});
  const std::optional<Error>& read_only = options_.read_only;
  checks.push_back(
      {"store", !read_only, read_only ? read_only->reason + ": " + read_only->message : ""});
  if (edges_.health) {
    for (HealthCheck& check : edges_.health()) checks.push_back(std::move(check));
  }
  return checks;
}

std::map<std::string, std::string> Runtime::endpoints() const {
  return edges_.endpoints ? edges_.endpoints() : std::map<std::string, std::string>{};
}

RuntimeCounters Runtime::counters() const {
  RuntimeCounters counters;
  for (size_t i = 0; i < queue_full_.size(); ++i) counters.queue_full[i] = queue_full_[i];
  counters.queued = {control_.size(), lifecycle_.size(), telemetry_.size()};
  counters.commits = commits_;
  counters.writes = writes_count_;
  counters.outbox_full = outbox_full_;
  counters.revision_durable = durable_shown_;
  counters.slice = slice_.figures();
  counters.tick_cpu = tick_cpu_.figures();
  counters.events_cpu = events_cpu_.figures();
  counters.lag = lag_.figures();
  counters.commit = commit_lag_.figures();
  return counters;
}

engine::Counters Runtime::engine_counters() const {
  const std::lock_guard lock(watch_mutex_);
  return engine_counters_;
}

void Runtime::wake() {
  if (!awake_.exchange(true)) boost::asio::post(io_, [this] { drain(); });
}

void Runtime::drain() {
  awake_ = false;
  std::vector<engine::Event> batch;
  const auto flush = [&] {
    if (!batch.empty()) handle(std::exchange(batch, {}), events_cpu_);
  };
  for (ControlItem& item : control_.pop_some(options_.batch_max)) {
    if (auto* event = std::get_if<engine::Event>(&item)) {
      batch.push_back(std::move(*event));
    } else if (auto* ticket = std::get_if<Ticket>(&item)) {
      tickets_.emplace(ticket->number, std::move(*ticket->done));
    } else {
      // A read sees what came before it, and nothing that came after.
      flush();
      run_read(std::get<ReadRequest>(std::move(item)));
    }
  }
  for (engine::Event& event : lifecycle_.pop_some(options_.batch_max)) {
    batch.push_back(std::move(event));
  }
  if (writes_.size() < options_.writes_max) {
    for (engine::Event& event : telemetry_.pop_some(options_.batch_max)) {
      batch.push_back(std::move(event));
    }
  }
  flush();
  const bool more = control_.size() + lifecycle_.size() > 0 ||
                    (telemetry_.size() > 0 && writes_.size() < options_.writes_max);
  // Other handlers (ticks, finished commits) get their turn between two slices.
  if (more) wake();
}

// The last turn: everything that was taken, then the last commit. Telemetry that does not fit is
// not acknowledged: devices send it again.
void Runtime::finish() {
  while (!io_.stopped() && (control_.size() + lifecycle_.size() > 0 ||
                            (telemetry_.size() > 0 && writes_.size() < options_.writes_max))) {
    drain();
  }
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
    const std::lock_guard lock(watch_mutex_);
    engine_counters_ = engine_.state().counters;
  }
  const bool wrote = !output.writes.empty();
  if (wrote) {
    writes_.insert(writes_.end(), std::make_move_iterator(output.writes.begin()),
                   std::make_move_iterator(output.writes.end()));
    writes_revision_ = output.revision;
  }
  if (!output.after_commit.empty()) {
    release({output.revision, std::move(output.after_commit), nullptr});
  }
  if (wrote) commit_soon(output.urgent);
}

void Runtime::run_read(ReadRequest request) {
  request.look(engine_);
  if (request.durable) release({engine_.revision(), {}, std::move(request.durable)});
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
  if (!options_.read_only) handle({engine::Event(engine::Tick{broker_connected_})}, tick_cpu_);
  if (writes_.size() < options_.writes_max && telemetry_.size() > 0) wake();
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
  {
    const std::lock_guard lock(job_mutex_);
    jobs_.push_back({std::exchange(writes_, {}), writes_revision_, SteadyClock::now()});
  }
  job_ready_.notify_one();
}

void Runtime::on_committed(uint64_t revision, SteadyClock::time_point since) {
  commit_lag_.observe(SteadyClock::now() - since);
  committing_ = false;
  durable_ = revision;
  durable_shown_ = revision;
  release(revision);
  std::vector<std::function<void(uint64_t)>> watchers;
  {
    const std::lock_guard lock(watch_mutex_);
    for (const auto& [id, changed] : watchers_) watchers.push_back(changed);
  }
  for (const auto& changed : watchers) changed(revision);
  if (!writes_.empty()) submit_commit();
  if (stopping_) return finish();
  if (telemetry_.size() > 0) wake();
}

void Runtime::release(uint64_t revision) {
  while (!pending_.empty() && pending_.front().revision <= revision) {
    Pending pending = std::move(pending_.front());
    pending_.pop_front();
    pending.revision = 0;
    release(std::move(pending));
  }
}

void Runtime::release(Pending pending) {
  // Order is kept: nothing overtakes what waits for an earlier revision.
  if (pending.revision > durable_ || (pending.revision != 0 && !pending_.empty())) {
    pending_.push_back(std::move(pending));
    return;
  }
  std::vector<engine::Effect> out;
  for (engine::Effect& effect : pending.effects) {
    if (auto* reply = std::get_if<engine::Reply>(&effect)) {
      const auto found = tickets_.find(reply->ticket);
      if (found == tickets_.end()) continue;
      const auto done = std::move(found->second);
      tickets_.erase(found);
      done(std::move(reply->result));
    } else if (auto* question = std::get_if<engine::JudgeWindow>(&effect)) {
      judge_soon(std::move(question->window));
    } else {
      out.push_back(std::move(effect));
    }
  }
  if (pending.durable) pending.durable();
  if (out.empty()) return;
  {
    const std::lock_guard lock(outbox_mutex_);
    for (engine::Effect& effect : out) {
      // Devices ask again for what they miss; goals are said again at the next hello.
      if (outbox_.size() >= options_.outbox_max) {
        ++outbox_full_;
      } else {
        outbox_.push_back(std::move(effect));
      }
    }
  }
  outbox_ready_.notify_one();
}

void Runtime::judge_soon(std::shared_ptr<const engine::WindowSnapshot> window) {
  {
    // The engine asks one question at a time: a second one replaces what nobody waits for any more.
    const std::lock_guard lock(judge_mutex_);
    judged_ = std::move(window);
  }
  judge_ready_.notify_one();
}

void Runtime::judge_loop() {
  for (;;) {
    std::shared_ptr<const engine::WindowSnapshot> window;
    {
      std::unique_lock lock(judge_mutex_);
      judge_ready_.wait(lock, [this] { return judged_ || judge_end_; });
      if (judge_end_) return;
      window = std::exchange(judged_, nullptr);
    }
    engine::Event answer = engine::WindowJudged{engine::judge(*window)};
    boost::asio::post(io_, [this, answer = std::move(answer)] { handle({answer}, events_cpu_); });
  }
}

void Runtime::write_loop() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(job_mutex_);
      job_ready_.wait(lock, [this] { return !jobs_.empty() || jobs_end_; });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    if (const Status done = store_.commit(job.writes); !done) return edges_.fatal(done.error());
    writes_count_ += job.writes.size();
    if (++commits_ == options_.kill_after_commits) std::raise(SIGKILL);
    boost::asio::post(
        io_, [this, revision = job.revision, since = job.since] { on_committed(revision, since); });
  }
}

void Runtime::outbox_loop() {
  for (;;) {
    std::deque<engine::Effect> effects;
    {
      std::unique_lock lock(outbox_mutex_);
      outbox_ready_.wait(lock, [this] { return !outbox_.empty() || outbox_end_; });
      if (outbox_.empty()) return;
      effects.swap(outbox_);
    }
    edges_.deliver(effects);
  }
}

void Runtime::history_loop() {
  for (;;) {
    HistoryRequest request;
    {
      std::unique_lock lock(history_mutex_);
      history_ready_.wait(lock, [this] { return !history_.empty() || history_end_; });
      if (history_.empty()) return;
      request = std::move(history_.front());
      history_.pop_front();
    }
    if (reader_) request.query(*reader_);
    request.done();
  }
}

}  // namespace covey::runtime
