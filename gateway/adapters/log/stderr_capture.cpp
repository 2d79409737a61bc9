// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/log/stderr_capture.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace covey::log {
namespace {

constexpr size_t kLineBytesMax = 2048;

// Read by a signal handler: plain numbers, set before and never closed.
int captured = -1;
int before = -1;

void forward(const std::function<void(std::string_view)>& line) {
  std::array<char, 4096> block{};
  std::string rest;
  for (;;) {
    pollfd entry{captured, POLLIN, 0};
    if (::poll(&entry, 1, -1) < 0 && errno != EINTR) return;
    const ssize_t got = ::read(captured, block.data(), block.size());
    if (got == 0) return;
    if (got < 0) continue;
    rest.append(block.data(), static_cast<size_t>(got));
    size_t begin = 0;
    for (size_t end = 0; (end = rest.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (end > begin) line(std::string_view(rest).substr(begin, end - begin));
    }
    rest.erase(0, begin);
    if (rest.size() > kLineBytesMax) line(std::exchange(rest, {}));
  }
}

}  // namespace

int capture_stderr(std::function<void(std::string_view)> line) {
  int ends[2];
  if (captured >= 0 || ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
  const int old = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (old < 0 || ::dup2(ends[1], STDERR_FILENO) < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    return -1;
  }
  ::close(ends[1]);
  before = old;
  captured = ends[0];
  (void)std::make_unique<std::thread>([line = std::move(line)] {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "covey-stderr");
    forward(line);
  }).release();  // never joined: it lives as long as the process
  return before;
}

void release_stderr() {
  if (before >= 0) ::dup2(before, STDERR_FILENO);
}

void drain_captured() {
  std::array<char, 512> block;
  for (ssize_t got = 0;
       captured >= 0 && (got = ::read(captured, block.data(), block.size())) > 0;) {
    pollfd entry{before, POLLOUT, 0};
    if (::poll(&entry, 1, 100) <= 0) return;
    if (::write(before, block.data(), static_cast<size_t>(got)) < 0) return;
  }
}

}  // namespace covey::log
