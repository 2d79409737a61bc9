// SPDX-License-Identifier: Apache-2.0
// A record's table, made of its columns (records.hpp), and the statements made of that: `?` stands
// for each value in the order of the columns. Statements are texts to prepare once. Pure; any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/rows/column.hpp"

namespace covey::rows {

struct TableColumn {
  std::string name;
  Kind kind = Kind::kInteger;
  bool key = false;
  bool nullable = false;
};
struct Table {
  std::string name;
  std::vector<TableColumn> columns;  // those of the key first
};

std::string names_of(const Table& table);  // "a, b, c"
// INSERT, or UPDATE of what is not the key where the key is there.
std::string put_sql(const Table& table);
// The same, but a row whose values are the same stays untouched.
std::string put_changed_sql(const Table& table);
// INSERT; a row with the same key stays as it is.
std::string append_sql(const Table& table);
// DELETE of the row with the key.
std::string remove_sql(const Table& table);
std::string with_key(const Table& table);      // "a = ? AND b = ?"
std::string order_by_key(const Table& table);  // "ORDER BY a, b"
// SELECT of all columns; `tail`: WHERE and ORDER BY.
std::string select_sql(const Table& table, std::string_view tail);

// The visitors of a record's columns. Beside key() and operator() of a column they have
//   only_row(name)           the key of a table of one row
//   optional(group, list)    columns that are all NULL while `group` has no value

class Lister {
 public:
  explicit Lister(std::vector<TableColumn>& columns) : columns_(columns) {}

  template <typename T>
  void key(const char* name, const T&) {
    columns_.push_back({name, Column<T>::kKind, true, false});
  }
  template <typename T>
  void operator()(const char* name, const T&) {
    columns_.push_back({name, Column<T>::kKind, false, in_group_ || Column<T>::kNullable});
  }
  void only_row(const char* name) { columns_.push_back({name, Kind::kInteger, true, false}); }
  template <typename T>
  void optional(const std::optional<T>&, const auto& list) {
    in_group_ = true;
    const T none{};
    list(*this, none);
    in_group_ = false;
  }

 private:
  std::vector<TableColumn>& columns_;
  bool in_group_ = false;
};

// All values, in the order of the columns.
template <typename Sink>
class Binder {
 public:
  explicit Binder(Sink& to) : to_(to) {}

  template <typename T>
  void key(const char*, const T& value) {
    Column<T>::put(to_, value);
  }
  template <typename T>
  void operator()(const char*, const T& value) {
    if (null_) return static_cast<void>(to_.null());
    Column<T>::put(to_, value);
  }
  void only_row(const char*) { to_.integer(1); }
  template <typename T>
  void optional(const std::optional<T>& group, const auto& list) {
    if (group) return list(*this, *group);
    null_ = true;
    const T none{};
    list(*this, none);
    null_ = false;
  }

 private:
  Sink& to_;
  bool null_ = false;
};

template <typename Sink>
class KeyBinder {
 public:
  explicit KeyBinder(Sink& to) : to_(to) {}

  template <typename T>
  void key(const char*, const T& value) {
    Column<T>::put(to_, value);
  }
  template <typename T>
  void operator()(const char*, const T&) {}
  void only_row(const char*) { to_.integer(1); }
  template <typename T>
  void optional(const std::optional<T>&, const auto&) {}

 private:
  Sink& to_;
};

template <typename Source>
class Loader {
 public:
  explicit Loader(Source& from) : from_(from) {}

  template <typename T>
  void key(const char*, T& value) {
    Column<T>::get(from_, value);
  }
  template <typename T>
  void operator()(const char*, T& value) {
    if (skip_) return from_.skip();
    Column<T>::get(from_, value);
  }
  void only_row(const char*) { from_.skip(); }
  template <typename T>
  void optional(std::optional<T>& group, const auto& list) {
    group.reset();
    if (!from_.is_null()) return list(*this, group.emplace());
    skip_ = true;
    T none{};
    list(*this, none);
    skip_ = false;
  }

 private:
  Source& from_;
  bool skip_ = false;
};

}  // namespace covey::rows
