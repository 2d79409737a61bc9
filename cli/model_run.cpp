#include "cli/model_run.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <system_error>

#include "deploy/artifact/tflite_operator_names.hpp"
#include "device_agent/runtimes/reference/reference_runtime.h"

namespace covey {
namespace {

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
  std::string message = "the reference runtime refuses the model";
  if (fault.operator_index >= 0) {
    message += " at operator " + std::to_string(fault.operator_index);
    if (fault.builtin >= 0) {
      const std::string_view known = tflite_operator_name(fault.builtin);
      message += " (" +
                 (known.empty() ? "builtin " + std::to_string(fault.builtin) : std::string(known)) +
                 ")";
    }
  }
  if (fault.tensor >= 0) {
    message += ", tensor " + std::to_string(fault.tensor);
  }
  return invalid(name != nullptr ? name : "RUNTIME_UNKNOWN", message);
}

struct ModelFile {
  AlignedBytes bytes;
  size_t size = 0;
};

Result<ModelFile> read_model(const std::filesystem::path& path) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) {
    return not_found("no model file " + path.string());
  }
  if (error) {
    return invalid("MODEL_UNREADABLE", path.string() + ": " + error.message());
  }
  if (size > kModelRunBytesMax) {
    return invalid("MODEL_TOO_LARGE", path.string() + " has " + std::to_string(size) + " bytes; " +
                                          std::to_string(kModelRunBytesMax) + " is the limit");
  }
  ModelFile file{aligned_bytes(static_cast<size_t>(size)), static_cast<size_t>(size)};
  std::ifstream in(path, std::ios::binary);
  in.read(reinterpret_cast<char*>(file.bytes.get()), static_cast<std::streamsize>(size));
  if (!in || static_cast<uintmax_t>(in.gcount()) != size) {
    return invalid("MODEL_UNREADABLE", "cannot read all of " + path.string());
  }
  return file;
}

Status invoke_all(const covey_runtime_t& runtime, ByteView input, ModelRun& run) {
  for (size_t i = 0; i < run.count; ++i) {
    const auto* in = reinterpret_cast<const int8_t*>(input.data() + i * run.input_size_bytes);
    auto* out = reinterpret_cast<int8_t*>(run.outputs.data() + i * run.output_size_bytes);
    const auto start = std::chrono::steady_clock::now();
    const int error =
        runtime.invoke(runtime.ctx, in, run.input_size_bytes, out, run.output_size_bytes);
    const auto taken = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::steady_clock::now() - start);
    if (error != 0) {
      return runtime_error(error, {error, -1, -1, -1});
    }
    const auto ns = static_cast<uint64_t>(taken.count());
    run.invoke_ns_total += ns;
    run.invoke_ns_min = i == 0 ? ns : std::min(run.invoke_ns_min, ns);
  }
  run.invoke_ns_mean = run.invoke_ns_total / run.count;
  return {};
}

}  // namespace

Result<ModelRun> run_model(const std::filesystem::path& model, ByteView input) {
  Result<ModelFile> file = read_model(model);
  if (!file) {
    return file.error();
  }
  covey_reference_t reference;
  covey_reference_init(&reference);
  const covey_runtime_t runtime = covey_reference_runtime(&reference);
  ModelRun run;
  int error = runtime.arena_required(runtime.ctx, file->bytes.get(), file->size, &run.arena_bytes);
  if (error != 0) {
    return runtime_error(error, reference.fault);
  }
  const AlignedBytes arena = aligned_bytes(run.arena_bytes);
  error = runtime.load(runtime.ctx, file->bytes.get(), file->size, arena.get(), run.arena_bytes);
  if (error != 0) {
    return runtime_error(error, reference.fault);
  }
  covey_model_format_t format;
  error = runtime.describe(runtime.ctx, &format);
  if (error != 0) {
    return runtime_error(error, reference.fault);
  }
  run.work = reference.work;
  run.input_size_bytes = format.input.size_bytes;
  run.output_size_bytes = format.output.size_bytes;
  if (input.empty() || input.size() % run.input_size_bytes != 0) {
    return invalid("INPUT_SIZE", "the input has " + std::to_string(input.size()) +
                                     " bytes; the model takes " +
                                     std::to_string(run.input_size_bytes) +
                                     " bytes per inference (or a multiple for several)");
  }
  run.count = input.size() / run.input_size_bytes;
  constexpr size_t kOutputsMax = size_t{1} << 30U;
  if (run.count > kOutputsMax / run.output_size_bytes) {
    return invalid("INPUT_SIZE", "the outputs of " + std::to_string(run.count) +
                                     " inferences exceed 1 GB; split the input");
  }
  run.outputs.resize(run.count * run.output_size_bytes);
  if (Status status = invoke_all(runtime, input, run); !status) {
    return status.error();
  }
  return run;
}

}  // namespace covey
