// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/log/line_writer.hpp"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>
#include <utility>

namespace covey::log {
namespace {

constexpr size_t kWriteBytesMax = 64 << 10;

}  // namespace

LineWriter::LineWriter(int fd, size_t bytes_max, std::function<std::string(uint64_t)> notice)
    : bytes_max_(bytes_max), notice_(std::move(notice)), fd_(fd) {
  thread_ = std::thread([this] {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "covey-log");
    run();
  });
}

bool LineWriter::push(std::string line) {
  line += '\n';
  {
    const std::lock_guard lock(mutex_);
    if (bytes_ + line.size() > bytes_max_) {
      ++dropped_;
      return false;
    }
    bytes_ += line.size();
    lines_.push_back(std::move(line));
    ++waiting_;
  }
  changed_.notify_all();
  return true;
}

bool LineWriter::flush(Millis deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, deadline,
                           [this] { return bytes_ == 0 && dropped_said_ == dropped_; });
}

void LineWriter::wait_written(Millis longest) const {
  const timespec pause{0, 5'000'000};
  for (int64_t left = longest.count(); left > 0 && waiting_ > 0; left -= 5) {
    ::nanosleep(&pause, nullptr);
  }
}

void LineWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !lines_.empty() || dropped_said_ != dropped_; });
    std::string text;
    uint64_t lines = 0;
    for (; !lines_.empty() && text.size() < kWriteBytesMax; ++lines) {
      text += lines_.front();
      lines_.pop_front();
    }
    const size_t taken = text.size();
    const uint64_t dropped = dropped_ - dropped_said_;
    // Said behind what was taken before it.
    if (lines_.empty() && dropped > 0) {
      dropped_said_ += dropped;
      text += notice_(dropped) + "\n";
    }
    lock.unlock();
    if (write_out(text)) written_ += lines;
    waiting_ -= lines;
    lock.lock();
    bytes_ -= taken;
    changed_.notify_all();
  }
}

// In pieces that a pipe takes whole once it says that it takes any, so that somebody else's
// O_NONBLOCK on the same file changes nothing. False: nobody can read it any more.
bool LineWriter::write_out(const std::string& text) const {
  for (size_t done = 0; done < text.size();) {
    pollfd entry{fd_, POLLOUT, 0};
    if (::poll(&entry, 1, 1000) <= 0) continue;
    const ssize_t wrote =
        ::write(fd_, text.data() + done, std::min<size_t>(text.size() - done, PIPE_BUF));
    if (wrote >= 0) {
      done += static_cast<size_t>(wrote);
    } else if (errno != EAGAIN && errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace covey::log
