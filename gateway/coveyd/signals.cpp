// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/signals.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <memory>
#include <thread>

#include "core/assert.hpp"
#include "gateway/adapters/log/log.hpp"

namespace covey {
namespace {

using Clock = std::chrono::steady_clock;

sigset_t taken() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  return signals;
}

// 0: none came within `longest`.
int next_signal(Millis longest) {
  const sigset_t signals = taken();
  const timespec limit{longest.count() / 1000, longest.count() % 1000 * 1'000'000};
  const int number = ::sigtimedwait(&signals, nullptr, &limit);
  return number < 0 ? 0 : number;
}

}  // namespace

Signals::Signals() : asked_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  COVEY_ASSERT(asked_ >= 0);
  const sigset_t signals = taken();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  (void)std::make_unique<std::thread>([this] {
    ::pthread_setname_np(::pthread_self(), "covey-signals");
    run();
  }).release();  // never joined: it lives as long as the process
}

uint32_t Signals::wait(Millis longest) const {
  pollfd entry{asked_, POLLIN, 0};
  (void)::poll(&entry, 1, longest.count() < 0 ? -1 : static_cast<int>(longest.count()));
  eventfd_t number = 0;
  return ::eventfd_read(asked_, &number) == 0 ? static_cast<uint32_t>(number) : 0;
}

void Signals::run() {
  bool asked = false;
  Clock::time_point since{};
  for (;;) {
    // A start that ends meanwhile leaves its stop the whole time.
    const auto passed = std::chrono::duration_cast<Millis>(Clock::now() - since);
    const Millis left = asked ? (started_ ? kStopEnd : kStartEnd) - passed : Millis(1h);
    if (left <= 0ms) end_hard("it took too long");
    const int number = next_signal(asked ? std::min<Millis>(left, 500ms) : left);
    if (number == 0) continue;
    if (number == SIGHUP) {
      log::log_event(log::Level::kWarn, "reload_ignored",
                     {{"text", "coveyd reads its configuration at the start: restart it"}});
    } else if (asked) {
      end_hard("it was asked for twice");
    } else {
      asked = true;
      since = Clock::now();
      (void)::eventfd_write(asked_, static_cast<eventfd_t>(number));
    }
  }
}

void Signals::end_hard(const char* why) const {
  log::log_event(log::Level::kError, "ended_hard", {{"while", step_.load()}, {"text", why}});
  log::flush_log(300ms);
  ::_exit(kHardEnd);
}

}  // namespace covey
