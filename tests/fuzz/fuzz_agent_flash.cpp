// SPDX-License-Identifier: Apache-2.0
// Whatever is in flash when the agent starts: it starts, and takes a release afterwards.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "tests/unit/agent/bench.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const covey::agent_test::Release release =
      covey::agent_test::make_release({.model_bytes = 1000});
  covey::agent_test::DeviceOptions options;
  options.geometry = {20U << 10U, 512, 8, 0xff};
  options.journal_bytes = 1024;
  options.slot_bytes = 8U << 10U;
  covey::agent_test::Bench bench(options);
  // Journal first, then the slots: {offset u16, size u8, bytes}
  while (size >= 3) {
    const size_t at = bytes[0] | static_cast<size_t>(bytes[1]) << 8U;
    const size_t length = std::min<size_t>(size - 3, bytes[2]);
    if (at + length <= options.geometry.size_bytes) {
      std::memcpy(bench.device.flash.bytes + at, bytes + 3, length);
    }
    bytes += 3 + length;
    size -= 3 + length;
  }
  bench.bring_up();
  bench.run(1000, 100);
  if (bench.device.counters().bugs != 0 || bench.device.flash.misaligned != 0) std::abort();
  return 0;
}
