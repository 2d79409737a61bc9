// SPDX-License-Identifier: Apache-2.0
// The configuration file is written by people and templates: any bytes give values or errors, and
// what is accepted prints to a document that is accepted again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/assert.hpp"
#include "gateway/config/config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace covey::config;
  const ConfigInput input{.yaml = std::string(reinterpret_cast<const char*>(data), size),
                          .file_name = "f",
                          .environment = {},
                          .data_dir = "/d"};
  const ConfigOutcome outcome = parse_config(input);
  if (!outcome.ok()) return 0;
  ConfigInput again = input;
  again.yaml = print_config(outcome);
  const ConfigOutcome second = parse_config(again);
  COVEY_ASSERT(second.ok());
  COVEY_ASSERT(second.config.grpc.unix_socket == outcome.config.grpc.unix_socket);
  COVEY_ASSERT(second.config.mqtt.embedded.binary == outcome.config.mqtt.embedded.binary);
  return 0;
}
