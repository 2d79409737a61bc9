// SPDX-License-Identifier: Apache-2.0
#include "device_agent/runtimes/tflm/tflm_runtime.h"

#include <cstring>
#include <new>
#include <type_traits>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"
#if __has_include("tensorflow/lite/schema/schema_utils.h")
#include "tensorflow/lite/schema/schema_utils.h"
#define COVEY_TFLM_SCHEMA_UTILS 1
#endif
#if __has_include("tensorflow/lite/micro/micro_error_reporter.h")
#include "tensorflow/lite/micro/micro_error_reporter.h"
#define COVEY_TFLM_ERROR_REPORTER 1
#endif

#ifndef COVEY_TFLM_VERIFY
#define COVEY_TFLM_VERIFY 0
#endif

namespace {

using tflite::MicroInterpreter;
using tflite::MicroOpResolver;

constexpr uint32_t kSchemaVersion = 3;
static_assert(sizeof(MicroInterpreter) <= COVEY_TFLM_INTERPRETER_BYTES,
              "define a greater COVEY_TFLM_INTERPRETER_BYTES");
static_assert(alignof(MicroInterpreter) <= alignof(uint64_t), "no version needs more");

covey_tflm_t& of(void* ctx) { return *static_cast<covey_tflm_t*>(ctx); }
MicroInterpreter& interpreter_of(covey_tflm_t& tflm) {
  return *std::launder(reinterpret_cast<MicroInterpreter*>(tflm.interpreter.bytes));
}
const MicroOpResolver& operators_of(const covey_tflm_t& tflm) {
  return *static_cast<const MicroOpResolver*>(tflm.operators);
}

// Versions until 2022 take an error reporter, later ones log by themselves.
template <typename Interpreter>
void construct(covey_tflm_t& tflm, const tflite::Model* model, uint8_t* arena, size_t size) {
  void* const at = tflm.interpreter.bytes;
  const MicroOpResolver& operators = operators_of(tflm);
  if constexpr (std::is_constructible_v<Interpreter, const tflite::Model*, const MicroOpResolver&,
                                        uint8_t*, size_t>) {
    new (at) Interpreter(model, operators, arena, size);
  } else {
#ifdef COVEY_TFLM_ERROR_REPORTER
    static tflite::MicroErrorReporter reporter;  // without state
    new (at) Interpreter(model, operators, arena, size, &reporter);
#else
    static_assert(sizeof(Interpreter) == 0, "a constructor that this adapter does not know");
#endif
  }
}

// Constructs and allocates; on success the interpreter is alive. After a failure it is not
// destroyed: it owns nothing outside the arena, and the destructor of old versions follows what was
// not written yet.
bool build(covey_tflm_t& tflm, const tflite::Model* model, uint8_t* arena, size_t size) {
  construct<MicroInterpreter>(tflm, model, arena, size);
  MicroInterpreter& interpreter = interpreter_of(tflm);
  return interpreter.initialization_status() == kTfLiteOk &&
         interpreter.AllocateTensors() == kTfLiteOk;
}

// Versions until 2020 look for a version of an operator, too.
template <typename Resolver, typename Key>
auto find(const Resolver& operators, Key key, int /*version*/, int /*preferred*/)
    -> decltype(operators.FindOp(key)) {
  return operators.FindOp(key);
}
template <typename Resolver, typename Key>
auto find(const Resolver& operators, Key key, int version, long /*otherwise*/)
    -> decltype(operators.FindOp(key, version)) {
  return operators.FindOp(key, version);
}

bool has_operator(const MicroOpResolver& operators, const tflite::OperatorCode& code) {
#ifdef COVEY_TFLM_SCHEMA_UTILS
  const tflite::BuiltinOperator builtin = tflite::GetBuiltinCode(&code);
#else
  const tflite::BuiltinOperator builtin = code.builtin_code();
#endif
  if (builtin != tflite::BuiltinOperator_CUSTOM) {
    return find(operators, builtin, code.version(), 0) != nullptr;
  }
  return code.custom_code() != nullptr &&
         find(operators, code.custom_code()->c_str(), code.version(), 0) != nullptr;
}

// What can be told apart before TFLM says no more than "error".
int check(const covey_tflm_t& tflm, const uint8_t* bytes, size_t size,
          const tflite::Model** model) {
  if (size < 8 || std::memcmp(bytes + 4, "TFL3", 4) != 0) {
    return COVEY_RUNTIME_NOT_TFLITE;
  }
#if COVEY_TFLM_VERIFY
  flatbuffers::Verifier verifier(bytes, size);
  if (!tflite::VerifyModelBuffer(verifier)) {
    return COVEY_RUNTIME_MODEL_CORRUPT;
  }
#endif
  *model = tflite::GetModel(bytes);
  if ((*model)->version() != kSchemaVersion) {
    return COVEY_RUNTIME_NOT_TFLITE;
  }
  const auto* graphs = (*model)->subgraphs();
  const auto* codes = (*model)->operator_codes();
  if (graphs == nullptr || graphs->size() != 1 || codes == nullptr) {
    return COVEY_RUNTIME_MODEL_UNSUPPORTED;
  }
  const tflite::SubGraph* graph = graphs->Get(0);
  if (graph->inputs() == nullptr || graph->inputs()->size() != 1 || graph->outputs() == nullptr ||
      graph->outputs()->size() != 1) {
    return COVEY_RUNTIME_MODEL_UNSUPPORTED;
  }
  for (const tflite::OperatorCode* code : *codes) {
    if (!has_operator(operators_of(tflm), *code)) {
      return COVEY_RUNTIME_OPERATOR_UNSUPPORTED;
    }
  }
  return 0;
}

int format_of(const TfLiteTensor& tensor, covey_tensor_format_t* format) {
  *format = {static_cast<uint32_t>(tensor.bytes), 0, 0, 0};
  if (tensor.type == kTfLiteFloat32) {
    return 0;
  }
  if (tensor.type != kTfLiteInt8) {
    return COVEY_RUNTIME_TENSOR_TYPE;
  }
  uint32_t bits = 0;
  std::memcpy(&bits, &tensor.params.scale, sizeof bits);
  const uint32_t exponent = bits >> 23;
  if (exponent == 0 || exponent >= 255) {  // not a positive, normal, finite number
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  format->multiplier = static_cast<int32_t>(((bits & 0x7fffffU) | 0x800000U) << 7);
  format->shift = static_cast<int32_t>(exponent) - 126;
  format->zero_point = tensor.params.zero_point;
  return 0;
}

int load_checked(covey_tflm_t& tflm, const tflite::Model* model, uint8_t* arena, size_t size) {
  if (!build(tflm, model, arena, size)) {
    return COVEY_RUNTIME_ARENA_TOO_SMALL;
  }
  MicroInterpreter& interpreter = interpreter_of(tflm);
  int error = format_of(*interpreter.input(0), &tflm.format.input);
  if (error == 0) {
    error = format_of(*interpreter.output(0), &tflm.format.output);
  }
  if (error != 0) {
    interpreter.~MicroInterpreter();
  }
  return error;
}

extern "C" {

int tflm_arena_required(void* ctx, const uint8_t* model, size_t size, size_t* arena_bytes) {
  if (ctx == nullptr || model == nullptr || arena_bytes == nullptr) {
    return COVEY_RUNTIME_BAD_ARGUMENT;
  }
  // A trial of its own: what is loaded stays so, as long as scratch is not its arena.
  covey_tflm_t trial = of(ctx);
  const tflite::Model* parsed = nullptr;
  int error = check(trial, model, size, &parsed);
  if (error != 0) {
    return error;
  }
  error = load_checked(trial, parsed, trial.scratch, trial.scratch_size);
  if (error != 0) {
    return error;
  }
  interpreter_of(trial).~MicroInterpreter();
  size_t too_small = 0;
  size_t enough = trial.scratch_size;
  while (enough - too_small > 1) {
    const size_t middle = too_small + (enough - too_small) / 2;
    if (build(trial, parsed, trial.scratch, middle)) {
      interpreter_of(trial).~MicroInterpreter();
      enough = middle;
    } else {
      too_small = middle;
    }
  }
  *arena_bytes = enough;
  return 0;
}

int tflm_load(void* ctx, const uint8_t* model, size_t size, uint8_t* arena, size_t arena_size) {
  if (ctx == nullptr || model == nullptr || arena == nullptr) {
    return COVEY_RUNTIME_BAD_ARGUMENT;
  }
  covey_tflm_t& tflm = of(ctx);
  if (tflm.loaded != 0) {
    return COVEY_RUNTIME_ALREADY_LOADED;
  }
  const tflite::Model* parsed = nullptr;
  int error = check(tflm, model, size, &parsed);
  if (error == 0 && (reinterpret_cast<uintptr_t>(arena) & (COVEY_ARENA_ALIGN - 1)) != 0) {
    error = COVEY_RUNTIME_ARENA_MISALIGNED;
  }
  if (error == 0) {
    error = load_checked(tflm, parsed, arena, arena_size);
  }
  tflm.loaded = error == 0 ? 1 : 0;
  return error;
}

int tflm_describe(void* ctx, covey_model_format_t* format) {
  if (ctx == nullptr || format == nullptr) {
    return COVEY_RUNTIME_BAD_ARGUMENT;
  }
  if (of(ctx).loaded == 0) {
    return COVEY_RUNTIME_NOT_LOADED;
  }
  *format = of(ctx).format;
  return 0;
}

int tflm_invoke(void* ctx, const int8_t* input, size_t input_size, int8_t* output,
                size_t output_size) {
  if (ctx == nullptr || input == nullptr || output == nullptr) {
    return COVEY_RUNTIME_BAD_ARGUMENT;
  }
  covey_tflm_t& tflm = of(ctx);
  if (tflm.loaded == 0) {
    return COVEY_RUNTIME_NOT_LOADED;
  }
  if (input_size != tflm.format.input.size_bytes) {
    return COVEY_RUNTIME_INPUT_SIZE;
  }
  if (output_size != tflm.format.output.size_bytes) {
    return COVEY_RUNTIME_OUTPUT_SIZE;
  }
  MicroInterpreter& interpreter = interpreter_of(tflm);
  std::memcpy(interpreter.input(0)->data.raw, input, input_size);
  if (interpreter.Invoke() != kTfLiteOk) {
    return COVEY_RUNTIME_INVOKE_FAILED;
  }
  std::memcpy(output, interpreter.output(0)->data.raw, output_size);
  return 0;
}

void tflm_unload(void* ctx) {
  if (ctx != nullptr && of(ctx).loaded != 0) {
    interpreter_of(of(ctx)).~MicroInterpreter();
    of(ctx).loaded = 0;
  }
}

}  // extern "C"

}  // namespace

void covey_tflm_init(covey_tflm_t* tflm, const tflite::MicroOpResolver& operators, uint8_t* scratch,
                     size_t scratch_size) {
  std::memset(tflm, 0, sizeof *tflm);
  tflm->operators = &operators;
  tflm->scratch = scratch;
  tflm->scratch_size = scratch_size;
}

covey_runtime_t covey_tflm_runtime(covey_tflm_t* tflm) {
  return {tflm,          COVEY_TFLM_NAME, tflm_arena_required, tflm_load,
          tflm_describe, tflm_invoke,     tflm_unload};
}
