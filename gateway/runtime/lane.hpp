// SPDX-License-Identifier: Apache-2.0
// One thread with a name, and a bounded queue of jobs before it: for work that others must not wait
// for (a commit, a page of history, the statistics of a window, the checks of an upload).
// Thread safety: post() and queued() from any thread, a job included; stop() from one other.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "core/time.hpp"

namespace covey::runtime {

class Lane {
 public:
  using Job = std::function<void()>;

  // `name` is what the kernel shows (15 characters of it); at most `capacity` jobs wait.
  Lane(std::string name, size_t capacity);
  ~Lane() { stop(Millis{0}); }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // False: full or stopped; the job is destroyed unrun.
  [[nodiscard]] bool post(Job job);
  // Takes nothing more and runs what waits, until `deadline` from now; the job that runs then is
  // waited for, those behind it are destroyed unrun. Repeated calls do nothing.
  void stop(Millis deadline);
  size_t queued() const;

 private:
  void run(const std::string& name);

  const size_t capacity_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point end_;  // once it is stopping
  std::thread thread_;                         // last: it uses the others
};

}  // namespace covey::runtime
