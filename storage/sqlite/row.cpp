#include "storage/sqlite/row.hpp"

namespace covey::sqlite {

void Row::refuse(const std::string& why) {
  if (!status_) return;
  const char* table = sqlite3_column_table_name(statement_, column_ - 1);
  const char* column = sqlite3_column_name(statement_, column_ - 1);
  status_ = corrupt(std::string(table != nullptr ? table : "?") + "." +
                    (column != nullptr ? column : "?") + ": " + why);
}

void Row::expect(int type) {
  const int found = sqlite3_column_type(statement_, column_);
  ++column_;
  if (found != type) refuse("a value of type " + std::to_string(found));
}

bool Row::is_null() const { return sqlite3_column_type(statement_, column_) == SQLITE_NULL; }

int64_t Row::integer() {
  expect(SQLITE_INTEGER);
  return sqlite3_column_int64(statement_, column_ - 1);
}

std::string Row::text() {
  expect(SQLITE_TEXT);
  const auto* begin = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column_ - 1));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column_ - 1));
  return begin != nullptr ? std::string(begin, size) : std::string();
}

Bytes Row::blob() {
  expect(SQLITE_BLOB);
  const auto* begin = static_cast<const uint8_t*>(sqlite3_column_blob(statement_, column_ - 1));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column_ - 1));
  return begin != nullptr ? Bytes(begin, begin + size) : Bytes();
}

Digest Row::digest() { return decoded(digest_from_bytes(blob())); }

}  // namespace covey::sqlite
