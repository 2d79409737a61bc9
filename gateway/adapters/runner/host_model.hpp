// SPDX-License-Identifier: Apache-2.0
// A .tflite in the reference runtime on this host, as a device would run it: for the self-test of
// uploads and for `covey model run`. One thread. Errors: the runtime's own reasons (RUNTIME_...:
// covey/runtime.h); the message names the operator and the tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/digest.hpp"
#include "core/result.hpp"

namespace covey {

class HostModel {
 public:
  // Copies the model and measures the arena that it needs; load() takes that memory.
  static Result<HostModel> open(ByteView model);
  ~HostModel();
  HostModel(HostModel&&) noexcept;
  HostModel& operator=(HostModel&&) noexcept;

  size_t arena_bytes() const;
  Status load();

  // After load().
  uint64_t work() const;  // multiply-accumulates of one inference
  // What COVEY_REFERENCE_MAX_ACTIVATIONS of a firmware must be at least, and is unless it says so.
  size_t activations() const;
  static size_t activations_of_firmware();
  size_t input_bytes() const;
  size_t output_bytes() const;
  // Of tensors of other sizes: the runtime's error.
  Status invoke(ByteView input, std::span<uint8_t> output);

 private:
  struct Loaded;
  explicit HostModel(std::unique_ptr<Loaded> loaded);
  std::unique_ptr<Loaded> loaded_;
};

}  // namespace covey
