// SPDX-License-Identifier: Apache-2.0
#include "deploy/artifact/selftest.hpp"

#include <fmt/format.h>

#include <string>

namespace covey {
namespace {

constexpr size_t kVectorBytesMax = 65'535;

Error wrong_selftest(std::string message) {
  return invalid("SELFTEST_INVALID", "selftest: " + std::move(message));
}

void append_u16(Bytes& out, size_t value) {
  out.push_back(static_cast<uint8_t>(value & 0xFFU));
  out.push_back(static_cast<uint8_t>(value >> 8U & 0xFFU));
}

size_t read_u16(ByteView bytes, size_t offset) {
  return static_cast<size_t>(bytes[offset]) | static_cast<size_t>(bytes[offset + 1]) << 8U;
}

}  // namespace

uint32_t Selftest::input_bytes() const {
  return vectors.empty() ? 0 : static_cast<uint32_t>(vectors.front().input.size());
}

uint32_t Selftest::output_bytes() const {
  return vectors.empty() ? 0 : static_cast<uint32_t>(vectors.front().output.size());
}

Result<Bytes> encode(const Selftest& selftest) {
  if (selftest.vectors.empty() || selftest.vectors.size() > kSelftestVectorsMax) {
    return wrong_selftest(fmt::format("expected 1 to {} vectors", kSelftestVectorsMax));
  }
  const size_t input = selftest.input_bytes();
  const size_t output = selftest.output_bytes();
  if (input == 0 || input > kVectorBytesMax || output == 0 || output > kVectorBytesMax) {
    return wrong_selftest("an input or output has 1 to 65535 bytes");
  }
  const size_t total = kSelftestHeaderBytes + selftest.vectors.size() * (input + output);
  if (total > kSelftestBytesMax) {
    return wrong_selftest(fmt::format("has {} bytes, at most {} are allowed: use fewer vectors",
                                      total, kSelftestBytesMax));
  }
  Bytes out;
  out.reserve(total);
  append_u16(out, selftest.vectors.size());
  append_u16(out, input);
  append_u16(out, output);
  out.push_back(selftest.tolerance);
  out.push_back(0);
  for (const SelftestVector& vector : selftest.vectors) {
    if (vector.input.size() != input || vector.output.size() != output) {
      return wrong_selftest("all vectors must have the same sizes");
    }
    out.insert(out.end(), vector.input.begin(), vector.input.end());
    out.insert(out.end(), vector.output.begin(), vector.output.end());
  }
  return out;
}

Result<Selftest> decode_selftest(ByteView bytes) {
  if (bytes.size() < kSelftestHeaderBytes)
    return wrong_selftest("is shorter than its header of 8 bytes");
  if (bytes.size() > kSelftestBytesMax) return wrong_selftest("is larger than 256 KiB");
  const size_t count = read_u16(bytes, 0);
  const size_t input = read_u16(bytes, 2);
  const size_t output = read_u16(bytes, 4);
  if (count == 0 || count > kSelftestVectorsMax || input == 0 || output == 0 || bytes[7] != 0) {
    return wrong_selftest(fmt::format("the header is not one of a self-test with 1 to {} vectors",
                                      kSelftestVectorsMax));
  }
  if (bytes.size() != kSelftestHeaderBytes + count * (input + output)) {
    return wrong_selftest(fmt::format("has {} bytes, but its header says {}", bytes.size(),
                                      kSelftestHeaderBytes + count * (input + output)));
  }
  Selftest selftest;
  selftest.tolerance = bytes[6];
  selftest.vectors.reserve(count);
  for (ByteView rest = bytes.subspan(kSelftestHeaderBytes); !rest.empty();
       rest = rest.subspan(input + output)) {
    const ByteView expected = rest.subspan(input, output);
    selftest.vectors.push_back(
        {Bytes(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(input)),
         Bytes(expected.begin(), expected.end())});
  }
  return selftest;
}

}  // namespace covey
