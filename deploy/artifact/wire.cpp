// SPDX-License-Identifier: Apache-2.0
#include "deploy/artifact/wire.hpp"

#include <fmt/format.h>

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <limits>
#include <string>

namespace covey::wire {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

constexpr size_t kMessageBytesMax = 1U << 20U;

Error malformed(int position) {
  return invalid("WIRE_MALFORMED",
                 fmt::format("not a protobuf message: cut short or corrupt at byte {}", position));
}

void append_varint(Bytes& out, uint64_t value) {
  std::array<uint8_t, 10> buffer{};
  const uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, buffer.data());
  out.insert(out.end(), static_cast<const uint8_t*>(buffer.data()), end);
}

void append_tag(Bytes& out, uint32_t number, Type type) {
  append_varint(out, (static_cast<uint64_t>(number) << 3U) | static_cast<uint64_t>(type));
}

}  // namespace

Result<std::vector<Field>> split(ByteView message) {
  if (message.size() > kMessageBytesMax) {
    return invalid("WIRE_MALFORMED", "a message has at most 1 MiB");
  }
  CodedInputStream in(message.data(), static_cast<int>(message.size()));
  std::vector<Field> fields;
  while (static_cast<size_t>(in.CurrentPosition()) < message.size()) {
    const int start = in.CurrentPosition();
    const uint32_t tag = in.ReadTag();
    Field field;
    field.number = tag >> 3U;
    if (field.number == 0) return malformed(start);
    uint32_t small = 0;
    bool read = false;
    switch (tag & 7U) {
      case 0:
        field.type = Type::kVarint;
        read = in.ReadVarint64(&field.value);
        break;
      case 1:
        field.type = Type::kFixed64;
        read = in.ReadLittleEndian64(&field.value);
        break;
      case 2: {
        field.type = Type::kBytes;
        if (!in.ReadVarint32(&small)) break;
        const auto at = static_cast<size_t>(in.CurrentPosition());
        if (small > message.size() - at) break;
        field.bytes = message.subspan(at, small);
        read = in.Skip(static_cast<int>(small));
        break;
      }
      case 5:
        field.type = Type::kFixed32;
        read = in.ReadLittleEndian32(&small);
        field.value = small;
        break;
      default:  // groups (3, 4) and what no version of protobuf has
        break;
    }
    if (!read) return malformed(start);
    fields.push_back(field);
  }
  return fields;
}

Result<std::vector<uint64_t>> unpack(ByteView packed) {
  if (packed.size() > kMessageBytesMax) return malformed(0);
  CodedInputStream in(packed.data(), static_cast<int>(packed.size()));
  std::vector<uint64_t> values;
  while (static_cast<size_t>(in.CurrentPosition()) < packed.size()) {
    uint64_t value = 0;
    if (!in.ReadVarint64(&value)) return malformed(in.CurrentPosition());
    values.push_back(value);
  }
  return values;
}

Writer& Writer::varint(uint32_t number, uint64_t value) {
  if (value == 0) return *this;
  append_tag(out_, number, Type::kVarint);
  append_varint(out_, value);
  return *this;
}

Writer& Writer::fixed64(uint32_t number, uint64_t value) {
  if (value == 0) return *this;
  append_tag(out_, number, Type::kFixed64);
  std::array<uint8_t, 8> buffer{};
  CodedOutputStream::WriteLittleEndian64ToArray(value, buffer.data());
  out_.insert(out_.end(), buffer.begin(), buffer.end());
  return *this;
}

Writer& Writer::bytes(uint32_t number, ByteView value) {
  return value.empty() ? *this : element(number, value);
}

Writer& Writer::text(uint32_t number, std::string_view value) {
  return bytes(number, {reinterpret_cast<const uint8_t*>(value.data()), value.size()});
}

Writer& Writer::element(uint32_t number, ByteView value) {
  append_tag(out_, number, Type::kBytes);
  append_varint(out_, value.size());
  out_.insert(out_.end(), value.begin(), value.end());
  return *this;
}

Writer& Writer::packed(uint32_t number, std::span<const uint64_t> values) {
  Bytes body;
  for (const uint64_t value : values) append_varint(body, value);
  return bytes(number, body);
}

Error Reader::error(std::string_view field, std::string_view problem) const {
  std::string text(message_);
  text.append(".").append(field).append(": ").append(problem);
  return invalid(std::string(reason_), std::move(text));
}

Status Reader::u32(const Field& field, std::string_view name, uint32_t& out) const {
  if (field.type != Type::kVarint) return error(name, "expected a number");
  if (field.value > std::numeric_limits<uint32_t>::max()) {
    return error(name, "is larger than 32 bits");
  }
  out = static_cast<uint32_t>(field.value);
  return {};
}

Status Reader::sint32(const Field& field, std::string_view name, int32_t& out) const {
  uint32_t zigzagged = 0;
  if (Status read = u32(field, name, zigzagged); !read) return read;
  out = unzigzag(zigzagged);
  return {};
}

Status Reader::fixed64(const Field& field, std::string_view name, uint64_t& out) const {
  if (field.type != Type::kFixed64) return error(name, "expected a fixed 64-bit number");
  out = field.value;
  return {};
}

Status Reader::bytes(const Field& field, std::string_view name, size_t size_max,
                     ByteView& out) const {
  if (field.type != Type::kBytes) return error(name, "expected bytes");
  if (field.bytes.size() > size_max) {
    return error(name,
                 fmt::format("has {} bytes, at most {} are allowed", field.bytes.size(), size_max));
  }
  out = field.bytes;
  return {};
}

Status Reader::text(const Field& field, std::string_view name, size_t size_max,
                    std::string_view& out) const {
  ByteView view;
  if (Status read = bytes(field, name, size_max, view); !read) return read;
  out = {reinterpret_cast<const char*>(view.data()), view.size()};
  return {};
}

Status Reader::digest(const Field& field, std::string_view name, Digest& out) const {
  if (field.type != Type::kBytes || field.bytes.size() != out.bytes.size()) {
    return error(name, "expected 32 bytes (SHA-256)");
  }
  std::copy(field.bytes.begin(), field.bytes.end(), out.bytes.begin());
  return {};
}

Status Reader::packed(const Field& field, std::string_view name, size_t count_max,
                      std::vector<uint32_t>& out) const {
  std::vector<uint64_t> values;
  if (field.type == Type::kVarint) {
    values.push_back(field.value);
  } else if (field.type == Type::kBytes) {
    Result<std::vector<uint64_t>> unpacked = unpack(field.bytes);
    if (!unpacked) return error(name, "is cut short");
    values = *std::move(unpacked);
  } else {
    return error(name, "expected numbers");
  }
  if (values.size() > count_max - std::min(count_max, out.size())) {
    return error(name, fmt::format("has more than {} entries", count_max));
  }
  for (const uint64_t value : values) {
    if (value > std::numeric_limits<uint32_t>::max()) {
      return error(name, "has an entry larger than 32 bits");
    }
    out.push_back(static_cast<uint32_t>(value));
  }
  return {};
}

}  // namespace covey::wire
