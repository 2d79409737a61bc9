// SPDX-License-Identifier: Apache-2.0
// Loads and runs hostile .tflite bytes in the reference runtime, in an arena of exactly the size it
// asks for. The last two bytes choose how much of the file is kept and whether a length is patched,
// so that the search reaches truncated and inconsistent files quickly.
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/assert.hpp"
#include "device_agent/runtimes/reference/reference_runtime.h"
#include "tests/unit/runtime/loaded_model.hpp"

namespace {

constexpr size_t kArenaMax = 1U << 20U;
constexpr uint64_t kWorkMax = 4U << 20U;

// A copy of its own size on the heap: reads past the end are seen.
covey::Bytes hostile_model(const uint8_t* data, size_t size) {
  const uint8_t keep = data[size - 2];
  const uint8_t patch = data[size - 1];
  size -= 2;
  if (keep != 0) {
    size = size * keep / 255;
  }
  covey::Bytes model(data, data + size);
  if (patch != 0 && size >= 4) {
    const size_t at = (size - 4) * patch / 255 / 4 * 4;
    const uint32_t values[] = {0,           1,           0x7fffffffU,
                               0x80000000U, 0xffffffffU, static_cast<uint32_t>(size)};
    std::memcpy(&model[at], &values[patch % 6], 4);
  }
  return model;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) {
    return 0;
  }
  const covey::Bytes model = hostile_model(data, size);
  size_t arena_bytes = 0;
  uint64_t work = 0;
  covey_reference_fault_t fault;
  const int error =
      covey_reference_inspect(model.data(), model.size(), &arena_bytes, &work, &fault);
  COVEY_ASSERT(error == fault.error);
  if (error != 0) {
    COVEY_ASSERT(model.empty() || covey_runtime_error_name(error) != nullptr);
    return 0;
  }
  if (arena_bytes > kArenaMax || work > kWorkMax) {
    return 0;  // legal, but too slow to search with
  }
  covey::testing::LoadedModel loaded(model);
  COVEY_ASSERT(loaded.error() == 0 && loaded.arena_bytes() == arena_bytes);
  std::vector<int8_t> input(loaded.format().input.size_bytes);
  for (size_t i = 0; i < input.size(); ++i) {
    input[i] = static_cast<int8_t>(static_cast<uint8_t>(i * 37 + size));
  }
  const std::vector<int8_t> first = loaded.run(input);
  COVEY_ASSERT(first.size() == loaded.format().output.size_bytes);
  COVEY_ASSERT(first == loaded.run(input));
  return 0;
}
