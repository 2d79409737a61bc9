// SPDX-License-Identifier: Apache-2.0
// Brokers that outlived their coveyd: found by their command line, ended through a pidfd, so that
// no reused process id is hit.
//
// Thread safety: plain function; blocks at most `timeout` for each orphan.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"

namespace covey::broker {

// Ends every process of this user whose arguments are "BROKER -c `configuration`". Returns how
// many. Errors: BROKER_ORPHAN when one does not go.
Result<uint32_t> end_orphans(const std::string& configuration, Millis timeout);

}  // namespace covey::broker
