// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cli/commands.hpp"
#include "cli/files/files.hpp"
#include "cli/files/label_file.hpp"
#include "covey/v1/monitoring.pb.h"

namespace covey::cli {
namespace {

constexpr size_t kLabelsPerCall = 10'000;

struct LabelOptions {
  std::string model;
  std::string file;
};

// The API counts within a request ("labels[17].class: ..."); people count lines of their file.
std::string with_line(const std::string& message, const std::vector<LabelLine>& labels,
                      size_t first) {
  constexpr std::string_view kField = "labels[";
  if (!message.starts_with(kField)) return message;
  size_t index = 0;
  const auto [end, error] =
      std::from_chars(message.data() + kField.size(), message.data() + message.size(), index);
  const auto rest = static_cast<size_t>(end - message.data());
  if (error != std::errc() || first + index >= labels.size() || message[rest] != ']') {
    return message;
  }
  std::string_view text = std::string_view(message).substr(rest + 1);
  if (text.starts_with('.')) text.remove_prefix(1);
  if (text.starts_with(": ")) text.remove_prefix(2);
  return fmt::format("line {}: {}", labels[first + index].line, text);
}

Error failed(Error error, const std::string& file, const std::vector<LabelLine>& labels,
             size_t first) {
  error.message = fmt::format("{}: {}", file, with_line(error.message, labels, first));
  if (first > 0) {
    error.message += fmt::format(
        "; the {} labels of the lines before {} are in, those from there on are not: send the file "
        "again when it is mended, labels that are known change nothing",
        first, labels[first].line);
  }
  return error;
}

v1::SubmitLabelsRequest request_of(const std::vector<LabelLine>& labels, size_t first) {
  v1::SubmitLabelsRequest request;
  for (size_t i = first; i < std::min(labels.size(), first + kLabelsPerCall); ++i) {
    v1::Label& label = *request.add_labels();
    label.set_device(labels[i].device);
    label.set_boot_id(labels[i].boot_id);
    label.set_inference(labels[i].inference);
    label.set_class_(labels[i].truth);
  }
  return request;
}

// Every line is looked at before the first is sent.
int submit_labels(const Invocation& invocation, const LabelOptions& options) {
  Result<Bytes> bytes = read_file(options.file, kLabelFileBytesMax);
  if (!bytes) return invocation.fail(bytes.error());
  const std::string file = options.file == "-" ? "standard input" : options.file;
  Result<std::vector<LabelLine>> labels =
      read_labels({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  if (!labels) return invocation.fail(failed(labels.error(), file, {}, 0));
  if (labels->empty()) {
    return invocation.fail(invalid("NO_LABELS", fmt::format("{}: has no labels", file)));
  }
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  Result<std::string> model = model_or_only(**client, options.model);
  if (!model) return invocation.fail(model.error());
  v1::SubmitLabelsResponse sum;
  for (size_t first = 0; first < labels->size(); first += kLabelsPerCall) {
    v1::SubmitLabelsRequest request = request_of(*labels, first);
    request.set_model(*model);
    Result<v1::SubmitLabelsResponse> done = (*client)->call<v1::SubmitLabelsResponse>(request);
    if (!done) return invocation.fail(failed(done.error(), file, *labels, first));
    sum.set_matched(sum.matched() + done->matched());
    sum.set_unmatched(sum.unmatched() + done->unmatched());
    sum.set_unchanged(sum.unchanged() + done->unchanged());
    sum.set_of_nobody(sum.of_nobody() + done->of_nobody());
  }
  return invocation.print(sum, [](const v1::SubmitLabelsResponse& r) {
    std::string text =
        fmt::format("{} matched a sampled inference, {} did not, {} were known already.\n",
                    grouped(r.matched()), grouped(r.unmatched()), grouped(r.unchanged()));
    if (r.of_nobody() > 0) {
      text += fmt::format("{} are of devices that are not there, and were left out.\n",
                          grouped(r.of_nobody()));
    }
    return text;
  });
}

}  // namespace

void add_label_commands(CLI::App& monitor, Invocation& invocation) {
  CLI::App* labels = monitor.add_subcommand("labels", "What inferences should have said");
  labels->require_subcommand(1);
  CLI::App* submit = labels->add_subcommand("submit", "Send labels from a CSV file");
  const auto options = std::make_shared<LabelOptions>();
  submit->add_option("file", options->file, "device,boot_id,inference,class per line; -: stdin")
      ->required();
  submit->add_option("--model", options->model, "Model; the only one when left out");
  submit->footer(
      "Comma, semicolon or tab, with or without quotes; all lines are checked before any is sent.\n"
      "\nExample:\n  covey monitor labels submit labels.csv --model bearing-vibration");
  on(submit, invocation, [&invocation, options] { return submit_labels(invocation, *options); });
}

}  // namespace covey::cli
