// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/runner/self_test.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "deploy/artifact/tflite_inspect.hpp"
#include "gateway/adapters/runner/host_model.hpp"

namespace covey {
namespace {

// Two's complement of a tensor's byte.
int signed_value(uint8_t byte) { return byte < 128 ? byte : byte - 256; }

Status check_vector(HostModel& model, const SelftestVector& vector, size_t index, int tolerance) {
  Bytes output(vector.output.size());
  if (Status done = model.invoke(vector.input, output); !done) return done;
  for (size_t i = 0; i < output.size(); ++i) {
    const int got = signed_value(output[i]);
    const int expected = signed_value(vector.output[i]);
    if (std::abs(got - expected) > tolerance) {
      return precondition(
          "SELFTEST_MISMATCH",
          fmt::format("self-test vector {}, output {}: the reference runtime gives {}, the "
                      "artifact says {} (tolerance {}): the vectors are not of this model, or of "
                      "another kernel",
                      index, i, got, expected, tolerance));
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
                   fmt::format("manifest.input_bytes and output_bytes are {} and {}, the model's "
                               "{} and {}",
                               manifest.input_bytes, manifest.output_bytes,
                               summary.inputs[0].size_bytes, summary.outputs[0].size_bytes));
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

  Result<HostModel> model = HostModel::open(view);
  if (!model) return model.error();
  if (model->arena_bytes() > manifest.arena_bytes) {
    return precondition("ARENA_TOO_SMALL",
                        fmt::format("manifest.arena_bytes is {}, the model needs {}",
                                    manifest.arena_bytes, model->arena_bytes()));
  }
  if (Status loaded = model->load(); !loaded) return loaded;
  if (model->work() > kSelftestWorkMax / artifact.selftest.vectors.size()) {
    return precondition("SELFTEST_TOO_LONG",
                        fmt::format("{} self-test vectors of a model this large: send fewer",
                                    artifact.selftest.vectors.size()));
  }
  for (size_t i = 0; i < artifact.selftest.vectors.size(); ++i) {
    Status status =
        check_vector(*model, artifact.selftest.vectors[i], i, artifact.selftest.tolerance);
    if (!status) return status;
  }
  return {};
}

}  // namespace covey
