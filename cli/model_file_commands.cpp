// SPDX-License-Identifier: Apache-2.0
// `covey model inspect` and `run`: a .tflite on this machine.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.hpp"
#include "cli/files/files.hpp"
#include "cli/model_run.hpp"
#include "deploy/artifact/tflite_inspect.hpp"

namespace covey::cli {
namespace {

struct FileOptions {
  std::string file;
  std::string input;
  std::string output;
};

nlohmann::ordered_json tensors_json(const std::vector<TfliteTensor>& tensors) {
  auto json = nlohmann::ordered_json::array();
  for (const TfliteTensor& tensor : tensors) {
    json.push_back({{"name", tensor.name},
                    {"type", tensor.type},
                    {"shape", tensor.shape},
                    {"size_bytes", tensor.size_bytes}});
  }
  return json;
}

nlohmann::ordered_json summary_json(const TfliteSummary& summary) {
  auto operators = nlohmann::ordered_json::array();
  for (const TfliteOperator& op : summary.operators) {
    operators.push_back({{"name", to_string(op)}, {"version", op.version}});
  }
  return {{"size_bytes", summary.size_bytes},
          {"operator_count", summary.operator_count},
          {"operator_set", to_hex(summary.operator_set_hash.bytes)},
          {"operators", operators},
          {"inputs", tensors_json(summary.inputs)},
          {"outputs", tensors_json(summary.outputs)}};
}

std::string tensor_lines(const char* what, const std::vector<TfliteTensor>& tensors) {
  std::string out;
  for (const TfliteTensor& tensor : tensors) {
    out += fmt::format("{} {} {} [{}] {} bytes\n", what, escaped(tensor.name), tensor.type,
                       fmt::join(tensor.shape, "x"), tensor.size_bytes);
  }
  return out;
}

std::string summary_page(const std::string& file, const TfliteSummary& summary) {
  std::string out = fmt::format("{}: {} bytes, {} operators, operator set {}\n", escaped(file),
                                grouped(summary.size_bytes), summary.operator_count,
                                short_hex(summary.operator_set_hash));
  for (const TfliteOperator& op : summary.operators) {
    out += fmt::format("  {} version {}\n", escaped(to_string(op)), op.version);
  }
  return out + tensor_lines("input ", summary.inputs) + tensor_lines("output", summary.outputs);
}

int inspect(const Invocation& invocation, const FileOptions& options) {
  Result<Bytes> model = read_file(options.file, kTfliteBytesMax);
  if (!model) return invocation.fail(model.error());
  Result<TfliteSummary> summary = inspect_tflite(*model);
  if (!summary) return invocation.fail(summary.error());
  nlohmann::ordered_json json = summary_json(*summary);
  std::string page = summary_page(options.file, *summary);
  // A model that the reference runtime cannot run is shown all the same; the exit code tells.
  std::optional<Error> refused;
  const Bytes zeros(summary->inputs.empty() ? 0 : summary->inputs.front().size_bytes);
  Result<ModelRun> run = run_model(options.file, zeros);
  if (run) {
    json["arena_bytes"] = run->arena_bytes;
    json["multiply_accumulates"] = run->work;
    page += fmt::format("reference runtime: arena {} bytes, {} multiply-accumulates\n",
                        grouped(run->arena_bytes), grouped(run->work));
    if (!run->note.empty()) {
      json["note"] = run->note;
      page += fmt::format("note: {}\n", run->note);
    }
  } else {
    refused = run.error();
  }
  const int printed = invocation.print_json(json, [&] { return page; });
  return refused ? invocation.fail(*refused) : printed;
}

int run(const Invocation& invocation, const FileOptions& options) {
  Result<Bytes> input = read_file(options.input, 1U << 30U);
  if (!input) return invocation.fail(input.error());
  Result<ModelRun> result = run_model(options.file, *input);
  if (!result) return invocation.fail(result.error());
  if (!options.output.empty()) {
    if (Status done = write_file(options.output, result->outputs); !done) {
      return invocation.fail(done.error());
    }
  }
  const auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1000; };
  return invocation.print_json(
      {{"inferences", result->count},
       {"mean_us", us(result->invoke_ns_mean)},
       {"best_us", us(result->invoke_ns_min)},
       {"arena_bytes", result->arena_bytes},
       {"multiply_accumulates", result->work}},
      [&] {
        return fmt::format(
            "{} inferences, {:.1f} us each (best {:.1f} us), arena {} bytes, {} "
            "multiply-accumulates each\n",
            result->count, us(result->invoke_ns_mean), us(result->invoke_ns_min),
            grouped(result->arena_bytes), grouped(result->work));
      });
}

void add_model_inspect(CLI::App& model, Invocation& invocation,
                       const std::shared_ptr<FileOptions>& options) {
  CLI::App* look = model.add_subcommand("inspect", "What a .tflite file holds; needs no site");
  look->add_option("file", options->file, ".tflite")->required();
  on(look, invocation, [&invocation, options] { return inspect(invocation, *options); });
}

void add_model_run(CLI::App& model, Invocation& invocation,
                   const std::shared_ptr<FileOptions>& options) {
  CLI::App* execute = model.add_subcommand("run", "Run a .tflite here, as a device would");
  execute->add_option("file", options->file, ".tflite")->required();
  execute
      ->add_option("--input", options->input,
                   "Raw tensors (int8, or little-endian float32), back to back")
      ->required();
  execute->add_option("--output", options->output, "Where the output tensors go");
  execute->footer("Example:\n  covey model run model.tflite --input in.bin --output out.bin");
  on(execute, invocation, [&invocation, options] { return run(invocation, *options); });
}

}  // namespace

void add_model_file_commands(CLI::App& model, Invocation& invocation) {
  const auto options = std::make_shared<FileOptions>();
  add_model_inspect(model, invocation, options);
  add_model_run(model, invocation, options);
}

}  // namespace covey::cli
