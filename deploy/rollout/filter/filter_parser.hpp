// SPDX-License-Identifier: Apache-2.0
// Recursive descent over AIP-160's grammar, without functions and bare search words:
//   filter   = [ all ]                      all     = any { "AND" any }
//   any      = factor { "OR" factor }       factor  = [ "NOT" | "-" ] simple
//   simple   = "(" all ")" | field operator value
// Internal to deploy/rollout. Depth, length and number of terms are bounded; the parser never looks
// at a byte twice except to name the token it refuses.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "deploy/rollout/filter/filter.hpp"

namespace covey {

class FilterParser {
 public:
  FilterParser(std::string_view text, std::span<const FilterField> fields)
      : text_(text), fields_(fields) {}

  Result<Filter> parse();

 private:
  using Index = std::optional<uint32_t>;  // nothing after an error

  Index all(int depth);
  Index any(int depth);
  Index factor(int depth);
  Index simple(int depth);
  Index comparison();

  bool read_operator(Filter::Operator& op);
  bool read_field(Filter::Node& term);
  bool read_value(Filter::Node& term);
  bool read_quoted(Filter::Node& term);
  bool read_bare(Filter::Node& term);
  bool add_value_byte(Filter::Node& term, char c, bool escaped);
  bool finish_value(Filter::Node& term, size_t start);
  // A value of a field that knows its values, or that is a version.
  bool check_word(Filter::Node& term, size_t start);
  bool resolve_field(Filter::Node& term, size_t start);

  void skip_spaces();
  bool at_end() const { return at_ >= text_.size(); }
  // A keyword is a whole word: ANDROID is none.
  bool take_keyword(std::string_view word);
  Index add(Filter::Node node);
  Index add_branch(Filter::Kind kind, uint32_t left, uint32_t right);
  Index fail(size_t position, std::string_view expected);
  Index fail_here(std::string_view expected) { return fail(at_, expected); }
  std::string token_at(size_t position) const;
  std::string known_fields() const;

  std::string_view text_;
  std::span<const FilterField> fields_;
  size_t at_ = 0;
  size_t terms_ = 0;
  bool star_in_middle_ = false;
  std::span<const FilterWord> words_;  // of the field that was read last
  std::vector<Filter::Node> nodes_;
  std::optional<Error> error_;
};

}  // namespace covey
