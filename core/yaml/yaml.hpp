// SPDX-License-Identifier: Apache-2.0
// YAML text as a tree with lines: the one reader of whatever people write (configuration, plans,
// contexts). Refused, because nothing here is worth it and each is a known trap: anchors and
// aliases (a document can grow without end, or hold itself), more than one document, deep nesting.
// Keys are kept in order and may repeat: the reader of a schema says what that means.
//
// A library of its own (covey_yaml), the only one that sees yaml-cpp's parser.
// Thread safety: pure. Errors: all of them, with lines; nothing is thrown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace covey {

inline constexpr size_t kYamlBytesMax = 256U << 10U;
inline constexpr size_t kYamlDepthMax = 32;
inline constexpr size_t kYamlProblemsMax = 100;

struct YamlNode {
  enum class Kind : uint8_t { kNull, kText, kList, kMap };

  Kind kind = Kind::kNull;
  int line = 0;                 // from 1; 0: there is no document
  std::string key;              // of a map's entry
  int key_line = 0;             // of that key
  std::string text;             // kText: as written, nothing interpreted
  std::vector<YamlNode> items;  // kList: entries; kMap: entries with their keys

  bool is_null() const { return kind == Kind::kNull; }
  bool is_text() const { return kind == Kind::kText; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }
};

struct YamlProblem {
  int line = 0;  // from 1
  std::string message;
};

struct YamlReading {
  YamlNode root;  // null for an empty document; as far as it goes where there are problems
  std::vector<YamlProblem> problems;  // at most kYamlProblemsMax
};

YamlReading read_yaml(const std::string& text);

}  // namespace covey
