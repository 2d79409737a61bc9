// The columns of a result row, read in order. The first value that cannot be what was stored makes
// the row corrupt; what is read after it is empty. One thread.
#pragma once

#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "storage/sqlite/database.hpp"

namespace covey::sqlite {

class Row {
 public:
  explicit Row(const Statement& statement) : statement_(statement.handle()) {}

  int64_t integer();
  template <std::unsigned_integral T>
  T number() {
    const int64_t value = integer();
    if constexpr (sizeof(T) < sizeof(int64_t)) {
      if (value < 0 || value > int64_t{std::numeric_limits<T>::max()}) refuse("out of range");
    }
    return static_cast<T>(value);
  }
  bool flag() { return number<uint8_t>() != 0; }
  Millis millis() { return Millis{integer()}; }
  std::string text();
  Bytes blob();
  Digest digest();
  template <typename Tag>
  void id(Id<Tag>& id) {
    id = Id<Tag>(text());
  }
  bool is_null() const;  // the next column
  void skip() { ++column_; }
  template <typename Read>
  auto optional(Read read) -> std::optional<decltype(read(*this))> {
    if (is_null()) {
      skip();
      return std::nullopt;
    }
    return read(*this);
  }
  // Stable text of an enum.
  template <typename E>
  E word(std::optional<E> (*parse)(std::string_view)) {
    const std::string written = text();
    const std::optional<E> value = parse(written);
    if (!value) refuse("unknown word \"" + written + "\"");
    return value.value_or(E{});
  }
  // Result<T> of a decoder.
  template <typename T>
  T decoded(Result<T> value) {
    if (value) return *std::move(value);
    refuse(value.error().message);
    return T{};
  }

  // About the column read last.
  void refuse(const std::string& why);
  const Status& status() const { return status_; }

 private:
  void expect(int type);

  sqlite3_stmt* statement_;
  int column_ = 0;
  Status status_;
};

}  // namespace covey::sqlite
