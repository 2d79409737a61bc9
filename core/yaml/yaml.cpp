// SPDX-License-Identifier: Apache-2.0
#include "core/yaml/yaml.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

namespace covey {
namespace {

// Reads the parser's events, not its document tree: a tree with an anchor inside itself is a cycle
// that yaml-cpp never frees.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(YamlReading& out) : out_(out) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    leaf(mark, anchor, YamlNode::Kind::kNull, "");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    leaf(mark, anchor, YamlNode::Kind::kNull, "");
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string& value) override {
    leaf(mark, anchor, YamlNode::Kind::kText, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { close(); }

  void problem(int line, std::string message) {
    if (out_.problems.size() < kYamlProblemsMax) {
      out_.problems.push_back({line, std::move(message)});
    }
  }

 private:
  // A collection that is open. In a map, `key` is set between a key and its value.
  struct Frame {
    YamlNode node;
    bool has_key = false;
    std::string key;
    int key_line = 0;
  };

  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) problem(mark.line + 1, "anchors and aliases are not supported");
  }

  static YamlNode node_at(const YAML::Mark& mark, YamlNode::Kind kind) {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    return node;
  }

  void leaf(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind,
            const std::string& text) {
    if (skipped_ > 0) return;
    refuse_anchor(mark, anchor);
    YamlNode node = node_at(mark, kind);
    node.text = text;
    put(std::move(node));
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind) {
    if (skipped_ > 0) {
      ++skipped_;
      return;
    }
    refuse_anchor(mark, anchor);
    if (open_.size() >= kYamlDepthMax) {
      problem(mark.line + 1, "is nested too deeply");
      put(node_at(mark, YamlNode::Kind::kNull));
      skipped_ = 1;
      return;
    }
    open_.push_back({node_at(mark, kind), false, "", 0});
  }

  void close() {
    if (skipped_ > 0) {
      --skipped_;
      return;
    }
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    put(std::move(node));
  }

  void put(YamlNode node) {
    if (open_.empty()) {
      out_.root = std::move(node);
      return;
    }
    Frame& frame = open_.back();
    if (frame.node.is_map() && !frame.has_key) {
      frame.has_key = true;
      frame.key = node.text;
      frame.key_line = node.line;
      if (!node.is_text()) problem(node.line, "a key must be plain text");
      return;
    }
    if (frame.node.is_map()) {
      node.key = std::exchange(frame.key, {});
      node.key_line = frame.key_line;
      frame.has_key = false;
    }
    frame.node.items.push_back(std::move(node));
  }

  YamlReading& out_;
  std::vector<Frame> open_;
  size_t skipped_ = 0;  // collections that are open below the deepest one
};

// Whether there is anything in another document is all that is asked of it.
class Rest : public YAML::EventHandler {
 public:
  bool anything = false;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override { anything = true; }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {
    anything = true;
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    anything = true;
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    anything = true;
  }
  void OnMapEnd() override {}
};

// The first line that is indented by a tab, which is what most errors of the parser come from and
// none names; 0: there is none.
int tabbed_line(std::string_view text) {
  int line = 1;
  for (size_t at = 0; at < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view own = text.substr(at, end - at);
    const size_t words = own.find_first_not_of(" \t");
    const bool blank = words == std::string_view::npos || own[words] == '#';
    if (!blank && own.substr(0, words).find('\t') != std::string_view::npos) return line;
    at = end + 1;
  }
  return 0;
}

}  // namespace

YamlReading read_yaml(const std::string& text) {
  YamlReading out;
  TreeBuilder builder(out);
  if (text.size() > kYamlBytesMax) {
    builder.problem(1,
                    fmt::format("has {} bytes; at most {} are read", text.size(), kYamlBytesMax));
    return out;
  }
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    Rest rest;
    if (!parser.HandleNextDocument(builder)) return out;
    while (!rest.anything && parser.HandleNextDocument(rest)) continue;
    if (rest.anything) builder.problem(1, "more than one document in the file");
  } catch (const YAML::Exception& error) {
    if (const int line = tabbed_line(text); line > 0) {
      builder.problem(line, "is indented by a tab: YAML takes spaces only");
    } else {
      builder.problem(std::max(0, error.mark.line) + 1, error.msg);
    }
  }
  return out;
}

}  // namespace covey
