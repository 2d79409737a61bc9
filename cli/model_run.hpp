// SPDX-License-Identifier: Apache-2.0
// Runs a model on this host in the reference runtime: what `covey model run` does with the bytes of
// its input file. Raw int8 tensors; several inputs back to back give as many outputs.
// Any thread; reads the model file, nothing else. Errors: NOT_FOUND, MODEL_UNREADABLE,
// MODEL_TOO_LARGE, INPUT_SIZE, and the runtime's own reasons (RUNTIME_...: covey/runtime.h), which
// name the operator or tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "core/digest.hpp"
#include "core/result.hpp"

namespace covey {

inline constexpr size_t kModelRunBytesMax = 64U << 20U;

struct ModelRun {
  Bytes outputs;
  size_t input_size_bytes = 0;   // of one input
  size_t output_size_bytes = 0;  // of one output
  size_t count = 0;              // inferences
  size_t arena_bytes = 0;
  uint64_t work = 0;  // multiply-accumulates of one inference
  std::string note;   // of a firmware's limits that this model exceeds; or empty
  uint64_t invoke_ns_total = 0;
  uint64_t invoke_ns_min = 0;
  uint64_t invoke_ns_mean = 0;
};

Result<ModelRun> run_model(const std::filesystem::path& path, ByteView input);

}  // namespace covey
