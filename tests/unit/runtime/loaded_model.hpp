// SPDX-License-Identifier: Apache-2.0
// A model loaded into the reference runtime with exactly the arena it asks for, in memory that a
// sanitizer watches to the byte.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "core/digest.hpp"
#include "device_agent/runtimes/reference/reference_runtime.h"

namespace covey::testing {

class AlignedArena {
 public:
  explicit AlignedArena(size_t size)
      : bytes_(static_cast<uint8_t*>(
            ::operator new[](size == 0 ? 1 : size, std::align_val_t{COVEY_ARENA_ALIGN}))) {}
  ~AlignedArena() { ::operator delete[](bytes_, std::align_val_t{COVEY_ARENA_ALIGN}); }
  AlignedArena(const AlignedArena&) = delete;
  AlignedArena& operator=(const AlignedArena&) = delete;
  uint8_t* data() { return bytes_; }

 private:
  uint8_t* bytes_;
};

class LoadedModel {
 public:
  explicit LoadedModel(Bytes model) : model_(std::move(model)) {
    covey_reference_init(&reference_);
    runtime_ = covey_reference_runtime(&reference_);
    error_ = runtime_.arena_required(runtime_.ctx, model_.data(), model_.size(), &arena_bytes_);
    if (error_ == 0) {
      arena_ = std::make_unique<AlignedArena>(arena_bytes_);
      error_ =
          runtime_.load(runtime_.ctx, model_.data(), model_.size(), arena_->data(), arena_bytes_);
    }
    if (error_ == 0) {
      error_ = runtime_.describe(runtime_.ctx, &format_);
    }
  }

  // 0, or why it could not be loaded.
  int error() const { return error_; }
  const covey_reference_fault_t& fault() const { return reference_.fault; }
  size_t arena_bytes() const { return arena_bytes_; }
  uint64_t work() const { return reference_.work; }
  const covey_model_format_t& format() const { return format_; }

  // Empty where invoke fails.
  std::vector<int8_t> run(const std::vector<int8_t>& input) {
    std::vector<int8_t> output(format_.output.size_bytes);
    const int error =
        runtime_.invoke(runtime_.ctx, input.data(), input.size(), output.data(), output.size());
    return error == 0 ? output : std::vector<int8_t>();
  }

 private:
  Bytes model_;
  covey_reference_t reference_{};
  covey_runtime_t runtime_{};
  covey_model_format_t format_{};
  std::unique_ptr<AlignedArena> arena_;
  size_t arena_bytes_ = 0;
  int error_ = 0;
};

}  // namespace covey::testing
