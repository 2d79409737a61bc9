// SPDX-License-Identifier: Apache-2.0
// Access rules for a broker that is not coveyd's own: the rights that the embedded one has
// (gateway/adapters/broker), in the words of others. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"

namespace covey::cli {

// `broker`: mosquitto, emqx, hivemq or vernemq. `gateway`: the user that coveyd connects as.
// Errors: UNKNOWN_BROKER.
Result<std::string> broker_acl(std::string_view broker, std::string_view gateway);

}  // namespace covey::cli
