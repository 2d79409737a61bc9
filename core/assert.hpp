// SPDX-License-Identifier: Apache-2.0
// Assertions that stay on in release builds.
//   COVEY_ASSERT(x): an impossible state would follow; the process ends (systemd restarts it).
//   COVEY_BUG(text): a bug that can be lived with; counted, shown in /metrics, execution goes on.
// Callable from any thread.
#pragma once

#include <cstdint>

namespace covey {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
void count_bug(const char* text, const char* file, int line);
// Bugs counted since the start of the process.
uint64_t bug_count();

}  // namespace covey

#define COVEY_ASSERT(expression) \
  ((expression) ? static_cast<void>(0) : ::covey::assertion_failed(#expression, __FILE__, __LINE__))
#define COVEY_BUG(text) ::covey::count_bug(text, __FILE__, __LINE__)
