// SPDX-License-Identifier: Apache-2.0
#include "storage/rows/table.hpp"

#include <fmt/format.h>

namespace covey::rows {
namespace {

enum class Of : uint8_t { kAll, kKey, kRest };

// `format` of each name, with `between` between them.
std::string joined(const Table& table, Of of, std::string_view format, std::string_view between) {
  std::string text;
  for (const TableColumn& column : table.columns) {
    if (of != Of::kAll && column.key != (of == Of::kKey)) continue;
    if (!text.empty()) text += between;
    text += fmt::format(fmt::runtime(format), column.name, table.name);
  }
  return text;
}

std::string insert_sql(const Table& table) {
  return fmt::format("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT", table.name, names_of(table),
                     joined(table, Of::kAll, "?", ", "));
}

}  // namespace

std::string names_of(const Table& table) { return joined(table, Of::kAll, "{0}", ", "); }

std::string put_sql(const Table& table) {
  return fmt::format("{} ({}) DO UPDATE SET {}", insert_sql(table),
                     joined(table, Of::kKey, "{0}", ", "),
                     joined(table, Of::kRest, "{0} = excluded.{0}", ", "));
}

std::string put_changed_sql(const Table& table) {
  return fmt::format("{} WHERE {}", put_sql(table),
                     joined(table, Of::kRest, "{1}.{0} IS DISTINCT FROM excluded.{0}", " OR "));
}

std::string append_sql(const Table& table) { return insert_sql(table) + " DO NOTHING"; }

std::string remove_sql(const Table& table) {
  return fmt::format("DELETE FROM {} WHERE {}", table.name, with_key(table));
}

std::string with_key(const Table& table) { return joined(table, Of::kKey, "{0} = ?", " AND "); }

std::string order_by_key(const Table& table) {
  return "ORDER BY " + joined(table, Of::kKey, "{0}", ", ");
}

std::string select_sql(const Table& table, std::string_view tail) {
  return fmt::format("SELECT {} FROM {} {}", names_of(table), table.name, tail);
}

}  // namespace covey::rows
