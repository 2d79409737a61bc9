// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/filter/filter_parser.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "core/nearest.hpp"
#include "deploy/rollout/filter/loose_version.hpp"

namespace covey {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_word(char c) { return is_alphanumeric(c) || c == '_' || c == '-' || c == '.'; }

// Whatever their case.
bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

// What an unquoted value may hold beside words; anything else wants quotes.
bool is_bare(char c) { return is_word(c) || c == '*' || c == '+' || c == '@' || c == '/'; }

}  // namespace

Result<Filter> FilterParser::parse() {
  if (text_.size() > kFilterBytesMax) {
    return invalid("BAD_FILTER", "the filter has " + std::to_string(text_.size()) +
                                     " bytes, at most " + std::to_string(kFilterBytesMax) +
                                     " are allowed");
  }
  skip_spaces();
  if (!at_end()) {
    all(0);
    if (!error_ && !at_end()) fail_here("AND, OR or the end");
  }
  if (error_) return *error_;
  Filter filter;
  filter.text_ = std::string(text_);
  filter.nodes_ = std::move(nodes_);
  return filter;
}

FilterParser::Index FilterParser::all(int depth) {
  Index left = any(depth);
  while (left && take_keyword("AND")) {
    const Index right = any(depth);
    if (!right) return {};
    left = add_branch(Filter::Kind::kAnd, *left, *right);
  }
  return left;
}

FilterParser::Index FilterParser::any(int depth) {
  Index left = factor(depth);
  while (left && take_keyword("OR")) {
    const Index right = factor(depth);
    if (!right) return {};
    left = add_branch(Filter::Kind::kOr, *left, *right);
  }
  return left;
}

FilterParser::Index FilterParser::factor(int depth) {
  bool negated = take_keyword("NOT");
  if (!negated && !at_end() && text_[at_] == '-') {
    negated = true;
    ++at_;
  }
  const Index inner = simple(depth);
  if (!inner || !negated) return inner;
  return add_branch(Filter::Kind::kNot, *inner, 0);
}

FilterParser::Index FilterParser::simple(int depth) {
  if (at_end() || text_[at_] != '(') return comparison();
  if (depth >= kFilterDepthMax) {
    return fail_here("at most " + std::to_string(kFilterDepthMax) + " levels of parentheses");
  }
  ++at_;
  skip_spaces();
  const Index inner = all(depth + 1);
  if (!inner) return {};
  if (at_end() || text_[at_] != ')') return fail_here("AND, OR or )");
  ++at_;
  skip_spaces();
  return inner;
}

FilterParser::Index FilterParser::comparison() {
  if (++terms_ > kFilterTermsMax) {
    return fail_here("at most " + std::to_string(kFilterTermsMax) + " comparisons");
  }
  Filter::Node term;
  if (!read_field(term) || !read_operator(term.op) || !read_value(term)) return {};
  return add(std::move(term));
}

bool FilterParser::read_field(Filter::Node& term) {
  const size_t start = at_;
  while (!at_end() && is_word(text_[at_])) ++at_;
  if (at_ == start) {
    fail(start, "a field such as labels.line or (");
    return false;
  }
  term.field = std::string(text_.substr(start, at_ - start));
  if (!resolve_field(term, start)) return false;
  skip_spaces();
  return true;
}

bool FilterParser::resolve_field(Filter::Node& term, size_t start) {
  const size_t dot = term.field.find('.');
  const std::string_view name = std::string_view(term.field).substr(0, dot);
  for (const FilterField& field : fields_) {
    if (field.name != name) continue;
    const bool is_map = field.kind == FieldKind::kMap || field.kind == FieldKind::kVersionMap;
    term.field_kind = field.kind;
    words_ = field.words;
    if (!is_map && dot != std::string::npos) break;
    if (is_map && dot == term.field.size() - 1) {
      fail(start, "a key after '" + term.field + "'");
      return false;
    }
    return true;  // a map without key: labels:KEY, checked when the operator is known
  }
  fail(start, "a field: " + known_fields());
  std::vector<std::string> names;
  for (const FilterField& field : fields_) names.emplace_back(field.name);
  error_->message += did_you_mean(name, names);
  return false;
}

bool FilterParser::read_operator(Filter::Operator& op) {
  using Operator = Filter::Operator;
  constexpr std::array<std::pair<std::string_view, Operator>, 7> kOperators{
      {{"!=", Operator::kNotEqual},
       {"<=", Operator::kLessEqual},
       {">=", Operator::kGreaterEqual},
       {"=", Operator::kEqual},
       {"<", Operator::kLess},
       {">", Operator::kGreater},
       {":", Operator::kHas}}};
  for (const auto& [text, value] : kOperators) {
    if (text_.substr(at_).starts_with(text)) {
      op = value;
      at_ += text.size();
      skip_spaces();
      return true;
    }
  }
  fail_here("one of = != < <= > >= :");
  return false;
}

bool FilterParser::read_value(Filter::Node& term) {
  const size_t start = at_;
  const bool quoted = !at_end() && (text_[at_] == '"' || text_[at_] == '\'');
  star_in_middle_ = false;
  if (quoted ? !read_quoted(term) : !read_bare(term)) return false;
  if (!finish_value(term, start)) return false;
  skip_spaces();
  return true;
}

bool FilterParser::read_quoted(Filter::Node& term) {
  const size_t start = at_;
  const char quote = text_[at_++];
  while (!at_end() && text_[at_] != quote) {
    const bool escaped = text_[at_] == '\\' && at_ + 1 < text_.size();
    if (escaped) ++at_;
    if (!add_value_byte(term, text_[at_], escaped)) return false;
    ++at_;
  }
  if (at_end()) {
    fail(start, std::string("a closing ") + quote + " for this text");
    return false;
  }
  ++at_;
  return true;
}

bool FilterParser::read_bare(Filter::Node& term) {
  const size_t start = at_;
  while (!at_end() && is_bare(text_[at_])) {
    if (!add_value_byte(term, text_[at_], false)) return false;
    ++at_;
  }
  const std::string_view word = text_.substr(start, at_ - start);
  if (word.empty() || word == "AND" || word == "OR" || word == "NOT") {
    fail(start, "a value, in quotes if it has spaces or signs");
    return false;
  }
  return true;
}

bool FilterParser::add_value_byte(Filter::Node& term, char c, bool escaped) {
  if (c == '*' && !escaped) {
    if (term.open_end) star_in_middle_ = true;  // "a**"
    if (term.value.empty() && !term.open_start) {
      term.open_start = true;
    } else {
      term.open_end = true;
    }
    return true;
  }
  if (term.open_end) star_in_middle_ = true;
  term.value += c;
  return true;
}

bool FilterParser::finish_value(Filter::Node& term, size_t start) {
  using Operator = Filter::Operator;
  const bool is_map_kind =
      term.field_kind == FieldKind::kMap || term.field_kind == FieldKind::kVersionMap;
  const bool whole_map = is_map_kind && term.field.find('.') == std::string::npos;
  const bool wild = term.open_start || term.open_end;
  if (star_in_middle_) {
    fail(start, "* at the start or the end of a value only (\\* is a star)");
    return false;
  }
  if (whole_map) {
    const bool is_key =
        !term.value.empty() && std::all_of(term.value.begin(), term.value.end(), is_word);
    if (term.op != Operator::kHas || wild || !is_key) {
      fail(start,
           "a key: write " + term.field + ".KEY, or " + term.field + ":KEY to ask if it is there");
      return false;
    }
    term.field += "." + term.value;
    term.value.clear();
    term.open_start = true;  // the same as NAME.KEY:*
    return true;
  }
  const bool presence = term.op == Operator::kHas && term.value.empty() && term.open_start;
  const bool compares = term.op == Operator::kEqual || term.op == Operator::kNotEqual;
  if (wild && !compares && !presence) {
    fail(start, "a value without *, which goes with = and !=");
    return false;
  }
  if (term.op == Operator::kHas && term.value.empty() && !presence) {
    fail(start, "a text to look for, or * to ask if the field is there");
    return false;
  }
  return wild || term.op == Operator::kHas || check_word(term, start);
}

bool FilterParser::check_word(Filter::Node& term, size_t start) {
  const bool equality =
      term.op == Filter::Operator::kEqual || term.op == Filter::Operator::kNotEqual;
  const bool is_version =
      term.field_kind == FieldKind::kVersion || term.field_kind == FieldKind::kVersionMap;
  if (is_version && !equality && !LooseVersion::parse(term.value)) {
    fail(start, "a version such as 1.10.0");
    return false;
  }
  if (words_.empty() || !equality) return true;
  std::string known;
  std::vector<std::string> all;
  for (const FilterWord& word : words_) {
    if (same_letters(word.written, term.value)) {
      term.value = word.means;
      return true;
    }
    if (!known.empty()) known += ", ";
    known += word.written;
    all.emplace_back(word.written);
  }
  fail(start, "one of " + known);
  error_->message += did_you_mean(term.value, all);
  return false;
}

void FilterParser::skip_spaces() {
  while (!at_end() && is_space(text_[at_])) ++at_;
}

bool FilterParser::take_keyword(std::string_view word) {
  const std::string_view rest = text_.substr(std::min(at_, text_.size()));
  if (!rest.starts_with(word)) return false;
  if (rest.size() > word.size() && is_word(rest[word.size()])) return false;
  at_ += word.size();
  skip_spaces();
  return true;
}

FilterParser::Index FilterParser::add(Filter::Node node) {
  nodes_.push_back(std::move(node));
  return static_cast<uint32_t>(nodes_.size() - 1);
}

FilterParser::Index FilterParser::add_branch(Filter::Kind kind, uint32_t left, uint32_t right) {
  Filter::Node node;
  node.kind = kind;
  node.left = left;
  node.right = right;
  return add(std::move(node));
}

FilterParser::Index FilterParser::fail(size_t position, std::string_view expected) {
  if (!error_) {
    error_ = invalid("BAD_FILTER", "position " + std::to_string(position + 1) + ": expected " +
                                       std::string(expected) + ", found " + token_at(position));
  }
  return {};
}

std::string FilterParser::token_at(size_t position) const {
  if (position >= text_.size()) return "the end";
  size_t end = position;
  while (end < text_.size() && end - position < 40 && is_bare(text_[end])) ++end;
  if (end == position) ++end;
  std::string token = "'";
  for (const char c : text_.substr(position, end - position)) {
    token += c >= ' ' && c < 127 ? c : '?';
  }
  return token + "'";
}

std::string FilterParser::known_fields() const {
  std::string names;
  for (const FilterField& field : fields_) {
    if (!names.empty()) names += ", ";
    names += field.name;
    if (field.kind == FieldKind::kMap || field.kind == FieldKind::kVersionMap) names += ".KEY";
  }
  return names;
}

}  // namespace covey
