// SPDX-License-Identifier: Apache-2.0
// What an alert says to a person who does not know its kind: what is there, where, since when, what
// to look at next; then the numbers. The API and the log say the same. Pure; any thread.
#pragma once

#include <string>

#include "monitoring/alerts/alert.hpp"

namespace covey::engine {

// Some sentences. Of devices the first eight are named.
std::string explain(const monitoring::Alert& alert);

}  // namespace covey::engine
