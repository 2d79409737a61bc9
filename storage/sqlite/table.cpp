#include "storage/sqlite/table.hpp"

namespace covey::sqlite {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

std::string insert_sql(const Table& table) {
  std::string sql = "INSERT INTO " + table.name + " (" + columns_of(table) + ") VALUES (?";
  for (size_t i = 1; i < table.key.size() + table.rest.size(); ++i) sql += ", ?";
  return sql + ") ON CONFLICT ";
}

}  // namespace

std::string columns_of(const Table& table) {
  if (table.key.empty()) return joined(table.rest);
  return joined(table.key) + ", " + joined(table.rest);
}

std::string put_sql(const Table& table) {
  std::vector<std::string> sets;
  for (const std::string& column : table.rest) sets.push_back(column + " = excluded." + column);
  return insert_sql(table) + "(" + joined(table.key) + ") DO UPDATE SET " + joined(sets);
}

std::string append_sql(const Table& table) { return insert_sql(table) + "DO NOTHING"; }

std::string select_sql(const Table& table, std::string_view tail) {
  return "SELECT " + columns_of(table) + " FROM " + table.name + " " + std::string(tail);
}

}  // namespace covey::sqlite
