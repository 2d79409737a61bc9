// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/settings.hpp"

#include <fmt/format.h>

#include <set>
#include <string_view>

#include "core/yaml/yaml.hpp"
#include "gateway/config/schema.hpp"

namespace covey::config {
namespace {

constexpr size_t kErrorsMax = 100;

bool is_section(const std::string& path) {
  for (const Key& key : schema()) {
    if (key.path.starts_with(path + ".")) return true;
  }
  return false;
}

std::string printable(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 80)) {
    shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return shown;
}

class Reader {
 public:
  explicit Reader(Settings& out) : out_(out) {}

  void document(const YamlNode& root) {
    if (root.is_map()) {
      section(root, "");
    } else if (!root.is_null()) {
      fail(root.line, "BAD_YAML", "", "must be a mapping of keys to values");
    }
  }

  void fail(int line, const char* reason, std::string_view path, std::string_view message) {
    if (out_.errors.size() >= kErrorsMax) return;
    out_.errors.emplace_back(
        line, invalid(reason, path.empty() ? std::string(message)
                                           : fmt::format("{}: {}", printable(path), message)));
  }

 private:
  // As deep as the schema, whatever the document.
  void section(const YamlNode& map, const std::string& above) {
    std::set<std::string_view> seen;
    for (const YamlNode& entry : map.items) {
      const std::string path = above.empty() ? entry.key : above + "." + entry.key;
      if (seen.insert(entry.key).second) {
        value(entry, path);
      } else {
        fail(entry.key_line, "DUPLICATE_KEY", path, "is given twice; remove one");
      }
    }
  }

  void value(const YamlNode& entry, const std::string& path) {
    const Key* known = find_key(path);
    const bool names_section = known == nullptr && is_section(path);
    if (names_section && entry.is_null()) return;  // an empty section
    if (names_section && entry.is_map()) return section(entry, path);
    if (known == nullptr || known->secret || !entry.is_text()) {
      return refuse_value(entry.key_line, path);
    }
    out_.settings.push_back({path, entry.text, entry.line});
  }

  void refuse_value(int line, const std::string& path) {
    if (const Key* known = find_key(path); known != nullptr) {
      if (known->secret) {
        fail(line, "SECRET_IN_FILE", path,
             fmt::format("secrets are not for this file; use {} or a password file",
                         environment_name(path)));
      } else {
        fail(line, "BAD_VALUE", path, fmt::format("must be one value ({})", known->type));
      }
    } else if (is_section(path)) {
      fail(line, "BAD_VALUE", path, "must be a section with keys of its own");
    } else {
      const std::string nearest = nearest_key(path);
      fail(line, "UNKNOWN_KEY", path,
           nearest.empty() ? "unknown key; coveyd --print-config shows all keys"
                           : fmt::format("unknown key; did you mean {}?", nearest));
    }
  }

  Settings& out_;
};

}  // namespace

Settings read_settings(const std::string& yaml) {
  Settings out;
  Reader reader(out);
  if (yaml.size() > kYamlBytesMax) {
    reader.fail(1, "FILE_TOO_LARGE", "", fmt::format("more than {} bytes", kYamlBytesMax));
    return out;
  }
  const YamlReading reading = read_yaml(yaml);
  for (const YamlProblem& problem : reading.problems) {
    reader.fail(problem.line, "BAD_YAML", "", problem.message);
  }
  reader.document(reading.root);
  return out;
}

}  // namespace covey::config
