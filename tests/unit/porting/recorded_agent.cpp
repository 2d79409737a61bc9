// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/porting/recorded_agent.hpp"

#include "covey/agent.h"

namespace covey::porting_test {

std::vector<std::string>& agent_calls() {
  static std::vector<std::string> calls;
  return calls;
}

}  // namespace covey::porting_test

using covey::porting_test::agent_calls;

extern "C" {

uint32_t covey_agent_poll(covey_agent_t* /*agent*/, uint64_t now_ms) {
  agent_calls().push_back("poll at " + std::to_string(now_ms));
  return UINT32_MAX;
}

void covey_agent_connected(covey_agent_t* /*agent*/, uint64_t now_ms) {
  agent_calls().push_back("connected at " + std::to_string(now_ms));
}

void covey_agent_disconnected(covey_agent_t* /*agent*/, uint64_t now_ms) {
  agent_calls().push_back("disconnected at " + std::to_string(now_ms));
}

int covey_agent_receive(covey_agent_t* /*agent*/, const char* topic, size_t topic_size,
                        const uint8_t* piece, size_t size, size_t offset, size_t total) {
  agent_calls().push_back(std::string(topic, topic_size) + " [" + std::to_string(offset) + "/" +
                          std::to_string(total) + "] " + std::string(piece, piece + size));
  return 0;
}

}  // extern "C"
