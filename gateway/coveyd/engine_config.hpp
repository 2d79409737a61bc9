// SPDX-License-Identifier: Apache-2.0
// The parts' options out of the one configuration. Pure.
#pragma once

#include "gateway/access/access.hpp"
#include "gateway/adapters/grpc/server.hpp"
#include "gateway/config/config.hpp"
#include "gateway/engine/config.hpp"

namespace covey {

engine::EngineConfig engine_config_of(const config::Config& config);
access::AccessOptions access_options_of(const config::Config& config, uint64_t start_id);
GrpcOptions grpc_options_of(const config::Config& config, uint64_t start_id,
                            const api::TlsFacts& tls);

}  // namespace covey
