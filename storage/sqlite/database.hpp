// SPDX-License-Identifier: Apache-2.0
// SQLite's C interface as RAII classes. Each Database, with its statements, belongs to one thread
// at a time. Errors: DISK_FULL, STORE_IO, STORE_CORRUPT, LOCKED (the file is busy); messages say
// what was being done, what SQLite said and what to do.
#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/digest.hpp"
#include "core/result.hpp"

namespace covey::sqlite {

Error corrupt(std::string what);

// What SQLite has to say by itself (recovered logs, statements that a schema change voids, I/O
// errors), for the whole process; before the first database is opened. `warning`: not just news.
void log_sqlite_to(void (*said)(bool warning, const char* text));

// A prepared statement. Values are bound in order from the first; every run or reset starts anew.
// A Sink of rows/column.hpp: text() and blob() copy the value, the borrow ones need it until then.
class Statement {
 public:
  Statement& integer(int64_t value);
  template <std::unsigned_integral T>
  Statement& number(T value) {  // 64 bits are kept as bits
    return integer(static_cast<int64_t>(value));
  }
  Statement& text(std::string_view value);
  Statement& blob(ByteView value);
  Statement& borrow_text(std::string_view value);
  Statement& borrow_blob(ByteView value);
  Statement& null();

  // True: a row is there. Call reset() before the transaction ends.
  Result<bool> step();
  // To the end, without looking at rows, then reset().
  Status run();
  void reset();

  sqlite3_stmt* handle() const { return handle_.get(); }

 private:
  friend class Database;
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}
  Statement& bind_text(std::string_view value, sqlite3_destructor_type lifetime);
  Statement& bind_blob(ByteView value, sqlite3_destructor_type lifetime);
  void bound(int result);

  std::unique_ptr<sqlite3_stmt, Finalizer> handle_;
  int parameter_ = 0;
  int bind_result_ = SQLITE_OK;
};

class Database {
 public:
  // `vfs` "" is the system's.
  static Result<Database> open(const std::string& path, int flags, const std::string& vfs);

  // Runs all statements of `sql`.
  Status run(const std::string& sql);
  // Prepared once, kept; reset and free of values. Valid as long as the Database.
  Result<Statement*> cached(const std::string& sql);
  // The one statement of `sql`, kept.
  Status step(const std::string& sql);
  // The one value of a query's first row; 0 without rows.
  Result<int64_t> number(const std::string& sql);
  Result<std::string> text(const std::string& sql);
  // All pages, of one moment, into an empty database.
  Status copy_to(Database& target);

  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Closer {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  explicit Database(sqlite3* handle) : handle_(handle) {}

  std::unique_ptr<sqlite3, Closer> handle_;
  std::unordered_map<std::string, Statement> statements_;  // finalised before the handle closes
};

// Rolls back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Status commit();

  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace covey::sqlite
