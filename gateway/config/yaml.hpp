// From YAML text to (path, value, line) triples: the only place that sees yaml-cpp.
//
// Thread safety: pure. Errors: all of them, with lines; nothing is thrown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace covey::config {

struct Setting {
  std::string path;
  std::string value;
  int line = 0;  // from 1
};

struct YamlSettings {
  std::vector<Setting> settings;
  std::vector<std::pair<int, Error>> errors;  // by line; message without file and line
};

inline constexpr size_t kYamlBytesMax = 256 * 1024;

YamlSettings read_yaml(const std::string& text);

}  // namespace covey::config
