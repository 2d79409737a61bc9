// A table's columns in the order in which records bind and read them, and the SQL made of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace covey::sqlite {

struct Table {
  std::string name;
  std::vector<std::string> key;   // the first columns
  std::vector<std::string> rest;  // replaced by a put
};

std::string columns_of(const Table& table);  // "a, b, c"
// INSERT, or UPDATE of `rest` where the key is there.
std::string put_sql(const Table& table);
// INSERT; a row with the same key stays as it is.
std::string append_sql(const Table& table);
// SELECT of all columns; `tail`: WHERE and ORDER BY.
std::string select_sql(const Table& table, std::string_view tail);

}  // namespace covey::sqlite
