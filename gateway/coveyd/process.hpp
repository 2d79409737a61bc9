// SPDX-License-Identifier: Apache-2.0
// coveyd as a process of its system: what it keeps to itself, what it needs, how it ends when it
// can't go on. Main thread, before others are started.
#pragma once

#include <vector>

#include "core/result.hpp"
#include "gateway/config/config.hpp"

namespace covey {

// A bug or the system's refusal ends the process with a line of the log that says what to do
// (exit code 71 without memory, else SIGABRT). No other process of this user can look into its
// memory, and without `core_dumps` no file of it is written: the site's secret is in there.
// As many descriptors as the hard limit allows.
void prepare_process(bool core_dumps);

// What this system gives too little of, each with what to raise. Errors: LIMIT_TOO_LOW.
std::vector<Error> check_limits(const config::Config& config);
// The same where it suffices, and will not under load: sentences for the log.
std::vector<std::string> limit_advice(const config::Config& config);

}  // namespace covey
