// SPDX-License-Identifier: Apache-2.0
// Following one rollout to its end: a view that redraws in place on a terminal, a line per change
// in a pipe, an object per change for programs.
#pragma once

#include <string>

#include "cli/commands.hpp"

namespace covey::cli {

struct WatchOptions {
  std::string wait = "24h";
  bool through_pauses = false;
};
void add_watch_options(CLI::App& command, WatchOptions& options);

// `name` as the API has it. The exit code that tells how it ended.
int watch(const Invocation& invocation, const WatchOptions& options, Client& client,
          const std::string& name);

}  // namespace covey::cli
