// SPDX-License-Identifier: Apache-2.0
// Topics come from devices: any bytes parse or fail, and what parses is the canonical spelling.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/assert.hpp"
#include "deploy/deployment/device.hpp"
#include "gateway/adapters/mqtt/topics.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace covey::mqtt;
  const std::string_view topic(reinterpret_cast<const char*>(data), size);
  const auto parsed = parse_up_topic(topic);
  if (!parsed) return 0;
  const std::string expected = parsed->kind == UpKind::kEnroll
                                   ? "covey/v1/enroll/" + parsed->device.str() + "/up"
                                   : "covey/v1/" + covey::shard_text(parsed->shard) + "/" +
                                         parsed->device.str() + "/up/" +
                                         std::string(to_string(parsed->kind));
  COVEY_ASSERT(topic == expected);
  return 0;
}
