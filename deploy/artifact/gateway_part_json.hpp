// SPDX-License-Identifier: Apache-2.0
// The JSON side of gateway_part.hpp, shared with training_statistics.cpp. Internal to
// deploy/artifact.
#pragma once

#include "deploy/artifact/gateway_part.hpp"
#include "deploy/artifact/json_decoder.hpp"

namespace covey {

// Reads what GatewayPart holds and ignores other members; errors stay in the decoder.
GatewayPart read_gateway_part(JsonDecoder& in, const nlohmann::json& json);

}  // namespace covey
