// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/filter/filter.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <compare>

#include "deploy/rollout/filter/filter_parser.hpp"

namespace covey {
namespace {

// Dot-separated numbers, up to four: 1.10.0 and also 22.04.
std::optional<std::array<uint64_t, 4>> dotted(std::string_view text, size_t& parts) {
  std::array<uint64_t, 4> numbers{};
  parts = 0;
  for (;;) {
    if (parts == numbers.size()) return std::nullopt;
    const auto [end, status] =
        std::from_chars(text.data(), text.data() + text.size(), numbers[parts]);
    if (status != std::errc{}) return std::nullopt;
    ++parts;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (text.empty()) return numbers;
    if (text.front() != '.') return std::nullopt;
    text.remove_prefix(1);
  }
}

std::optional<double> decimal(std::string_view text) {
  double value = 0;
  const auto [end, status] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (status != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

bool is_version_kind(FieldKind kind) {
  return kind == FieldKind::kVersion || kind == FieldKind::kVersionMap;
}

std::weak_ordering compare(std::string_view a, std::string_view b, FieldKind kind) {
  size_t parts_a = 0;
  size_t parts_b = 0;
  const auto version_a = dotted(a, parts_a);
  const auto version_b = dotted(b, parts_b);
  // Elsewhere 20.5 is a number; with two dots it can only be a version.
  if (version_a && version_b && (is_version_kind(kind) || std::max(parts_a, parts_b) > 2)) {
    return *version_a <=> *version_b;
  }
  const auto number_a = decimal(a);
  const auto number_b = decimal(b);
  if (number_a && number_b) {
    if (*number_a < *number_b) return std::weak_ordering::less;
    return *number_a > *number_b ? std::weak_ordering::greater : std::weak_ordering::equivalent;
  }
  const int order = a.compare(b);
  if (order < 0) return std::weak_ordering::less;
  return order > 0 ? std::weak_ordering::greater : std::weak_ordering::equivalent;
}

std::string quoted(const std::string& value) {
  std::string text;
  for (const char c : value) {
    if (c == '"' || c == '\\' || c == '*') text += '\\';
    text += c;
  }
  return text;
}

}  // namespace

std::span<const FilterField> device_filter_fields() {
  static constexpr std::array<FilterField, 9> kFields{{{"id", FieldKind::kText},
                                                       {"device_id", FieldKind::kText},
                                                       {"class", FieldKind::kText},
                                                       {"state", FieldKind::kText},
                                                       {"online", FieldKind::kText},
                                                       {"firmware", FieldKind::kVersion},
                                                       {"agent", FieldKind::kVersion},
                                                       {"labels", FieldKind::kMap},
                                                       {"releases", FieldKind::kVersionMap}}};
  return kFields;
}

Result<Filter> Filter::parse(std::string_view text, std::span<const FilterField> fields) {
  return FilterParser(text, fields).parse();
}

bool Filter::matches(const FilterSubject& subject) const {
  return nodes_.empty() || matches(subject, static_cast<uint32_t>(nodes_.size() - 1));
}

// Depth is bounded by the parser: parentheses by kFilterDepthMax, chains by kFilterTermsMax.
bool Filter::matches(const FilterSubject& subject, uint32_t index) const {
  const Node& node = nodes_[index];
  switch (node.kind) {
    case Kind::kAnd:
      return matches(subject, node.left) && matches(subject, node.right);
    case Kind::kOr:
      return matches(subject, node.left) || matches(subject, node.right);
    case Kind::kNot:
      return !matches(subject, node.left);
    case Kind::kTerm:
      return matches_term(node, subject);
  }
  return false;
}

bool Filter::matches_term(const Node& node, const FilterSubject& subject) {
  const std::optional<std::string> found = subject.find(node.field);
  if (!found) return node.op == Operator::kNotEqual;
  const std::string_view actual = *found;
  const std::string_view wanted = node.value;
  const auto equal = [&] {
    if (node.open_start && node.open_end) return actual.find(wanted) != std::string_view::npos;
    if (node.open_start) return actual.ends_with(wanted);
    if (node.open_end) return actual.starts_with(wanted);
    return actual == wanted;
  };
  switch (node.op) {
    case Operator::kEqual:
      return equal();
    case Operator::kNotEqual:
      return !equal();
    case Operator::kLess:
      return compare(actual, wanted, node.field_kind) < 0;
    case Operator::kLessEqual:
      return compare(actual, wanted, node.field_kind) <= 0;
    case Operator::kGreater:
      return compare(actual, wanted, node.field_kind) > 0;
    case Operator::kGreaterEqual:
      return compare(actual, wanted, node.field_kind) >= 0;
    case Operator::kHas:
      return actual.find(wanted) != std::string_view::npos;
  }
  return false;
}

std::string Filter::canonical() const {
  std::string text;
  if (!nodes_.empty()) print(static_cast<uint32_t>(nodes_.size() - 1), text);
  return text;
}

// a AND b AND c is one pair of parentheses, not two.
void Filter::print_chain(uint32_t index, Kind kind, std::string& out) const {
  const Node& node = nodes_[index];
  if (node.kind != kind) return print(index, out);
  print_chain(node.left, kind, out);
  out += kind == Kind::kAnd ? " AND " : " OR ";
  print_chain(node.right, kind, out);
}

void Filter::print(uint32_t index, std::string& out) const {
  const Node& node = nodes_[index];
  switch (node.kind) {
    case Kind::kAnd:
    case Kind::kOr:
      out += '(';
      print_chain(index, node.kind, out);
      out += ')';
      return;
    case Kind::kNot:
      out += "NOT ";
      // The grammar takes one NOT per factor.
      if (nodes_[node.left].kind == Kind::kNot) out += '(';
      print(node.left, out);
      if (nodes_[node.left].kind == Kind::kNot) out += ')';
      return;
    case Kind::kTerm:
      break;
  }
  constexpr std::array<std::string_view, 7> kSigns{
      " = ", " != ", " < ", " <= ", " > ", " >= ", ":"};
  out += node.field;
  out += kSigns[static_cast<size_t>(node.op)];
  if (node.open_start && node.op == Operator::kHas) {
    out += '*';
    return;
  }
  out += '"';
  if (node.open_start) out += '*';
  out += quoted(node.value);
  if (node.open_end) out += '*';
  out += '"';
}

std::vector<std::string> Filter::fields() const {
  std::vector<std::string> names;
  for (const Node& node : nodes_) {
    if (node.kind == Kind::kTerm) names.push_back(node.field);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace covey
