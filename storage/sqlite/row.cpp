// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/row.hpp"

#include <fmt/format.h>

namespace covey::sqlite {

const char* Row::table() const {
  const char* table = sqlite3_column_table_name(statement_, 0);
  return table != nullptr ? table : "?";
}

void Row::refuse(std::string_view why) {
  const char* column = sqlite3_column_name(statement_, column_ - 1);
  refuse_row(fmt::format("{}: {}", column != nullptr ? column : "?", why));
}

void Row::refuse_row(std::string_view why) {
  if (status_) status_ = corrupt(fmt::format("{}.{}", table(), why));
}

bool Row::expect(int type) {
  const int found = sqlite3_column_type(statement_, column_);
  ++column_;
  if (found != type) refuse(fmt::format("a value of type {}", found));
  return found == type;
}

bool Row::is_null() const { return sqlite3_column_type(statement_, column_) == SQLITE_NULL; }

int64_t Row::integer() {
  return expect(SQLITE_INTEGER) ? sqlite3_column_int64(statement_, column_ - 1) : 0;
}

std::string_view Row::text() {
  if (!expect(SQLITE_TEXT)) return {};
  const auto* begin = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column_ - 1));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column_ - 1));
  return begin != nullptr ? std::string_view(begin, size) : std::string_view();
}

ByteView Row::blob() {
  if (!expect(SQLITE_BLOB)) return {};
  const auto* begin = static_cast<const uint8_t*>(sqlite3_column_blob(statement_, column_ - 1));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column_ - 1));
  return begin != nullptr ? ByteView(begin, size) : ByteView();
}

}  // namespace covey::sqlite
