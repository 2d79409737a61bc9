// SPDX-License-Identifier: Apache-2.0
// What a .tflite file holds: its operators, inputs and outputs, read behind the FlatBuffers
// verifier and index checks. Says nothing of arenas: those are a runtime's business
// (device_agent/runtimes/reference/reference_runtime.h); callers combine the two.
// Pure; any thread. Errors: NOT_TFLITE, TFLITE_TOO_LARGE, TFLITE_CORRUPT, TFLITE_UNSUPPORTED,
// UNSUPPORTED_OPERATOR; the message names the operator or tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/result.hpp"

namespace covey {

inline constexpr size_t kTfliteBytesMax = 16U << 20U;
inline constexpr size_t kTfliteOperatorsMax = 4096;
inline constexpr size_t kTfliteTensorsMax = 65'536;

// One kind of operator, as a model uses it. Ordered by builtin, then version, then custom name.
struct TfliteOperator {
  int32_t builtin = 0;  // BuiltinOperator of the schema
  int32_t version = 1;
  std::string custom;  // name of a custom operator; empty for builtin ones

  auto operator<=>(const TfliteOperator&) const = default;
};
// "FULLY_CONNECTED", "BUILTIN_210", "CUSTOM(name)".
std::string to_string(const TfliteOperator& op);

struct TfliteTensor {
  int32_t index = 0;
  std::string name;  // printable ASCII, at most 64 characters
  std::vector<int32_t> shape;
  std::string type;  // "INT8", "FLOAT32", "TYPE_99"
  bool quantized = false;
  float scale = 0;         // of the first channel
  int64_t zero_point = 0;  // of the first channel
  uint64_t size_bytes = 0;

  bool operator==(const TfliteTensor&) const = default;
};

struct TfliteSummary {
  size_t size_bytes = 0;
  std::vector<TfliteOperator> operators;  // each kind once, ordered
  size_t operator_count = 0;              // steps of one inference
  std::vector<TfliteTensor> inputs;
  std::vector<TfliteTensor> outputs;
  Digest operator_set_hash;

  bool operator==(const TfliteSummary&) const = default;
};

Result<TfliteSummary> inspect_tflite(ByteView model);
// One tensor of a model that is in order; the same errors, and NOT_FOUND.
Result<TfliteTensor> inspect_tensor(ByteView model, int32_t index);

// SHA-256 over one line per kind of operator, "builtin:version:custom\n", ordered, each once: for
// the operators of a model as for those of a runtime.
Digest operator_set_hash(std::vector<TfliteOperator> operators);
// First 8 bytes, little endian: what manifest and hello carry.
uint64_t operator_set_number(const Digest& hash);

// What a runtime runs: versions 1 to version_max of a builtin operator.
struct SupportedOperator {
  int32_t builtin = 0;
  int32_t version_max = 1;
};
// Errors: UNSUPPORTED_OPERATOR, naming all that are missing.
Status check_operators(const TfliteSummary& summary, std::span<const SupportedOperator> supported);

}  // namespace covey
