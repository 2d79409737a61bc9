// SPDX-License-Identifier: Apache-2.0
// A row without a database: the values of a record's columns, and where two records differ.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/rows/records.hpp"

namespace covey::test {

struct Null {
  bool operator==(const Null&) const = default;
};
using Value = std::variant<Null, int64_t, std::string, Bytes>;

// Sink and Source of storage/rows/column.hpp.
class RowValues {
 public:
  void integer(int64_t value) { values.emplace_back(value); }
  void text(std::string_view value) { values.emplace_back(std::string(value)); }
  void blob(ByteView value) { values.emplace_back(Bytes(value.begin(), value.end())); }
  void borrow_text(std::string_view value) { text(value); }
  void borrow_blob(ByteView value) { blob(value); }
  void null() { values.emplace_back(Null{}); }

  int64_t integer() { return std::get<int64_t>(values.at(next_++)); }
  std::string_view text() { return std::get<std::string>(values.at(next_++)); }
  ByteView blob() { return std::get<Bytes>(values.at(next_++)); }
  bool is_null() const { return std::holds_alternative<Null>(values.at(next_)); }
  void skip() { ++next_; }
  void refuse(std::string_view why) { refuse_row(why); }
  void refuse_row(std::string_view why) {
    if (status_) status_ = invalid("REFUSED", std::string(why));
  }
  const Status& status() const { return status_; }
  bool at_end() const { return next_ == values.size(); }

  std::vector<Value> values;

 private:
  size_t next_ = 0;
  Status status_;
};

// "boot_id: 3 and 4": the first column that differs.
template <typename Record>
std::string difference(const Record& a, const Record& b) {
  RowValues left;
  RowValues right;
  rows::bind(left, a);
  rows::bind(right, b);
  for (size_t i = 0; i < left.values.size(); ++i) {
    if (left.values[i] == right.values[i]) continue;
    return rows::table_of<Record>().columns[i].name + ": " +
           testing::PrintToString(left.values[i]) + " and " +
           testing::PrintToString(right.values[i]);
  }
  return "not in its columns";
}

}  // namespace covey::test
