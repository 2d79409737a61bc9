// SPDX-License-Identifier: Apache-2.0
// Lines on their way to a descriptor that may stand still: a bounded queue before a thread of its
// own. Whoever logs only copies; what does not fit is dropped and counted, and said once there is
// room again. A descriptor that nobody reads holds up that thread and nobody else.
//
// Thread safety: every method from any thread. The thread is never joined (it may hang for ever in
// a write): make one that lives as long as the process.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "core/time.hpp"

namespace covey::log {

class LineWriter {
 public:
  // `notice` makes the line that says how many were dropped. At most `bytes_max` wait.
  LineWriter(int fd, size_t bytes_max, std::function<std::string(uint64_t)> notice);

  // False: dropped. A line without its end.
  bool push(std::string line);
  // From the next write on; the descriptor stays its owner's.
  void set_fd(int fd) { fd_ = fd; }
  int fd() const { return fd_; }
  // Until all that was pushed is written, at most `deadline`. False: time ran out.
  bool flush(Millis deadline);
  // For a process that is ending on any thread, from a signal handler too: waits without a lock.
  void wait_written(Millis longest) const;

  uint64_t written() const { return written_; }
  uint64_t dropped() const { return dropped_; }

 private:
  void run();
  bool write_out(const std::string& text) const;

  const size_t bytes_max_;
  const std::function<std::string(uint64_t)> notice_;
  std::atomic<int> fd_;
  std::atomic<uint64_t> waiting_{0};  // lines
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> dropped_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;  // guarded by mutex_
  size_t bytes_ = 0;               // guarded by mutex_: of lines_ and of what is being written
  uint64_t dropped_said_ = 0;      // guarded by mutex_
  std::thread thread_;             // last: it uses the others; a writer is never destroyed
};

}  // namespace covey::log
