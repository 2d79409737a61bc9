// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/filter/filter.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <compare>

#include "deploy/rollout/filter/filter_parser.hpp"
#include "deploy/rollout/filter/loose_version.hpp"

namespace covey {
namespace {

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

// What has no order against the other is neither less nor more.
std::optional<std::weak_ordering> compare(std::string_view actual, std::string_view wanted,
                                          FieldKind kind) {
  const auto version = LooseVersion::parse(actual);
  const auto bound = LooseVersion::parse(wanted);
  if (is_version_kind(kind)) {
    if (!version || !bound) return std::nullopt;
    return precedence(*version, *bound);
  }
  // Elsewhere 20.5 is a number; with two dots it can only be a version.
  if (version && bound && std::max(version->numbers.size(), bound->numbers.size()) > 2) {
    return precedence(*version, *bound);
  }
  if (const auto number_b = decimal(wanted)) {
    const auto number_a = decimal(actual);
    if (!number_a) return std::nullopt;
    if (*number_a < *number_b) return std::weak_ordering::less;
    return *number_a > *number_b ? std::weak_ordering::greater : std::weak_ordering::equivalent;
  }
  if (bound && bound->numbers.size() > 2) return std::nullopt;
  return actual.compare(wanted) <=> 0;
}

// 1.10 is 1.10.0; the build counts where it is asked for.
bool same_version(std::string_view actual, std::string_view wanted) {
  const auto version = LooseVersion::parse(actual);
  const auto bound = LooseVersion::parse(wanted);
  return version && bound && precedence(*version, *bound) == 0 &&
         (bound->build.empty() || bound->build == version->build);
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
  static constexpr std::array<FilterWord, 3> kStates{
      {{"PENDING", "PENDING"}, {"ACCEPTED", "ACCEPTED"}, {"REJECTED", "REJECTED"}}};
  static constexpr std::array<FilterWord, 4> kOnline{
      {{"true", "true"}, {"false", "false"}, {"yes", "true"}, {"no", "false"}}};
  static constexpr std::array<FilterField, 10> kFields{{{"id", FieldKind::kText},
                                                        {"device_id", FieldKind::kText},
                                                        {"class", FieldKind::kText},
                                                        {"state", FieldKind::kText, kStates},
                                                        {"online", FieldKind::kText, kOnline},
                                                        {"firmware", FieldKind::kVersion},
                                                        {"agent", FieldKind::kVersion},
                                                        {"secret", FieldKind::kVersion},
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
    return actual == wanted || (is_version_kind(node.field_kind) && same_version(actual, wanted));
  };
  const auto order = [&] { return compare(actual, wanted, node.field_kind); };
  switch (node.op) {
    case Operator::kEqual:
      return equal();
    case Operator::kNotEqual:
      return !equal();
    case Operator::kLess:
      return order() && *order() < 0;
    case Operator::kLessEqual:
      return order() && *order() <= 0;
    case Operator::kGreater:
      return order() && *order() > 0;
    case Operator::kGreaterEqual:
      return order() && *order() >= 0;
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
