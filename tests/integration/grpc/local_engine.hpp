// SPDX-License-Identifier: Apache-2.0
// The real engine on one thread behind the port that the adapter knows; its writes are durable at
// once. Stops with its object: what is asked after that is refused.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "gateway/runtime/engine_port.hpp"

namespace covey::test {

class LocalEngine final : public runtime::EnginePort {
 public:
  explicit LocalEngine(Snapshot snapshot) : engine_(load(std::move(snapshot))) {
    thread_ = std::thread([this] { run(); });
  }
  ~LocalEngine() override {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  void submit(engine::CommandRequest request,
              std::function<void(Result<engine::CommandReply>)> done) override {
    (void)post([this, request = std::move(request), done = std::move(done)] {
      engine::Event event = engine::CommandReceived{1, request};
      turn({&event, 1}, done);
    });
  }
  void walk(Some some, Done done, Wanted wanted) override {
    ++walks;
    const bool posted =
        post([this, some = std::move(some), done, wanted = std::move(wanted)]() mutable {
          if (wanted && !wanted()) {
            ++abandoned;
            return done(runtime::nobody_waits());
          }
          if (some(engine_)) return done({});
          walk(std::move(some), std::move(done), std::move(wanted));
        });
    if (!posted) done(runtime::shutting_down());
  }
  uint64_t watch(std::function<void(uint64_t)> changed) override {
    const std::lock_guard lock(watch_mutex_);
    watchers_[++next_] = std::move(changed);
    return next_;
  }
  void unwatch(uint64_t id) override {
    const std::lock_guard lock(watch_mutex_);
    watchers_.erase(id);
  }
  void history(std::function<void(Reader&)> query, Done done, Wanted) override {
    if (history_busy) return done(runtime::engine_busy());
    const bool posted = post([this, query = std::move(query), done] {
      query(log_);
      done({});
    });
    if (!posted) done(runtime::shutting_down());
  }
  runtime::LagFigures lag() const override { return {.count = 100, .p99_us = 1234}; }
  std::vector<runtime::HealthCheck> health() const override {
    return {{"store", ready, ready ? "" : "DISK_FULL: free space"}};
  }
  std::map<std::string, std::string> endpoints() const override { return {}; }

  // Adds `count` events of a rollout to the history, numbered from 1.
  void add_events(const RolloutName& rollout, uint64_t count) {
    const std::lock_guard turn(turn_mutex_);
    for (uint64_t i = 1; i <= count; ++i) {
      log_.event_rows.push_back({i, rollout, Millis{0}, "KIND", "", ""});
    }
  }
  // Of the history's pages so far.
  size_t rows_read() {
    const std::lock_guard turn(turn_mutex_);
    return log_.rows_read;
  }
  std::atomic<bool> ready{true};
  std::atomic<uint64_t> walks{0};
  std::atomic<uint64_t> abandoned{0};     // walks whose caller had gone
  std::atomic<bool> history_busy{false};  // as if too many pages were waiting

  // Holds the engine thread until the returned object is gone.
  std::unique_lock<std::mutex> hold() { return std::unique_lock(turn_mutex_); }

 private:
  struct Log final : Reader {
    std::vector<EventRecord> event_rows;
    std::vector<AuditRecord> audit_rows;
    std::map<RolloutName, std::shared_ptr<const RolloutPlan>> plan_rows;
    std::map<uint64_t, Deployment> deployment_rows;
    size_t rows_read = 0;

    template <typename Row>
    std::vector<Row> page_of(const std::vector<Row>& rows, Page page, const auto& wanted) {
      std::vector<Row> out;
      const auto add = [&](const Row& row) {
        if (out.size() < page.limit && wanted(row)) out.push_back(row);
      };
      const auto within = [&](const Row& row) {
        return row.sequence > page.after && (page.before == 0 || row.sequence < page.before);
      };
      if (page.order == PageOrder::kOldestFirst) {
        for (const Row& row : rows) {
          if (within(row)) add(row);
        }
      } else {
        for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
          if (within(*row)) add(*row);
        }
      }
      rows_read += out.size();
      return out;
    }
    Result<std::vector<EventRecord>> events(const RolloutName& rollout, Page page) override {
      return page_of(event_rows, page, [&](const auto& row) { return row.rollout == rollout; });
    }
    Result<std::vector<AuditRecord>> audit(Page page) override {
      return page_of(audit_rows, page, [](const auto&) { return true; });
    }
    Result<std::vector<Deployment>> deployments(const RolloutName& rollout, uint64_t after,
                                                size_t limit) override {
      std::vector<Deployment> rows;
      for (auto next = deployment_rows.upper_bound(after);
           next != deployment_rows.end() && rows.size() < limit; ++next) {
        if (next->second.rollout == rollout) rows.push_back(next->second);
      }
      return rows;
    }
    Result<std::vector<WindowRecord>> windows(std::span<const Digest>, const DeviceId&,
                                              Page) override {
      return std::vector<WindowRecord>{};
    }
    Result<StoredInference> inference(const DeviceId&, uint64_t, uint64_t) override {
      return StoredInference{};
    }
    Result<std::optional<RolloutPlan>> rollout_plan(const RolloutName& rollout) override {
      const auto found = plan_rows.find(rollout);
      if (found == plan_rows.end()) return std::optional<RolloutPlan>{};
      return std::optional(*found->second);
    }
  };

  static engine::Engine load(Snapshot snapshot) {
    Result<engine::Engine> engine = engine::Engine::load(
        std::move(snapshot), {}, {Millis{1000}, Millis{1'700'000'000'000}}, nullptr);
    COVEY_ASSERT(engine.ok());
    return *std::move(engine);
  }

  bool post(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return false;
      jobs_.push_back(std::move(job));
    }
    wake_.notify_one();
    return true;
  }
  void run() {
    for (;;) {
      std::function<void()> job;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
        if (stopped_) return;
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      const std::lock_guard turn(turn_mutex_);
      job();
    }
  }
  void turn(std::span<engine::Event> events,
            const std::function<void(Result<engine::CommandReply>)>& done) {
    now_ += Millis{10};
    engine::Output output = engine_.handle(events, {now_, Millis{1'700'000'000'000} + now_});
    for (const Write& write : output.writes) {
      if (const auto* event = std::get_if<AppendEvent>(&write)) {
        log_.event_rows.push_back(event->event);
      }
      if (const auto* put = std::get_if<PutRolloutPlan>(&write)) {
        log_.plan_rows.insert_or_assign(put->plan->name, put->plan);
      }
      if (const auto* put = std::get_if<PutDeployment>(&write)) {
        log_.deployment_rows.insert_or_assign(put->deployment.number, put->deployment);
      }
      if (const auto* entry = std::get_if<AppendAudit>(&write)) {
        log_.audit_rows.push_back(entry->entry);
      }
    }
    for (engine::Effect& effect : output.after_commit) {
      if (auto* reply = std::get_if<engine::Reply>(&effect)) done(std::move(reply->result));
    }
    std::vector<std::function<void(uint64_t)>> watchers;
    {
      const std::lock_guard lock(watch_mutex_);
      for (const auto& [id, changed] : watchers_) watchers.push_back(changed);
    }
    for (const auto& changed : watchers) changed(output.revision);
  }

  engine::Engine engine_;
  Millis now_{1000};
  Log log_;

  std::mutex turn_mutex_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;                    // guarded by mutex_
  std::deque<std::function<void()>> jobs_;  // guarded by mutex_
  std::mutex watch_mutex_;
  uint64_t next_ = 0;
  std::map<uint64_t, std::function<void(uint64_t)>> watchers_;
  std::thread thread_;
};

}  // namespace covey::test
