// SPDX-License-Identifier: Apache-2.0
// The signals of coveyd, and the hard end of its shutdown: a thread of its own takes them, whatever
// hangs elsewhere. SIGTERM and SIGINT ask for the end; what has not ended in time, or is asked a
// second time, is ended (exit code 75): nothing that was acknowledged is lost by it. SIGHUP is said
// in the log and does nothing.
//
// Threading: made on the main thread before any other exists, so that all inherit the mask.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "core/time.hpp"

namespace covey {

class Signals {
 public:
  // From the first signal to the hard end: before started() and after it.
  static constexpr Millis kStartEnd{5'000};
  static constexpr Millis kStopEnd{20'000};
  static constexpr int kHardEnd = 75;  // EX_TEMPFAIL

  Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  void started() { started_ = true; }
  // Until the end is asked for, at most `longest`; negative: for ever. The signal's number; 0: not
  // yet.
  uint32_t wait(Millis longest) const;
  // Named when the end has to be a hard one; a literal.
  void doing(const char* step) { step_ = step; }

 private:
  [[noreturn]] void run();
  [[noreturn]] void end_hard(const char* why) const;

  int asked_;  // an eventfd: the signal's number
  std::atomic<bool> started_{false};
  std::atomic<const char*> step_{"starting"};
};

}  // namespace covey
