// SPDX-License-Identifier: Apache-2.0
// The columns of a result row, read in order: a Source of rows/column.hpp. The first value that
// cannot be what was stored makes the row corrupt; what is read after it is empty. What text() and
// blob() show is gone with the row. One thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/digest.hpp"
#include "core/result.hpp"
#include "storage/sqlite/database.hpp"

namespace covey::sqlite {

class Row {
 public:
  explicit Row(const Statement& statement) : statement_(statement.handle()) {}

  int64_t integer();
  std::string_view text();
  ByteView blob();
  bool is_null() const;  // the next column
  void skip() { ++column_; }

  void refuse(std::string_view why);      // about the column read last
  void refuse_row(std::string_view why);  // about all of them
  const Status& status() const { return status_; }

 private:
  bool expect(int type);
  const char* table() const;

  sqlite3_stmt* statement_;
  int column_ = 0;
  Status status_;
};

}  // namespace covey::sqlite
