// SPDX-License-Identifier: Apache-2.0
// Self-test vectors inside the image: inputs with the outputs that the author's reference gave.
// Layout, little endian: u16 count, u16 input bytes, u16 output bytes, u8 tolerance (largest
// allowed difference of an output byte read as int8), u8 zero; then per vector its input and its
// output. Pure; any thread. Errors: SELFTEST_INVALID.
#pragma once

#include <cstdint>
#include <vector>

#include "core/digest.hpp"
#include "core/result.hpp"

namespace covey {

inline constexpr size_t kSelftestHeaderBytes = 8;
inline constexpr size_t kSelftestVectorsMax = 256;
inline constexpr size_t kSelftestBytesMax = 256U << 10U;

struct SelftestVector {
  Bytes input;
  Bytes output;

  bool operator==(const SelftestVector&) const = default;
};

struct Selftest {
  uint8_t tolerance = 0;
  std::vector<SelftestVector> vectors;  // at least one, all of the same sizes

  uint32_t input_bytes() const;
  uint32_t output_bytes() const;
  bool operator==(const Selftest&) const = default;
};

Result<Bytes> encode(const Selftest& selftest);
Result<Selftest> decode_selftest(ByteView bytes);

}  // namespace covey
