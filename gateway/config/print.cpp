// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gateway/config/config.hpp"
#include "gateway/config/schema.hpp"

namespace covey::config {
namespace {

std::string in_quotes(std::string_view value) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '/' || c == '_' || c == '-' || c == ':' || c == '%';
  };
  if (value.empty()) return "\"\"";
  const char first = value.front();
  const bool null = value == "null" || value == "Null" || value == "NULL";
  const bool bare = !null && first != '-' && first != ':' && first != '%' && first != '.' &&
                    !value.ends_with(':') && std::all_of(value.begin(), value.end(), plain);
  if (bare) return std::string(value);
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t dot = path.find('.');
    parts.push_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    path.remove_prefix(dot + 1);
  }
}

std::string comment(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, '?');
  return text;
}

}  // namespace

std::string print_config(const ConfigOutcome& outcome) {
  const auto origin = [&](std::string_view path) -> std::string {
    const auto found = outcome.origins.find(path);
    return found == outcome.origins.end() ? "default" : comment(found->second);
  };
  std::string text =
      fmt::format("# Effective configuration of coveyd\n# data directory: {}  # {}\n",
                  comment(outcome.config.data_dir), origin("data"));
  std::vector<std::string_view> open;  // sections that the next key may share
  for (const Key& key : schema()) {
    const std::vector<std::string_view> parts = split(key.path);
    size_t shared = 0;
    while (shared < open.size() && shared + 1 < parts.size() && open[shared] == parts[shared]) {
      ++shared;
    }
    for (size_t depth = shared; depth + 1 < parts.size(); ++depth) {
      text += fmt::format("{:{}}{}:\n", "", depth * 2, parts[depth]);
    }
    open.assign(parts.begin(), parts.end() - 1);
    const std::string indent((parts.size() - 1) * 2, ' ');
    if (key.secret) {
      if (!key.write(outcome.config).empty()) {
        text += fmt::format("{}# {}: <redacted>  # {}\n", indent, parts.back(), origin(key.path));
      }
      continue;
    }
    text += fmt::format("{}{}: {}  # {}\n", indent, parts.back(),
                        in_quotes(key.write(outcome.config)), origin(key.path));
  }
  return text;
}

std::string config_reference() {
  std::string text =
      "| key | value | default | meaning |\n"
      "| --- | --- | --- | --- |\n";
  Config defaults;
  defaults.grpc.unix_socket = "DATA/covey.sock";
  for (const Key& key : schema()) {
    std::string value = key.limit.empty() ? key.type : key.type + ", " + key.limit;
    if (key.secret) value += fmt::format("; only as {}", environment_name(key.path));
    const std::string initial = key.secret ? std::string() : key.write(defaults);
    text += fmt::format("| `{}` | {} | {} | {} |\n", key.path, value,
                        initial.empty() ? "" : "`" + initial + "`", key.help);
  }
  return text;
}

}  // namespace covey::config
