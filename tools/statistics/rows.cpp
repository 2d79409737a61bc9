// SPDX-License-Identifier: Apache-2.0
#include "tools/statistics/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace covey::cases {

Columns::Columns(const Value& names) : value_(names) {
  for (size_t i = 0; i < names.size(); ++i) names_.push_back(names.at(i).text());
}

size_t Columns::index(const std::string& name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) value_.bad(fmt::format("has no \"{}\"", name));
  return static_cast<size_t>(found - names_.begin());
}

Found found_rows(const Case& c, const std::function<void(const Value& row, Json& got)>& compute) {
  const Value rows = c.expected.at("rows");
  const size_t columns = c.inputs.at("columns").size();
  Found found{{{"rows", Json::array()}}, {"row_fields"}};
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows.at(i).size() < columns) {
      rows.at(i).bad(fmt::format("should have {} entries or more", columns));
    }
    Json row = rows.at(i).json();
    compute(rows.at(i), row);
    found.got["rows"].push_back(std::move(row));
  }
  return found;
}

double number_in(const Value& where, const std::string& name, std::string_view prefix) {
  const std::string digits = name.substr(std::min(prefix.size(), name.size()));
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(value)) {
    where.bad(fmt::format("\"{}\" should be {} and a number", name, prefix));
  }
  return value;
}

}  // namespace covey::cases
