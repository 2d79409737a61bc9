// SPDX-License-Identifier: Apache-2.0
// What makes a new secret of the site. Any thread.
#pragma once

#include <cstdint>
#include <functional>

#include "core/result.hpp"
#include "gateway/engine/commands.hpp"

namespace covey::api {

// Of the site's random source, sealed as that number. Errors: NO_RANDOMNESS, SEALING.
using MakeSecret = std::function<Result<engine::RotateSecret>(uint32_t number)>;

}  // namespace covey::api
