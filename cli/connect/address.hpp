// SPDX-License-Identifier: Apache-2.0
// Where the site is, and what is shown to it. In this order: --address, --data, COVEY_ADDRESS,
// COVEY_DATA, the context in use, DATA/covey.sock of the current folder. Contexts live in
// $XDG_CONFIG_HOME/covey (or
// ~/.config/covey)/contexts.yaml. Errors: NO_SITE, NO_CONTEXT, NO_HOME, CONTEXTS_UNREADABLE,
// CONTEXTS_UNWRITABLE. What to show: --ca and so on, else COVEY_CA_FILE, COVEY_TOKEN_FILE,
// COVEY_CLIENT_CERTIFICATE and COVEY_CLIENT_KEY, else the context's.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/result.hpp"

namespace covey::cli {

// Paths of files; empty: none.
struct Shown {
  std::string ca;     // what the site's certificate must be issued by; "system": the usual ones
  std::string token;  // its first line is one
  std::string certificate;  // of the caller, with its key
  std::string key;
};
struct Destination {
  std::string address;
  Shown shown;
};

struct Contexts {
  std::string current;
  std::map<std::string, Destination> sites;  // by name
};

// Errors: NO_HOME.
Result<std::filesystem::path> contexts_path();
Result<Contexts> load_contexts(const std::filesystem::path& path);
Status save_contexts(const std::filesystem::path& path, const Contexts& contexts);

// NO_CONTEXT, with the nearest name.
Error no_context(const Contexts& contexts, const std::string& name);

// `asked`: by options. `shown` of the result is complete.
struct Asked {
  std::string address;
  std::string data_dir;
  std::string context;
  Shown shown;
};
Result<Destination> resolve_destination(const Asked& asked);

}  // namespace covey::cli
