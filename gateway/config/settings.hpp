// SPDX-License-Identifier: Apache-2.0
// From the configuration file to (path, value, line) triples, held against the schema.
//
// Thread safety: pure. Errors: all of them, with lines; nothing is thrown.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace covey::config {

struct Setting {
  std::string path;
  std::string value;
  int line = 0;  // from 1
};

struct Settings {
  std::vector<Setting> settings;
  // By line; messages without file and line. FILE_TOO_LARGE, BAD_YAML, UNKNOWN_KEY, DUPLICATE_KEY,
  // BAD_VALUE, SECRET_IN_FILE.
  std::vector<std::pair<int, Error>> errors;
};

Settings read_settings(const std::string& yaml);

}  // namespace covey::config
