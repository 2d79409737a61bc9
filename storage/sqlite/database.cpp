// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/database.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace covey::sqlite {
namespace {

// Extended result codes name the system call that failed; the low byte decides what it means, but
// for a disk without room where SQLite expects some (the -shm file, a quota): it says I/O error.
Error error_of(sqlite3* database, int result, std::string_view doing) {
  const char* said = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(result);
  const int system = database != nullptr ? sqlite3_system_errno(database) : 0;
  const std::string why = system != 0 ? fmt::format(", {}", std::strerror(system)) : "";
  const std::string what = fmt::format("SQLite, {}: {} ({}{})", doing, said, result, why);
  const bool no_room = (result & 0xff) == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT);
  switch (no_room ? SQLITE_FULL : result & 0xff) {
    case SQLITE_FULL:
      return {Code::kResourceExhausted, "DISK_FULL",
              what + ": free space on the disk of the data directory"};
    case SQLITE_CORRUPT:
      return corrupt(what);
    case SQLITE_NOTADB:
      return {Code::kDataLoss, "STORE_CORRUPT",
              what +
                  ": another program's file, or a damaged one: move it away, or restore the "
                  "data directory from a backup"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::kFailedPrecondition, "LOCKED",
              what + ": another program holds the database; only coveyd may open it"};
    default:
      return {Code::kUnavailable, "STORE_IO",
              what + ": check the data directory's permissions, its disk and the system log"};
  }
}

}  // namespace

void log_sqlite_to(void (*said)(bool warning, const char* text)) {
  static std::atomic<void (*)(bool, const char*)> to{nullptr};
  to = said;
  sqlite3_config(
      SQLITE_CONFIG_LOG,
      +[](void*, int result, const char* text) {
        if (const auto call = to.load()) call((result & 0xff) != SQLITE_NOTICE, text);
      },
      nullptr);
}

Error corrupt(std::string what) {
  return {Code::kDataLoss, "STORE_CORRUPT",
          std::move(what) + ": the database is damaged; restore the data directory from a backup"};
}

void Statement::bound(int result) {
  if (bind_result_ == SQLITE_OK) bind_result_ = result;
}

Statement& Statement::integer(int64_t value) {
  bound(sqlite3_bind_int64(handle(), ++parameter_, value));
  return *this;
}

Statement& Statement::bind_text(std::string_view value, sqlite3_destructor_type lifetime) {
  // A null pointer would bind NULL.
  const char* begin = value.data() != nullptr ? value.data() : "";
  bound(sqlite3_bind_text64(handle(), ++parameter_, begin, value.size(), lifetime, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_blob(ByteView value, sqlite3_destructor_type lifetime) {
  const void* begin = value.data() != nullptr ? static_cast<const void*>(value.data()) : "";
  bound(sqlite3_bind_blob64(handle(), ++parameter_, begin, value.size(), lifetime));
  return *this;
}

Statement& Statement::text(std::string_view value) { return bind_text(value, SQLITE_TRANSIENT); }
Statement& Statement::blob(ByteView value) { return bind_blob(value, SQLITE_TRANSIENT); }
Statement& Statement::borrow_text(std::string_view value) {
  return bind_text(value, SQLITE_STATIC);
}
Statement& Statement::borrow_blob(ByteView value) { return bind_blob(value, SQLITE_STATIC); }

Statement& Statement::null() {
  bound(sqlite3_bind_null(handle(), ++parameter_));
  return *this;
}

Result<bool> Statement::step() {
  sqlite3* database = sqlite3_db_handle(handle());
  if (bind_result_ != SQLITE_OK) return error_of(database, bind_result_, "binding a value");
  const int result = sqlite3_step(handle());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return error_of(database, result, sqlite3_sql(handle()));
}

Status Statement::run() {
  Result<bool> row = step();
  while (row && *row) row = step();
  reset();
  if (!row) return row.error();
  return {};
}

void Statement::reset() {
  sqlite3_reset(handle());
  sqlite3_clear_bindings(handle());
  parameter_ = 0;
  bind_result_ = SQLITE_OK;
}

Result<Database> Database::open(const std::string& path, int flags, const std::string& vfs) {
  sqlite3* handle = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX,
                                     vfs.empty() ? nullptr : vfs.c_str());
  Database database(handle);  // SQLite gives a handle even when it fails
  if (result != SQLITE_OK) return error_of(handle, result, "opening " + path);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, 5000);
  return database;
}

Status Database::run(const std::string& sql) {
  const int result = sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return error_of(handle(), result, sql.substr(0, 60));
  return {};
}

Result<Statement*> Database::cached(const std::string& sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) {
    found->second.reset();
    return &found->second;
  }
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(handle(), sql.c_str(), static_cast<int>(sql.size() + 1),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) return error_of(handle(), result, sql);
  return &statements_.emplace(sql, Statement(statement)).first->second;
}

Status Database::step(const std::string& sql) {
  Result<Statement*> statement = cached(sql);
  if (!statement) return statement.error();
  return (*statement)->run();
}

Result<int64_t> Database::number(const std::string& sql) {
  Result<Statement*> statement = cached(sql);
  if (!statement) return statement.error();
  const Result<bool> row = (*statement)->step();
  const int64_t value = row && *row ? sqlite3_column_int64((*statement)->handle(), 0) : 0;
  (*statement)->reset();
  if (!row) return row.error();
  return value;
}

Result<std::string> Database::text(const std::string& sql) {
  Result<Statement*> statement = cached(sql);
  if (!statement) return statement.error();
  const Result<bool> row = (*statement)->step();
  std::string value;
  if (row && *row) {
    const auto* begin =
        reinterpret_cast<const char*>(sqlite3_column_text((*statement)->handle(), 0));
    if (begin != nullptr) value = begin;
  }
  (*statement)->reset();
  if (!row) return row.error();
  return value;
}

Status Database::copy_to(Database& target) {
  sqlite3_backup* copy = sqlite3_backup_init(target.handle(), "main", handle(), "main");
  if (copy == nullptr) {
    return error_of(target.handle(), sqlite3_errcode(target.handle()), "starting a backup");
  }
  const int stepped = sqlite3_backup_step(copy, -1);
  const int finished = sqlite3_backup_finish(copy);
  if (stepped == SQLITE_DONE) return {};
  return error_of(target.handle(), finished != SQLITE_OK ? finished : stepped, "copying pages");
}

Result<Transaction> Transaction::begin(Database& database) {
  if (Status begun = database.step("BEGIN IMMEDIATE"); !begun) return begun.error();
  return Transaction(database);
}

Status Transaction::commit() {
  Status committed = database_->step("COMMIT");
  if (committed) database_ = nullptr;
  return committed;
}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  // SQLite has rolled back by itself after some errors; then this one says so, which is no news.
  static_cast<void>(database_->run("ROLLBACK"));
}

}  // namespace covey::sqlite
