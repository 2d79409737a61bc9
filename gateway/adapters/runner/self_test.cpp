#include "gateway/adapters/runner/self_test.hpp"

#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include "deploy/artifact/tflite_inspect.hpp"
#include "device_agent/runtimes/reference/reference_runtime.h"

namespace covey {
namespace {

// Two's complement of a tensor's byte.
int signed_value(uint8_t byte) { return byte < 128 ? byte : byte - 256; }

struct AlignedDelete {
  void operator()(uint8_t* bytes) const {
    ::operator delete[](bytes, std::align_val_t{COVEY_ARENA_ALIGN});
  }
};
using AlignedBytes = std::unique_ptr<uint8_t[], AlignedDelete>;

AlignedBytes aligned_bytes(size_t size) {
  return AlignedBytes(static_cast<uint8_t*>(
      ::operator new[](std::max<size_t>(size, 1), std::align_val_t{COVEY_ARENA_ALIGN})));
}

Error runtime_error(int error, const covey_reference_fault_t& fault) {
  const char* name = covey_runtime_error_name(error);
  return invalid(name != nullptr ? name : "RUNTIME_UNKNOWN",
                 "the reference runtime refuses the model at operator " +
                     std::to_string(fault.operator_index) + ", tensor " +
                     std::to_string(fault.tensor));
}

Status check_vector(const covey_runtime_t& runtime, const SelftestVector& vector, size_t index,
                    int tolerance) {
  Bytes output(vector.output.size());
  const int error =
      runtime.invoke(runtime.ctx, reinterpret_cast<const int8_t*>(vector.input.data()),
                     vector.input.size(), reinterpret_cast<int8_t*>(output.data()), output.size());
  if (error != 0) return runtime_error(error, {error, -1, -1, -1});
  for (size_t i = 0; i < output.size(); ++i) {
    const int got = signed_value(output[i]);
    const int expected = signed_value(vector.output[i]);
    if (std::abs(got - expected) > tolerance) {
      return precondition(
          "SELFTEST_MISMATCH",
          "self-test vector " + std::to_string(index) + ", output " + std::to_string(i) +
              ": the reference runtime gives " + std::to_string(got) + ", the artifact says " +
              std::to_string(expected) + " (tolerance " + std::to_string(tolerance) +
              "): the vectors are not of this model, or of another kernel");
    }
  }
  return {};
}

Status check_shape(const Manifest& manifest, const TfliteSummary& summary) {
  const uint64_t operators = operator_set_number(summary.operator_set_hash);
  if (manifest.operator_set != operators) {
    return invalid("OPERATOR_SET_MISMATCH",
                   "manifest.operator_set is not that of the model: build the artifact with "
                   "`covey model build`");
  }
  if (summary.inputs.size() != 1 || summary.outputs.size() != 1) {
    return invalid("TENSOR_SIZE_MISMATCH", "the model must have one input and one output");
  }
  if (summary.inputs[0].size_bytes != manifest.input_bytes ||
      summary.outputs[0].size_bytes != manifest.output_bytes) {
    return invalid("TENSOR_SIZE_MISMATCH",
                   "manifest.input_bytes and output_bytes are " +
                       std::to_string(manifest.input_bytes) + " and " +
                       std::to_string(manifest.output_bytes) + ", the model's " +
                       std::to_string(summary.inputs[0].size_bytes) + " and " +
                       std::to_string(summary.outputs[0].size_bytes));
  }
  return {};
}

}  // namespace

Status run_self_test(const Artifact& artifact) {
  const Manifest& manifest = artifact.manifest;
  if (manifest.runtime != Runtime::kTfliteInt8) {
    return precondition("RUNTIME_MISMATCH",
                        "manifest.runtime: only TFLITE_INT8 artifacts can be "
                        "checked by this gateway");
  }
  const ByteView view = artifact.model_bytes();
  Result<TfliteSummary> summary = inspect_tflite(view);
  if (!summary) return summary.error();
  if (Status shape = check_shape(manifest, *summary); !shape) return shape;

  const AlignedBytes model = aligned_bytes(view.size());
  std::copy(view.begin(), view.end(), model.get());
  covey_reference_t reference;
  covey_reference_init(&reference);
  const covey_runtime_t runtime = covey_reference_runtime(&reference);
  size_t arena_bytes = 0;
  int error = runtime.arena_required(runtime.ctx, model.get(), view.size(), &arena_bytes);
  if (error != 0) return runtime_error(error, reference.fault);
  if (arena_bytes > manifest.arena_bytes) {
    return precondition("ARENA_TOO_SMALL", "manifest.arena_bytes is " +
                                               std::to_string(manifest.arena_bytes) +
                                               ", the model needs " + std::to_string(arena_bytes));
  }
  const AlignedBytes arena = aligned_bytes(arena_bytes);
  error = runtime.load(runtime.ctx, model.get(), view.size(), arena.get(), arena_bytes);
  if (error != 0) return runtime_error(error, reference.fault);
  if (reference.work > kSelftestWorkMax / artifact.selftest.vectors.size()) {
    return precondition("SELFTEST_TOO_LONG",
                        std::to_string(artifact.selftest.vectors.size()) +
                            " self-test vectors of a model this large: send fewer");
  }
  for (size_t i = 0; i < artifact.selftest.vectors.size(); ++i) {
    Status status =
        check_vector(runtime, artifact.selftest.vectors[i], i, artifact.selftest.tolerance);
    if (!status) return status;
  }
  return {};
}

}  // namespace covey
