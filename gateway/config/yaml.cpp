#include "gateway/config/yaml.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <optional>
#include <set>
#include <sstream>

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

// Reads the parser's events, not its document tree: a tree with an anchor inside itself is a cycle
// that yaml-cpp never frees, and nothing here is worth an anchor.
class Reader : public YAML::EventHandler {
 public:
  explicit Reader(YamlSettings& out) : out_(out) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    scalar(mark, std::nullopt);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse_anchor(mark, 1);
    scalar(mark, std::nullopt);
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    scalar(mark, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, false);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor, true);
  }
  void OnMapEnd() override { close(); }

 private:
  // A mapping of the schema that is open; `key` is set between a key and its value.
  struct Section {
    std::string path;
    std::optional<std::string> key;
    int key_line = 0;
    std::set<std::string> seen;
  };

  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) fail(mark.line + 1, "BAD_YAML", "", "anchors and aliases are not supported");
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, bool is_map) {
    refuse_anchor(mark, anchor);
    if (skipped_ > 0) {
      ++skipped_;
      return;
    }
    if (sections_.empty()) {
      if (is_map) {
        sections_.push_back({});
      } else {
        fail(mark.line + 1, "BAD_YAML", "", "must be a mapping of keys to values");
        skipped_ = 1;
      }
      return;
    }
    Section& section = sections_.back();
    if (!section.key) {
      fail(mark.line + 1, "BAD_KEY", section.path, "a key must be plain text");
      section.key = "";
      section.key_line = 0;  // its value is skipped
      skipped_ = 1;
      return;
    }
    const std::string path = *section.key;
    const int line = section.key_line;
    section.key.reset();
    if (line > 0 && is_map && find_key(path) == nullptr && is_section(path)) {
      sections_.push_back({path, {}, 0, {}});
      return;
    }
    if (line > 0) refuse_value(line, path);
    skipped_ = 1;
  }

  void close() {
    if (skipped_ > 0) {
      --skipped_;
    } else if (!sections_.empty()) {
      sections_.pop_back();
    }
  }

  void scalar(const YAML::Mark& mark, const std::optional<std::string>& value) {
    if (skipped_ > 0) return;
    const int line = mark.line + 1;
    if (sections_.empty()) {
      if (value) fail(line, "BAD_YAML", "", "must be a mapping of keys to values");
      return;
    }
    Section& section = sections_.back();
    if (!section.key) {
      key(section, line, value);
      return;
    }
    const std::string path = *section.key;
    const int key_line = section.key_line;
    section.key.reset();
    if (key_line == 0) return;  // of a key that was refused
    const Key* known = find_key(path);
    if (known == nullptr && is_section(path) && !value) return;  // an empty section
    if (known == nullptr || known->secret || !value) {
      refuse_value(key_line, path);
    } else {
      out_.settings.push_back({path, *value, line});
    }
  }

  void key(Section& section, int line, const std::optional<std::string>& value) {
    section.key_line = 0;
    section.key = "";
    if (!value) {
      fail(line, "BAD_KEY", section.path, "a key must be plain text");
      return;
    }
    const std::string path = section.path.empty() ? *value : section.path + "." + *value;
    if (!section.seen.insert(path).second) {
      fail(line, "DUPLICATE_KEY", path, "is given twice; remove one");
      return;
    }
    section.key = path;
    section.key_line = line;
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

  void fail(int line, const char* reason, std::string_view path, std::string_view message) {
    if (out_.errors.size() >= kErrorsMax) return;
    out_.errors.emplace_back(
        line, invalid(reason, path.empty() ? std::string(message)
                                           : fmt::format("{}: {}", printable(path), message)));
  }

  YamlSettings& out_;
  std::vector<Section> sections_;  // as deep as the schema, whatever the document
  size_t skipped_ = 0;             // collections open below something refused
};

}  // namespace

YamlSettings read_yaml(const std::string& text) {
  YamlSettings out;
  if (text.size() > kYamlBytesMax) {
    out.errors.emplace_back(
        1, invalid("FILE_TOO_LARGE", fmt::format("more than {} bytes", kYamlBytesMax)));
    return out;
  }
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    Reader reader(out);
    if (parser.HandleNextDocument(reader)) {
      YamlSettings rest;
      Reader rest_reader(rest);
      if (parser.HandleNextDocument(rest_reader)) {
        out.errors.emplace_back(1, invalid("BAD_YAML", "more than one document in the file"));
      }
    }
  } catch (const YAML::Exception& problem) {
    out.errors.emplace_back(problem.mark.line + 1, invalid("BAD_YAML", problem.msg));
  }
  return out;
}

}  // namespace covey::config
