// SPDX-License-Identifier: Apache-2.0
// AIP-160 filters (https://google.aip.dev/160) over devices and other resources.
//   labels.line = "press" AND (class = m4f-256k OR firmware >= 1.10.0) AND -labels.hall = "B*"
// Operators: = != < <= > >= and : (has). As AIP-160 says, OR binds tighter than AND, NOT and -
// tightest. `*` at the start or end of a value is a wildcard for = and != (\* is a star).
//   labels.x = "a"   false without the label; != is exactly its negation, so true without the label
//   labels.x : *     the label is there;  labels:x  the same
//   labels.x : "a"   contains "a"
//   < <= > >=        versions as versions, numbers as numbers, all else as text; false when absent,
//                    and where the value is not what it is compared with
// Versions are ordered as SemVer 2.0 says (loose_version.hpp): 1.10.0-rc1 < 1.10.0 = 1.10+b5.
// Immutable value; any thread. Errors: BAD_FILTER with position and what was expected.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace covey {

inline constexpr size_t kFilterBytesMax = 4096;
inline constexpr size_t kFilterTermsMax = 128;
inline constexpr int kFilterDepthMax = 32;

enum class FieldKind : uint8_t {
  kText,
  kVersion,     // ordered as 1.9 < 1.10; compared with versions only
  kMap,         // NAME.KEY, text values
  kVersionMap,  // NAME.KEY, version values
};

// A value of a field that has few: as it may be written (in any case), and as it is stored.
struct FilterWord {
  std::string_view written;
  std::string_view means;
};

struct FilterField {
  std::string_view name;
  FieldKind kind;
  std::span<const FilterWord> words = {};  // = and != take no other
};

// id, device_id, class, state, online, firmware, agent, secret, labels.KEY, releases.MODEL.
std::span<const FilterField> device_filter_fields();

// The resource, seen by the filter. `field` is one of the schema's names, or NAME.KEY of a map.
class FilterSubject {
 public:
  virtual ~FilterSubject() = default;
  virtual std::optional<std::string> find(std::string_view field) const = 0;
};

class Filter {
 public:
  // Empty text matches everything.
  static Result<Filter> parse(std::string_view text,
                              std::span<const FilterField> fields = device_filter_fields());

  bool matches(const FilterSubject& subject) const;
  const std::string& text() const { return text_; }
  // As it was understood, fully parenthesised.
  std::string canonical() const;
  // Fields it looks at, sorted, each once: a change of any other can't change the answer.
  std::vector<std::string> fields() const;
  bool matches_everything() const { return nodes_.empty(); }

  bool operator==(const Filter& other) const { return text_ == other.text_; }

 private:
  friend class FilterParser;
  enum class Kind : uint8_t { kAnd, kOr, kNot, kTerm };
  enum class Operator : uint8_t {
    kEqual,
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kHas
  };
  struct Node {
    Kind kind = Kind::kTerm;
    uint32_t left = 0;  // indices into nodes_; of kNot only left
    uint32_t right = 0;
    Operator op = Operator::kEqual;
    FieldKind field_kind = FieldKind::kText;
    std::string field;
    std::string value;
    bool open_start = false;  // wildcard
    bool open_end = false;
  };

  bool matches(const FilterSubject& subject, uint32_t index) const;
  static bool matches_term(const Node& node, const FilterSubject& subject);
  void print(uint32_t index, std::string& out) const;
  void print_chain(uint32_t index, Kind kind, std::string& out) const;

  std::string text_;
  std::vector<Node> nodes_;  // the root is the last one
};

}  // namespace covey
