// SPDX-License-Identifier: Apache-2.0
// How answers look: tables for people, JSON and YAML for programs (the protobuf's own field names).
// Plain values; one thread.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/show/text.hpp"

namespace google::protobuf {
class Message;
}

namespace covey::cli {

enum class Format : uint8_t { kTable, kWide, kJson, kYaml };
extern const std::vector<std::string> kFormatWords;
std::optional<Format> parse_format(const std::string& word);

// Colours and cursor movement only where a person looks.
struct Style {
  bool colors = false;
  bool terminal = false;
  size_t columns = 80;  // of the terminal, also where there is none
  size_t rows = 24;
};
Style detect_style();

// Columns are as wide as their widest cell; states are coloured by what they mean.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : head_(std::move(head)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  std::string render(const Style& style) const;

 private:
  std::vector<std::string> head_;
  std::vector<std::vector<std::string>> rows_;
};

// With the API's own field names and all its zeros; ends with a line break. Safe on a terminal.
std::string to_json(const google::protobuf::Message& message);
std::string to_json_line(const google::protobuf::Message& message);
// Of a JSON document; strings stay quoted, so that nothing changes its type.
std::string json_to_yaml(const std::string& json);

// An API enum's value without its prefix: "SUCCEEDED"; "UNKNOWN" for one that is newer than this
// program.
std::string word(const std::string& enum_name);
std::string colored(std::string_view text, const Style& style);  // by the word itself
std::string age(int64_t since_ms);                               // "3m"; "-" for never
std::string utc(int64_t ms);                                     // "2026-11-22 17:04:05"
// "12,345"
std::string grouped(uint64_t value);
// The last part of "rollouts/first"; the whole without a '/'.
std::string id_of(const std::string& name);
// "a, b and 3 more"
std::string joined(const google::protobuf::RepeatedPtrField<std::string>& texts, size_t most);
// "########......" in unicode blocks; `done` of `total`.
std::string bar(uint64_t done, uint64_t total, size_t width);

}  // namespace covey::cli
