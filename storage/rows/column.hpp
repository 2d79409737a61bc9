// SPDX-License-Identifier: Apache-2.0
// How a member is kept in a column: decided by its type, once for every table and store. A store
// says where values go and where they come from:
//   Sink:    integer(int64_t), text(string_view), blob(ByteView), null(); borrow_text and
//            borrow_blob where the value lives as long as the record that is written.
//   Source:  int64_t integer(), string_view text(), ByteView blob(), bool is_null(), skip(),
//            refuse(why): the column read last is not what was stored; refuse_row(why): the row;
//            status().
// Pure; any thread.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "core/time.hpp"
#include "deploy/rollout/cohort.hpp"
#include "monitoring/counts/window.hpp"
#include "storage/rows/json.hpp"
#include "storage/rows/word.hpp"

namespace covey::rows {

enum class Kind : uint8_t { kInteger, kText, kBlob };

template <typename T>
struct Column;  // kKind, kNullable, put(Sink&, const T&), get(Source&, T&)

// 64 bits are kept as bits: what has the highest one set reads back the same and sorts below zero.
template <std::integral T>
struct Column<T> {
  static constexpr Kind kKind = Kind::kInteger;
  static constexpr bool kNullable = false;
  static void put(auto& to, T value) { to.integer(static_cast<int64_t>(value)); }
  static void get(auto& from, T& out) {
    const int64_t value = from.integer();
    if constexpr (std::same_as<T, bool>) {
      if (value != 0 && value != 1) from.refuse("neither 0 nor 1");
    } else if constexpr (sizeof(T) < sizeof value) {
      if (!std::in_range<T>(value)) from.refuse("out of range");
    }
    out = static_cast<T>(value);
  }
};

template <>
struct Column<Millis> {
  static constexpr Kind kKind = Kind::kInteger;
  static constexpr bool kNullable = false;
  static void put(auto& to, Millis value) { to.integer(value.count()); }
  static void get(auto& from, Millis& out) { out = Millis{from.integer()}; }
};

template <>
struct Column<std::string> {
  static constexpr Kind kKind = Kind::kText;
  static constexpr bool kNullable = false;
  static void put(auto& to, const std::string& value) { to.borrow_text(value); }
  static void get(auto& from, std::string& out) { out = from.text(); }
};

template <typename Tag>
struct Column<Id<Tag>> {
  static constexpr Kind kKind = Kind::kText;
  static constexpr bool kNullable = false;
  static void put(auto& to, const Id<Tag>& value) { to.borrow_text(value.str()); }
  static void get(auto& from, Id<Tag>& out) { out = Id<Tag>(std::string(from.text())); }
};

template <>
struct Column<Cohort> {
  static constexpr Kind kKind = Kind::kText;
  static constexpr bool kNullable = false;
  static void put(auto& to, const Cohort& value) { to.borrow_text(value.text()); }
  static void get(auto& from, Cohort& out) {
    const std::string_view written = from.text();
    const std::optional<Cohort> cohort = parse_cohort(written);
    if (!cohort) from.refuse(fmt::format("no cohort: \"{}\"", written));
    out = cohort.value_or(Cohort());
  }
};

template <HasWord E>
struct Column<E> {
  static constexpr Kind kKind = Kind::kText;
  static constexpr bool kNullable = false;
  static void put(auto& to, E value) { to.borrow_text(to_string(value)); }
  static void get(auto& from, E& out) {
    const std::string_view written = from.text();
    const std::optional<E> value = Word<E>::kParse(written);
    if (!value) from.refuse(fmt::format("unknown word \"{}\"", written));
    out = value.value_or(E{});
  }
};

template <>
struct Column<Bytes> {
  static constexpr Kind kKind = Kind::kBlob;
  static constexpr bool kNullable = false;
  static void put(auto& to, const Bytes& value) { to.borrow_blob(value); }
  static void get(auto& from, Bytes& out) {
    const ByteView bytes = from.blob();
    out.assign(bytes.begin(), bytes.end());
  }
};

template <size_t N>
struct Column<std::array<uint8_t, N>> {
  static constexpr Kind kKind = Kind::kBlob;
  static constexpr bool kNullable = false;
  static void put(auto& to, const std::array<uint8_t, N>& value) { to.borrow_blob(value); }
  static void get(auto& from, std::array<uint8_t, N>& out) {
    const ByteView bytes = from.blob();
    if (bytes.size() != N) return from.refuse(fmt::format("{} bytes, not {}", bytes.size(), N));
    std::ranges::copy(bytes, out.begin());
  }
};

template <>
struct Column<Digest> {
  static constexpr Kind kKind = Kind::kBlob;
  static constexpr bool kNullable = false;
  static void put(auto& to, const Digest& value) { to.borrow_blob(value.bytes); }
  static void get(auto& from, Digest& out) {
    Column<std::array<uint8_t, 32>>::get(from, out.bytes);
  }
};

template <>
struct Column<monitoring::WindowCounts> {
  static constexpr Kind kKind = Kind::kBlob;
  static constexpr bool kNullable = false;
  static void put(auto& to, const monitoring::WindowCounts& value) {
    to.blob(monitoring::encode(value));
  }
  static void get(auto& from, monitoring::WindowCounts& out) {
    Result<monitoring::WindowCounts> counts = monitoring::decode_window(from.blob());
    if (!counts) return from.refuse(counts.error().message);
    out = *std::move(counts);
  }
};

template <InJson T>
struct Column<T> {
  static constexpr Kind kKind = Kind::kText;
  static constexpr bool kNullable = false;
  static void put(auto& to, const T& value) { to.text(to_json(value)); }
  static void get(auto& from, T& out) {
    Result<T> value = from_json<T>(from.text());
    if (!value) return from.refuse(value.error().message);
    out = *std::move(value);
  }
};

template <typename T>
struct Column<std::optional<T>> {
  static constexpr Kind kKind = Column<T>::kKind;
  static constexpr bool kNullable = true;
  static void put(auto& to, const std::optional<T>& value) {
    if (!value) return static_cast<void>(to.null());
    Column<T>::put(to, *value);
  }
  static void get(auto& from, std::optional<T>& out) {
    out.reset();
    if (from.is_null()) return from.skip();
    Column<T>::get(from, out.emplace());
  }
};

}  // namespace covey::rows
