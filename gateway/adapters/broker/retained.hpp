// SPDX-License-Identifier: Apache-2.0
// Messages that devices had the broker keep. None of theirs may be kept: mosquitto has no right for
// it and no quota, they stay until it ends, and the next subscriber takes them for news.
//
// Thread safety: plain function; blocks at most `timeout`.
#pragma once

#include <map>
#include <string>

#include "core/result.hpp"
#include "gateway/adapters/broker/mqtt_connection.hpp"

namespace covey::broker {

struct Swept {
  uint64_t messages = 0;
  std::map<std::string, uint64_t> by_device;  // as its topic names it; at most 100 of them
};

// Deletes what is retained on topics on which devices speak. Errors: as MqttConnection's; what was
// deleted until then is.
Result<Swept> sweep_retained(const MqttAccess& access, Millis timeout);

}  // namespace covey::broker
