// One thread for slow work, so that neither gRPC's threads nor the engine wait for it. post() from
// any thread; stop() on one. Work left when it stops is destroyed unrun.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "core/bounded_queue.hpp"

namespace covey::api {

class Worker {
 public:
  explicit Worker(size_t capacity) : queue_(capacity), thread_([this] { run(); }) {}
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] bool post(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_ || !queue_.try_push(std::move(work))) return false;
    }
    wake_.notify_one();
    return true;
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      queue_.close();
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    (void)queue_.pop_some(queue_.capacity());  // jobs may hold what holds this worker
  }

 private:
  void run() {
    for (;;) {
      std::deque<std::function<void()>> work;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopped_ || queue_.size() > 0; });
        if (stopped_) return;
        work = queue_.pop_some(1);
      }
      for (const auto& job : work) job();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;  // guarded by mutex_
  BoundedQueue<std::function<void()>> queue_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace covey::api
