// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/fake_runtime.hpp"

#include <cstring>

namespace covey::agent_test {
namespace {

// Model: "FAKE", behaviour, seed, then pseudo-random bytes.
constexpr size_t kHeaderBytes = 6;

bool is_fake(const uint8_t* model, size_t size) {
  return size >= kHeaderBytes && std::memcmp(model, "FAKE", 4) == 0;
}

FakeBehaviour behaviour(const uint8_t* model) { return static_cast<FakeBehaviour>(model[4]); }

int arena_required(void*, const uint8_t* model, size_t size, size_t* arena) {
  if (!is_fake(model, size)) return COVEY_RUNTIME_NOT_TFLITE;
  *arena = 64;
  return 0;
}

int load(void* ctx, const uint8_t* model, size_t size, uint8_t* arena, size_t arena_size) {
  auto* runtime = static_cast<FakeRuntime*>(ctx);
  if (runtime->model != nullptr) return COVEY_RUNTIME_ALREADY_LOADED;
  if (runtime->crash_in_load) throw Crash{};
  if (!is_fake(model, size)) return COVEY_RUNTIME_NOT_TFLITE;
  if (behaviour(model) == FakeBehaviour::kLoadFails) return COVEY_RUNTIME_OPERATOR_UNSUPPORTED;
  if (arena == nullptr || arena_size < 64) return COVEY_RUNTIME_ARENA_TOO_SMALL;
  runtime->model = model;
  runtime->size = size;
  return 0;
}

int describe(void* ctx, covey_model_format_t* format) {
  if (static_cast<FakeRuntime*>(ctx)->model == nullptr) return COVEY_RUNTIME_NOT_LOADED;
  *format = covey_model_format_t{};
  format->input.size_bytes = kInputBytes;
  format->output.size_bytes = kOutputBytes;
  return 0;
}

int invoke(void* ctx, const int8_t* input, size_t input_size, int8_t* output, size_t output_size) {
  auto* runtime = static_cast<FakeRuntime*>(ctx);
  if (runtime->model == nullptr) return COVEY_RUNTIME_NOT_LOADED;
  if (input_size != kInputBytes) return COVEY_RUNTIME_INPUT_SIZE;
  if (output_size != kOutputBytes) return COVEY_RUNTIME_OUTPUT_SIZE;
  ++runtime->invocations;
  if (runtime->invoke_fails) return COVEY_RUNTIME_INVOKE_FAILED;
  switch (behaviour(runtime->model)) {
    case FakeBehaviour::kGood:
    case FakeBehaviour::kLoadFails:
      fake_output(runtime->model[5], input, output);
      return 0;
    case FakeBehaviour::kWrongOutput:
      std::memset(output, 0x33, output_size);
      return 0;
    case FakeBehaviour::kInvokeFails:
      return COVEY_RUNTIME_INVOKE_FAILED;
    case FakeBehaviour::kCrashes:
      throw Crash{};
  }
  return COVEY_RUNTIME_INVOKE_FAILED;
}

void unload(void* ctx) { static_cast<FakeRuntime*>(ctx)->model = nullptr; }

}  // namespace

covey_runtime_t FakeRuntime::adapter() {
  return {this, "fake", arena_required, load, describe, invoke, unload};
}

Bytes fake_model(const ReleaseOptions& options) {
  Bytes model = "FAKE";
  model += static_cast<char>(options.behaviour);
  model += static_cast<char>(options.seed);
  uint32_t common = 12345;
  uint32_t own = options.seed * 7919U + 1U;
  while (model.size() < options.model_bytes) {
    uint32_t& state = model.size() < options.same_from ? common : own;
    state = state * 1664525U + 1013904223U;
    model += static_cast<char>(state >> 24U);
  }
  return model;
}

void fake_output(uint8_t seed, const int8_t* input, int8_t* output) {
  for (uint32_t i = 0; i < kOutputBytes; ++i) {
    output[i] = static_cast<int8_t>(input[i] ^ static_cast<int8_t>(seed));
  }
}

Bytes fake_selftest(const ReleaseOptions& options) {
  Bytes section = {static_cast<char>(options.vectors), 0, kInputBytes, 0, kOutputBytes, 0, 1, 0};
  for (uint32_t v = 0; v < options.vectors; ++v) {
    int8_t input[kInputBytes];
    int8_t output[kOutputBytes];
    for (uint32_t i = 0; i < kInputBytes; ++i) input[i] = static_cast<int8_t>(v * 16 + i);
    fake_output(options.seed, input, output);
    output[0] = static_cast<int8_t>(output[0] + 1);  // within the tolerance
    section.append(reinterpret_cast<const char*>(input), sizeof input);
    section.append(reinterpret_cast<const char*>(output), sizeof output);
  }
  return section;
}

}  // namespace covey::agent_test
