// SPDX-License-Identifier: Apache-2.0
// Rows of a record's table as records. The first error stops all that follows. One thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "storage/rows/records.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/row.hpp"

namespace covey::sqlite {

class Selector {
 public:
  explicit Selector(Database& database) : database_(database) {}

  // Appends what `tail` (WHERE, ORDER BY, LIMIT) leaves of the table; `bind` gives its values.
  template <typename Record, typename Bind>
  void all(std::vector<Record>& out, std::string_view tail, const Bind& bind) {
    query(out, rows::select_sql(rows::table_of<Record>(), tail), bind);
  }
  template <typename Record>
  void all(std::vector<Record>& out, std::string_view tail) {
    all(out, tail, [](Statement&) {});
  }
  // By key.
  template <typename Record>
  void all(std::vector<Record>& out) {
    all(out, rows::order_by_key(rows::table_of<Record>()));
  }
  // The same of a query of one's own whose first columns are the table's.
  template <typename Record, typename Bind>
  void query(std::vector<Record>& out, const std::string& sql, const Bind& bind) {
    if (!status_) return;
    Result<Statement*> statement = database_.cached(sql);
    if (!statement) {
      status_ = statement.error();
      return;
    }
    bind(**statement);
    status_ = read_rows(**statement, out);
    (*statement)->reset();  // an open statement would hold its view of the database
  }

  const Status& status() const { return status_; }

 private:
  template <typename Record>
  static Status read_rows(Statement& statement, std::vector<Record>& out) {
    for (;;) {
      const Result<bool> more = statement.step();
      if (!more) return more.error();
      if (!*more) return {};
      Row row(statement);
      rows::read(row, out.emplace_back());
      if (!row.status()) return row.status();
    }
  }

  Database& database_;
  Status status_;
};

}  // namespace covey::sqlite
