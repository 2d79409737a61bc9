// SPDX-License-Identifier: Apache-2.0
// Which Store a site has: the one place that names a database.
#pragma once

#include <memory>

#include "core/result.hpp"
#include "core/time.hpp"
#include "gateway/config/config.hpp"
#include "storage/store.hpp"

namespace covey {

// In the data directory. Where its disk is full, what retention allows to forget at `wall` is given
// back to it; a store that is still full says so in its condition().
// Errors: those of the store, each naming what to do.
Result<std::unique_ptr<Store>> open_store(const config::Config& config, Millis wall);

}  // namespace covey
