// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/lane.hpp"

#include <pthread.h>

#include <utility>

namespace covey::runtime {
namespace {

constexpr size_t kThreadNameMax = 15;  // of Linux, without the zero

}  // namespace

Lane::Lane(std::string name, size_t capacity)
    : capacity_(capacity), thread_([this, name = std::move(name)] { run(name); }) {}

bool Lane::post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || jobs_.size() >= capacity_) return false;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

void Lane::stop(Millis deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) end_ = std::chrono::steady_clock::now() + deadline;
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  // What a job holds may use this lane when it goes: not under the lock.
  std::deque<Job> unrun;
  const std::lock_guard lock(mutex_);
  unrun.swap(jobs_);
}

size_t Lane::queued() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void Lane::run(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, kThreadNameMax).c_str());
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    if (stopping_ && std::chrono::steady_clock::now() >= end_) return;
    // What a job holds goes before the next one is looked for.
    {
      const Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
    }
    lock.lock();
  }
}

}  // namespace covey::runtime
