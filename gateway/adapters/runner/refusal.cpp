// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/runner/refusal.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "deploy/artifact/tflite_inspect.hpp"
#include "deploy/artifact/tflite_operator_names.hpp"
#include "device_agent/runtimes/reference/model.h"
#include "device_agent/runtimes/reference/reference_config.h"

namespace covey {
namespace {

constexpr std::string_view kConvertToInt8 =
    "the runtime takes int8 models: convert with full-integer quantisation (TensorFlow Lite: "
    "optimizations = [Optimize.DEFAULT], a representative_dataset, supported_ops = "
    "[OpsSet.TFLITE_BUILTINS_INT8], inference_input_type = inference_output_type = tf.int8)";

std::vector<SupportedOperator> operators_of_the_runtime() {
  std::vector<SupportedOperator> operators;
  covey_reference_operator_t op;
  for (uint32_t i = 0; covey_reference_operator_at(i, &op); ++i) {
    operators.push_back({op.builtin, op.version_max});
  }
  return operators;
}

// Where a tensor is larger than the runtime takes, rather than of a wrong shape.
std::string size_limit(const TfliteTensor& tensor) {
  if (tensor.shape.size() <= COVEY_TENSOR_RANK_MAX && tensor.size_bytes <= COVEY_TENSOR_BYTES_MAX) {
    return "";
  }
  return fmt::format(" of {} bytes: at most {} dimensions and {} bytes are possible",
                     tensor.size_bytes, static_cast<int>(COVEY_TENSOR_RANK_MAX),
                     static_cast<int>(COVEY_TENSOR_BYTES_MAX));
}

std::string tensor_text(ByteView model, int32_t index) {
  const Result<TfliteTensor> tensor = inspect_tensor(model, index);
  if (!tensor) return fmt::format("tensor {}", index);
  std::string shape;
  for (const int32_t size : tensor->shape)
    shape += (shape.empty() ? "" : "x") + fmt::to_string(size);
  return fmt::format("tensor {} ({}, {} [{}]){}", index, tensor->name, tensor->type, shape,
                     size_limit(*tensor));
}

std::string place_of(ByteView model, const covey_reference_fault_t& fault) {
  std::string place;
  if (fault.operator_index >= 0) {
    place = fmt::format(" at operator {}", fault.operator_index);
    const std::string_view name = tflite_operator_name(fault.builtin);
    if (fault.builtin >= 0) {
      place +=
          name.empty() ? fmt::format(" (builtin {})", fault.builtin) : fmt::format(" ({})", name);
    }
  }
  if (fault.tensor >= 0) place += ", " + tensor_text(model, fault.tensor);
  return place;
}

// What is there to know beside the place.
std::vector<std::string> advice_on(int error, const Result<TfliteSummary>& summary) {
  std::vector<std::string> advice;
  if (!summary) {
    if (summary.error().reason == "TFLITE_DYNAMIC_SHAPE") advice.push_back(summary.error().message);
    return advice;
  }
  if (summary->inputs.size() != 1 || summary->outputs.size() != 1) {
    advice.push_back(
        fmt::format("it has {} inputs and {} outputs, the runtime runs models with one of each",
                    summary->inputs.size(), summary->outputs.size()));
  }
  const Status known = check_operators(*summary, operators_of_the_runtime());
  if (!known) advice.push_back(known.error().message);
  if (error == COVEY_RUNTIME_TENSOR_TYPE) advice.emplace_back(kConvertToInt8);
  if (error == COVEY_RUNTIME_MODEL_TOO_COMPLEX) {
    advice.push_back(fmt::format(
        "it has {} operators; the runtime takes at most {} of them, {} multiply-accumulates and {} "
        "bytes of activations here",
        summary->operator_count, COVEY_REFERENCE_MAX_ACTIVATIONS - 1, COVEY_REFERENCE_WORK_MAX,
        uint64_t{COVEY_TENSOR_BYTES_MAX} * 4));
  }
  return advice;
}

}  // namespace

Error refusal_of(ByteView model, int error, const covey_reference_fault_t& fault) {
  const char* name = covey_runtime_error_name(error);
  std::string message = "the reference runtime refuses the model" + place_of(model, fault);
  for (const std::string& line : advice_on(error, inspect_tflite(model))) message += "; " + line;
  return invalid(name != nullptr ? name : "RUNTIME_UNKNOWN", std::move(message));
}

}  // namespace covey
