// SPDX-License-Identifier: Apache-2.0
// Files that are cut off, or changed anywhere: an error or a run, never a read or write outside
// (the sanitizers look). The fuzz target goes on from here.
#include <cstring>

#include <gtest/gtest.h>

#include "tests/unit/runtime/layer_models.hpp"
#include "tests/unit/runtime/loaded_model.hpp"

namespace covey::testing {
namespace {

void load_and_run(const Bytes& bytes) {
  LoadedModel model(bytes);
  if (model.error() == 0 && model.work() < 1'000'000 && model.arena_bytes() < 1'000'000) {
    model.run(std::vector<int8_t>(model.format().input.size_bytes, 1));
  } else {
    EXPECT_TRUE(model.error() == 0 || covey_runtime_error_name(model.error()) != nullptr);
  }
}

TEST(HostileFiles, EveryTruncation) {
  for (const NamedModel& named : operator_models()) {
    for (size_t size = 0; size < named.bytes.size(); ++size) {
      load_and_run({named.bytes.begin(), named.bytes.begin() + static_cast<std::ptrdiff_t>(size)});
    }
  }
}

TEST(HostileFiles, EveryByteChanged) {
  for (const NamedModel& named : operator_models()) {
    for (size_t at = 0; at < named.bytes.size(); ++at) {
      for (const uint8_t value : Bytes{0x00, 0x01, 0x7f, 0x80, 0xff}) {
        Bytes bytes = named.bytes;
        bytes[at] = value;
        load_and_run(bytes);
      }
    }
  }
}

TEST(HostileFiles, EveryWordChanged) {
  for (const NamedModel& named : operator_models()) {
    for (size_t at = 0; at + 4 <= named.bytes.size(); at += 4) {
      for (const uint32_t value : {0xffffffffU, 0x7fffffffU, 0x80000000U, 0x00010000U}) {
        Bytes bytes = named.bytes;
        std::memcpy(&bytes[at], &value, sizeof value);
        load_and_run(bytes);
      }
    }
  }
}

}  // namespace
}  // namespace covey::testing
