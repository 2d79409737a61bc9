// SPDX-License-Identifier: Apache-2.0
#include "cli/model_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <string>

#include "cli/files/files.hpp"
#include "gateway/adapters/runner/host_model.hpp"

namespace covey {
namespace {

Result<Bytes> read_model(const std::filesystem::path& path) {
  Result<Bytes> file = cli::read_file(path, kModelRunBytesMax);
  if (file || file.error().code == Code::kNotFound) return file;
  Error error = file.error();
  error.reason = error.reason == "FILE_TOO_LARGE" ? "MODEL_TOO_LARGE" : "MODEL_UNREADABLE";
  return error;
}

Status invoke_all(HostModel& model, ByteView input, ModelRun& run) {
  for (size_t i = 0; i < run.count; ++i) {
    const ByteView in = input.subspan(i * run.input_size_bytes, run.input_size_bytes);
    const auto out =
        std::span(run.outputs).subspan(i * run.output_size_bytes, run.output_size_bytes);
    const auto start = std::chrono::steady_clock::now();
    if (Status done = model.invoke(in, out); !done) return done;
    const auto taken = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::steady_clock::now() - start);
    const auto ns = static_cast<uint64_t>(taken.count());
    run.invoke_ns_total += ns;
    run.invoke_ns_min = i == 0 ? ns : std::min(run.invoke_ns_min, ns);
  }
  run.invoke_ns_mean = run.invoke_ns_total / run.count;
  return {};
}

}  // namespace

Result<ModelRun> run_model(const std::filesystem::path& path, ByteView input) {
  Result<Bytes> file = read_model(path);
  if (!file) return file.error();
  Result<HostModel> model = HostModel::open(*file);
  if (!model) return model.error();
  if (Status loaded = model->load(); !loaded) return loaded.error();
  ModelRun run;
  run.arena_bytes = model->arena_bytes();
  run.work = model->work();
  if (model->activations() > HostModel::activations_of_firmware()) {
    run.note = fmt::format(
        "too many tensors for a firmware that keeps the default of {}: it must define "
        "COVEY_REFERENCE_MAX_ACTIVATIONS as {} or more, or it refuses this model "
        "(RUNTIME_MODEL_TOO_COMPLEX)",
        HostModel::activations_of_firmware(), model->activations());
  }
  run.input_size_bytes = model->input_bytes();
  run.output_size_bytes = model->output_bytes();
  if (input.empty() || input.size() % run.input_size_bytes != 0) {
    return invalid("INPUT_SIZE",
                   fmt::format("the input has {} bytes; the model takes {} bytes per inference "
                               "(or a multiple for several)",
                               input.size(), run.input_size_bytes));
  }
  run.count = input.size() / run.input_size_bytes;
  constexpr size_t kOutputsMax = size_t{1} << 30U;
  if (run.count > kOutputsMax / run.output_size_bytes) {
    return invalid(
        "INPUT_SIZE",
        fmt::format("the outputs of {} inferences exceed 1 GB; split the input", run.count));
  }
  run.outputs.resize(run.count * run.output_size_bytes);
  if (Status status = invoke_all(*model, input, run); !status) {
    return status.error();
  }
  return run;
}

}  // namespace covey
