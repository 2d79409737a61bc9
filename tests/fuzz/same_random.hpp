// SPDX-License-Identifier: Apache-2.0
// Random bytes of an agent that are the same in every run: a port's crypto.random. The context is
// the last byte given.
#pragma once

#include <cstddef>
#include <cstdint>

namespace covey::fuzz {

inline int same_random(void* ctx, void* into, size_t size) {
  auto* next = static_cast<uint8_t*>(ctx);
  for (size_t i = 0; i < size; ++i) static_cast<uint8_t*>(into)[i] = ++*next;
  return 0;
}

}  // namespace covey::fuzz
