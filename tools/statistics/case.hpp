// SPDX-License-Identifier: Apache-2.0
// One reference case of a file like tests/vectors/monitoring_cases.json: what a method is given,
// and what it should find.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "monitoring/counts/counts.hpp"

namespace covey::cases {

using Json = nlohmann::json;

// What the file says makes no sense: where, and why.
class BadCase : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A value of the file with the path to it. Every conversion checks what it converts.
class Value {
 public:
  Value(const Json& json, std::string path) : json_(&json), path_(std::move(path)) {}

  [[noreturn]] void bad(const std::string& why) const { throw BadCase(path_ + ": " + why); }
  const Json& json() const { return *json_; }
  bool is_null() const { return json_->is_null(); }
  bool has(const std::string& name) const { return json_->is_object() && json_->contains(name); }
  Value at(const std::string& name) const;
  Value at(size_t index) const;
  size_t size() const;  // of a list

  double number() const;                         // finite
  double number(double low, double high) const;  // low <= x <= high
  double inside(double low, double high) const;  // low < x < high
  uint64_t count() const;                        // 0 to 2^53
  uint64_t count(uint64_t low, uint64_t high) const;
  std::string text() const;
  std::vector<double> numbers() const;
  std::vector<double> shares() const;  // not negative, with a sum above 0
  monitoring::Counts counts() const;   // with a sum of up to 2^53
  std::vector<monitoring::Counts> tables(size_t columns) const;

 private:
  const Json* json_;
  std::string path_;
};

struct Case {
  std::string id;
  std::string method;
  double tol = 0;
  Value inputs;
  Value expected;
  const Json& all;  // the file's cases: one may name another's inputs
};

// What a method found, in the form of `expected`; `given` are fields of it that are data and no
// result.
struct Found {
  Json got = Json::object();
  std::set<std::string> given;
};

}  // namespace covey::cases
