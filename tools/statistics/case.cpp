// SPDX-License-Identifier: Apache-2.0
#include "tools/statistics/case.hpp"

#include <fmt/format.h>

#include <cmath>

namespace covey::cases {
namespace {

constexpr uint64_t kCountMax = uint64_t{1} << 53;
constexpr size_t kListMax = 100'000;

}  // namespace

Value Value::at(const std::string& name) const {
  if (!json_->is_object()) bad("should be an object");
  const auto found = json_->find(name);
  if (found == json_->end()) bad(fmt::format("has no \"{}\"", name));
  return {*found, fmt::format("{}.{}", path_, name)};
}

Value Value::at(size_t index) const {
  if (index >= size())
    bad(fmt::format("has {} entries, at least {} are needed", size(), index + 1));
  return {(*json_)[index], fmt::format("{}[{}]", path_, index)};
}

size_t Value::size() const {
  if (!json_->is_array()) bad("should be a list");
  if (json_->size() > kListMax) bad(fmt::format("is longer than {}", kListMax));
  return json_->size();
}

double Value::number() const {
  if (!json_->is_number()) bad("should be a number");
  const double value = json_->get<double>();
  if (!std::isfinite(value)) bad("should be a finite number");
  return value;
}

double Value::number(double low, double high) const {
  const double value = number();
  if (value < low || value > high) bad(fmt::format("{} is not within {} to {}", value, low, high));
  return value;
}

double Value::inside(double low, double high) const {
  const double value = number();
  if (value <= low || value >= high) {
    bad(fmt::format("{} is not between {} and {}", value, low, high));
  }
  return value;
}

uint64_t Value::count() const { return count(0, kCountMax); }

uint64_t Value::count(uint64_t low, uint64_t high) const {
  const double value = number();
  if (value != std::floor(value) || value < static_cast<double>(low) ||
      value > static_cast<double>(high)) {
    bad(fmt::format("{} is not a whole number from {} to {}", value, low, high));
  }
  return static_cast<uint64_t>(value);
}

std::string Value::text() const {
  if (!json_->is_string()) bad("should be a text");
  return json_->get<std::string>();
}

std::vector<double> Value::numbers() const {
  std::vector<double> list;
  for (size_t i = 0; i < size(); ++i) list.push_back(at(i).number());
  return list;
}

std::vector<double> Value::shares() const {
  double sum = 0;
  std::vector<double> list;
  for (size_t i = 0; i < size(); ++i) {
    list.push_back(at(i).number(0, 1e15));
    sum += list.back();
  }
  if (sum <= 0) bad("has nothing above 0");
  return list;
}

monitoring::Counts Value::counts() const {
  monitoring::Counts list;
  for (size_t i = 0; i < size(); ++i) list.push_back(at(i).count());
  if (list.empty()) bad("is empty");
  if (monitoring::total(list) > kCountMax) bad("counts more than 2^53 in all");
  return list;
}

std::vector<monitoring::Counts> Value::tables(size_t columns) const {
  std::vector<monitoring::Counts> rows;
  for (size_t i = 0; i < size(); ++i) {
    rows.push_back(at(i).counts());
    if (rows.back().size() != columns) at(i).bad(fmt::format("should have {} entries", columns));
  }
  if (rows.empty()) bad("is empty");
  return rows;
}

}  // namespace covey::cases
