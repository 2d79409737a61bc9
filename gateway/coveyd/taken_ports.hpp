// SPDX-License-Identifier: Apache-2.0
// Ports of the configuration that other programs have, all of them at once. Any thread.
#pragma once

#include "core/result.hpp"
#include "gateway/config/config.hpp"

namespace covey {

// Why a start failed, and which addresses that would have been listened on later are taken too.
Error with_taken_ports(Error why, const config::Config& config);

}  // namespace covey
