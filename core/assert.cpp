// SPDX-License-Identifier: Apache-2.0
#include "core/assert.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace covey {
namespace {
std::atomic<uint64_t> bugs{0};
}

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "covey: assertion failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

void count_bug(const char* text, const char* file, int line) {
  bugs.fetch_add(1, std::memory_order_relaxed);
  std::fprintf(stderr, "covey: bug: %s (%s:%d)\n", text, file, line);
}

uint64_t bug_count() { return bugs.load(std::memory_order_relaxed); }

}  // namespace covey
