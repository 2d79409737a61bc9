// SPDX-License-Identifier: Apache-2.0
// Where the site is. In this order: --address, --data, COVEY_ADDRESS, COVEY_DATA, the context in
// use, DATA/covey.sock of the current folder. Contexts live in $XDG_CONFIG_HOME/covey (or
// ~/.config/covey)/contexts.yaml. Errors: NO_SITE, NO_CONTEXT, NO_HOME, CONTEXTS_UNREADABLE,
// CONTEXTS_UNWRITABLE.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/result.hpp"

namespace covey::cli {

struct Contexts {
  std::string current;
  std::map<std::string, std::string> addresses;  // by name
};

// Errors: NO_HOME.
Result<std::filesystem::path> contexts_path();
Result<Contexts> load_contexts(const std::filesystem::path& path);
Status save_contexts(const std::filesystem::path& path, const Contexts& contexts);

// NO_CONTEXT, with the nearest name.
Error no_context(const Contexts& contexts, const std::string& name);

Result<std::string> resolve_address(const std::string& address, const std::string& data_dir,
                                    const std::string& context);

}  // namespace covey::cli
