// SPDX-License-Identifier: Apache-2.0
// Protobuf's wire format, one message level at a time, over libprotobuf's CodedInputStream and
// CodedOutputStream: domain types are encoded without generated code (ADR on layering). Internal to
// deploy/artifact and deploy/root. Views point into the bytes given. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/result.hpp"

namespace covey::wire {

enum class Type : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  uint32_t number = 0;
  Type type = Type::kVarint;
  uint64_t value = 0;  // of varint and fixed types
  ByteView bytes;      // of kBytes
};

// All fields of a message in order, unknown ones too. Errors: WIRE_MALFORMED (cut short, groups,
// field number 0).
Result<std::vector<Field>> split(ByteView message);

// Varints back to back, as in a packed repeated field. Errors: WIRE_MALFORMED.
Result<std::vector<uint64_t>> unpack(ByteView packed);

constexpr uint32_t zigzag(int32_t value) {
  return (static_cast<uint32_t>(value) << 1U) ^ (value < 0 ? 0xFFFF'FFFFU : 0U);
}
constexpr int32_t unzigzag(uint32_t value) {
  return static_cast<int32_t>((value >> 1U) ^ ((value & 1U) != 0 ? 0xFFFF'FFFFU : 0U));
}

// Appends fields; zero values and empty bytes are left out, as proto3 does, unless named `element`
// (of a repeated field).
class Writer {
 public:
  Writer& varint(uint32_t number, uint64_t value);
  Writer& fixed64(uint32_t number, uint64_t value);
  Writer& bytes(uint32_t number, ByteView value);
  Writer& text(uint32_t number, std::string_view value);
  Writer& element(uint32_t number, ByteView value);
  Writer& packed(uint32_t number, std::span<const uint64_t> values);

  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

// Reading one known field of a message: checks type and range and names the field when wrong.
// `reason` is the error's reason.
class Reader {
 public:
  Reader(std::string_view message, std::string_view reason) : message_(message), reason_(reason) {}

  Error error(std::string_view field, std::string_view problem) const;
  Status u32(const Field& field, std::string_view name, uint32_t& out) const;
  Status sint32(const Field& field, std::string_view name, int32_t& out) const;
  Status fixed64(const Field& field, std::string_view name, uint64_t& out) const;
  Status bytes(const Field& field, std::string_view name, size_t size_max, ByteView& out) const;
  Status text(const Field& field, std::string_view name, size_t size_max,
              std::string_view& out) const;
  Status digest(const Field& field, std::string_view name, Digest& out) const;
  // Appends the values of a packed or unpacked repeated field.
  Status packed(const Field& field, std::string_view name, size_t count_max,
                std::vector<uint32_t>& out) const;

 private:
  std::string_view message_;
  std::string_view reason_;
};

}  // namespace covey::wire
