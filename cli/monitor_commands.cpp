// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <iostream>

#include "cli/commands.hpp"
#include "cli/plot.hpp"
#include "covey/v1/monitoring.pb.h"

namespace covey::cli {
namespace {

constexpr int kLabelsPerCall = 10'000;
constexpr size_t kLineBytesMax = 256;

struct MonitorOptions {
  std::string model;
  std::string release;
  std::string filter;
  std::string feature;
  std::string per;
  std::string device;
  std::string file;
  std::string alert;
  uint32_t windows = 1;
  bool all = false;
};

// Commands about one model; the only one of the site where none is named.
template <typename Response, typename Request, typename People>
int ask_about_model(const Invocation& invocation, const MonitorOptions& options, Request request,
                    People people) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  Result<std::string> model = model_or_only(**client, options.model);
  if (!model) return invocation.fail(model.error());
  request.set_model(*model);
  Result<Response> response = (*client)->template call<Response>(request);
  if (!response) return invocation.fail(response.error());
  invocation.print(*response, [&] { return people(*response); });
  return kDone;
}

std::string totals_table(const Invocation& invocation, const v1::GetInferenceTotalsResponse& r) {
  Table cohorts({"RELEASE", "COHORT", "INFERENCES", "WINDOWS", "LOST", "ERRORS"});
  for (const v1::InferenceTotal& row : r.cohorts()) {
    cohorts.add({row.release(), row.cohort(), grouped(row.inferences()), grouped(row.windows()),
                 grouped(row.windows_lost()), grouped(row.errors())});
  }
  std::string out = cohorts.render(invocation.style);
  if (invocation.wide()) {
    Table devices({"DEVICE", "RELEASE", "INFERENCES", "WINDOWS", "LOST", "ERRORS"});
    for (const v1::InferenceTotal& row : r.devices()) {
      devices.add({row.device(), row.release(), grouped(row.inferences()), grouped(row.windows()),
                   grouped(row.windows_lost()), grouped(row.errors())});
    }
    out += "\n" + devices.render(invocation.style);
  }
  return out +
         fmt::format("{} inferences, {} windows lost, {} duplicates dropped, {} quarantined\n",
                     grouped(r.inferences()), grouped(r.windows_lost()), grouped(r.duplicates()),
                     grouped(r.quarantined()));
}

std::string drift_page(const Invocation& invocation, const MonitorOptions& options,
                       const v1::GetDriftResponse& r) {
  std::string out =
      fmt::format("{}: {} devices, {} inferences, {} to {} UTC\n", r.release(), r.devices(),
                  grouped(r.inferences()), utc(r.start_ms()), utc(r.end_ms()));
  for (const v1::Histogram& h : r.histograms()) {
    if (!options.feature.empty() && options.feature != h.name()) continue;
    out += fmt::format(
        "\n{}  {}  PSI {:.4f} (95 %: {:.4f} to {:.4f}), p {:.3g}, design effect "
        "{:.2f}\n",
        h.name(), colored(h.outcome(), invocation.style), h.psi(), h.psi_low(), h.psi_high(),
        h.p_value(), h.deff());
    if (!h.devices().empty()) out += "  stands out: " + joined(h.devices(), 12) + "\n";
    std::vector<PlotBin> bins;
    bins.reserve(static_cast<size_t>(h.baseline_size()));
    for (int i = 0; i < h.baseline_size(); ++i) {
      bins.push_back({i < h.bin_names_size() ? h.bin_names(i) : std::to_string(i), h.baseline(i),
                      i < h.now_size() ? h.now(i) : 0});
    }
    out += plot_bins(bins, invocation.style);
  }
  return out + "\nleft: baseline of the release, right: now\n";
}

std::string accuracy_table(const Invocation& invocation, const v1::GetAccuracyResponse& r) {
  Table table({"RELEASE", "STRATUM", "ACCURACY", "95 %", "LABELLED", "CORRECT", "INFERENCES"});
  for (const v1::AccuracyRow& row : r.rows()) {
    const bool known = row.labelled() > 0;
    table.add({row.release(), row.stratum().empty() ? "all" : row.stratum(),
               known ? fmt::format("{:.2f} %", row.accuracy() * 100) : "-",
               known ? fmt::format("{:.2f} to {:.2f}", row.low() * 100, row.high() * 100) : "-",
               grouped(row.labelled()), grouped(row.correct()), grouped(row.inferences())});
  }
  return table.render(invocation.style);
}

std::string windows_table(const Invocation& invocation, const v1::ListWindowsResponse& r) {
  Table table(
      {"START (UTC)", "RELEASE", "COHORT", "DEVICE", "INFERENCES", "CLOSED", "P50 us", "P95 us"});
  for (const v1::Window& window : r.windows()) {
    table.add(
        {utc(window.start_ms()), window.release(), window.cohort(),
         window.device().empty() ? std::to_string(window.devices()) + " devices" : window.device(),
         grouped(window.inferences()),
         window.closed() ? (window.revised() ? "revised" : "yes") : "no",
         std::to_string(window.latency_p50_us()), std::to_string(window.latency_p95_us())});
  }
  return table.render(invocation.style);
}

template <typename Number>
bool read_number(const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

// device,boot_id,inference,class
Result<v1::Label> read_label(const std::string& line, size_t number) {
  std::vector<std::string> cells(1);
  for (const char c : line) {
    if (c == ',') {
      cells.emplace_back();
    } else if (c != '\r' && c != ' ') {
      cells.back() += c;
    }
  }
  v1::Label label;
  uint64_t inference = 0;
  uint32_t truth = 0;
  if (line.size() > kLineBytesMax || cells.size() != 4 || !read_number(cells[2], inference) ||
      !read_number(cells[3], truth)) {
    return invalid("BAD_LABELS", fmt::format("line {}: write device,boot_id,inference,class, e.g. "
                                             "press-07,00f1e2d3c4b5a697,1204,2",
                                             number));
  }
  label.set_device(cells[0]);
  label.set_boot_id(cells[1]);
  label.set_inference(inference);
  label.set_class_(truth);
  return label;
}

int submit_labels(const Invocation& invocation, const MonitorOptions& options) {
  std::ifstream file;
  if (options.file != "-") {
    file.open(options.file);
    if (!file) return invocation.fail(not_found("cannot open " + options.file));
  }
  std::istream& in = options.file == "-" ? std::cin : file;
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  Result<std::string> model = model_or_only(**client, options.model);
  if (!model) return invocation.fail(model.error());
  v1::SubmitLabelsRequest request;
  v1::SubmitLabelsResponse sum;
  const auto send = [&]() -> Status {
    if (request.labels().empty()) return {};
    request.set_model(*model);
    Result<v1::SubmitLabelsResponse> done = (*client)->call<v1::SubmitLabelsResponse>(request);
    if (!done) return done.error();
    sum.set_matched(sum.matched() + done->matched());
    sum.set_unmatched(sum.unmatched() + done->unmatched());
    sum.set_unchanged(sum.unchanged() + done->unchanged());
    request.Clear();
    return {};
  };
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line.front() == '#' || (number == 1 && line.starts_with("device,"))) {
      continue;
    }
    Result<v1::Label> label = read_label(line, number);
    if (!label) return invocation.fail(label.error());
    *request.add_labels() = *std::move(label);
    if (request.labels_size() < kLabelsPerCall) continue;
    if (Status sent = send(); !sent) return invocation.fail(sent.error());
  }
  if (Status sent = send(); !sent) return invocation.fail(sent.error());
  invocation.print(sum, [&] {
    return fmt::format("{} matched a sampled inference, {} did not, {} were known already.\n",
                       grouped(sum.matched()), grouped(sum.unmatched()), grouped(sum.unchanged()));
  });
  return kDone;
}

std::string alerts_table(const Invocation& invocation, const v1::ListAlertsResponse& r) {
  Table table({"ALERT", "STATE", "SEVERITY", "KIND", "SUBJECT", "SINCE", "DEVICES"});
  for (const v1::Alert& alert : r.alerts()) {
    table.add({alert.name().substr(alert.name().find('/') + 1),
               word(v1::AlertState_Name(alert.state())), alert.severity(), alert.kind(),
               alert.feature(), age(alert.start_time_ms()), joined(alert.devices(), 8)});
  }
  if (table.empty()) return "No alerts.\n";
  std::string out = table.render(invocation.style);
  for (const v1::Alert& alert : r.alerts()) {
    out += fmt::format("\n{}{}\n  {}\n", alert.name().substr(alert.name().find('/') + 1),
                       alert.acknowledged() ? " (acknowledged)" : "", alert.explanation());
  }
  return out;
}

// `example` is one whole line of the help, or several.
CLI::App* add_about_model(CLI::App& monitor, MonitorOptions& options, const char* name,
                          const char* about, const std::string& example) {
  CLI::App* command = monitor.add_subcommand(name, about);
  command->add_option("model", options.model, "Model; the only one when left out");
  command->footer("Examples:\n" + example);
  return command;
}

void add_monitor_totals(CLI::App& monitor, Invocation& invocation,
                        const std::shared_ptr<MonitorOptions>& options) {
  CLI::App* totals =
      add_about_model(monitor, *options, "totals", "Exact counts of inferences since the beginning",
                      "  covey monitor totals bearing-vibration\n  covey monitor totals -o wide");
  on(totals, invocation, [&invocation, options] {
    return ask_about_model<v1::GetInferenceTotalsResponse>(
        invocation, *options, v1::GetInferenceTotalsRequest(),
        [&](const auto& r) { return totals_table(invocation, r); });
  });
}

void add_monitor_drift(CLI::App& monitor, Invocation& invocation,
                       const std::shared_ptr<MonitorOptions>& options) {
  CLI::App* drift =
      add_about_model(monitor, *options, "drift", "Baseline against now, feature by feature",
                      "  covey monitor drift bearing-vibration --feature rms\n"
                      "  covey monitor drift --filter 'labels.hall = b' --windows 4");
  drift->add_option("--release", options->release, "Version; the one with most devices");
  drift->add_option("--filter", options->filter, "AIP-160 filter over devices");
  drift->add_option("--feature", options->feature, "Only this one (or: classes)");
  drift->add_option("--windows", options->windows, "How many of the last closed windows")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  on(drift, invocation, [&invocation, options] {
    v1::GetDriftRequest request;
    request.set_release(options->release);
    request.set_filter(options->filter);
    request.set_windows(options->windows);
    return ask_about_model<v1::GetDriftResponse>(invocation, *options, request, [&](const auto& r) {
      return drift_page(invocation, *options, r);
    });
  });
}

void add_monitor_accuracy(CLI::App& monitor, Invocation& invocation,
                          const std::shared_ptr<MonitorOptions>& options) {
  CLI::App* accuracy =
      add_about_model(monitor, *options, "accuracy", "Share of correct inferences, by labels",
                      "  covey monitor accuracy bearing-vibration --per labels.machine_type");
  accuracy->add_option("--per", options->per, "labels.KEY: one row for each of its values");
  on(accuracy, invocation, [&invocation, options] {
    v1::GetAccuracyRequest request;
    request.set_per(options->per);
    return ask_about_model<v1::GetAccuracyResponse>(
        invocation, *options, request,
        [&](const auto& r) { return accuracy_table(invocation, r); });
  });
}

void add_monitor_windows(CLI::App& monitor, Invocation& invocation,
                         const std::shared_ptr<MonitorOptions>& options) {
  CLI::App* windows =
      add_about_model(monitor, *options, "windows", "Windows of inference statistics, newest first",
                      "  covey monitor windows --device press-07");
  windows->add_option("--device", options->device, "Of one device");
  on(windows, invocation, [&invocation, options] {
    v1::ListWindowsRequest request;
    request.set_device(options->device);
    return ask_about_model<v1::ListWindowsResponse>(
        invocation, *options, request, [&](const auto& r) { return windows_table(invocation, r); });
  });
}

void add_monitor_labels(CLI::App& monitor, Invocation& invocation,
                        const std::shared_ptr<MonitorOptions>& options) {
  CLI::App* labels = monitor.add_subcommand("labels", "What inferences should have said");
  labels->require_subcommand(1);
  CLI::App* submit = labels->add_subcommand("submit", "Send labels from a CSV file");
  submit->add_option("file", options->file, "device,boot_id,inference,class per line; -: stdin")
      ->required();
  submit->add_option("--model", options->model, "Model; the only one when left out");
  submit->footer("Example:\n  covey monitor labels submit labels.csv --model bearing-vibration");
  on(submit, invocation, [&invocation, options] { return submit_labels(invocation, *options); });
}

}  // namespace

void add_monitor_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* monitor = app.add_subcommand("monitor", "What the models see and say in the field");
  monitor->require_subcommand(1);
  const auto options = std::make_shared<MonitorOptions>();
  add_monitor_totals(*monitor, invocation, options);
  add_monitor_drift(*monitor, invocation, options);
  add_monitor_accuracy(*monitor, invocation, options);
  add_monitor_windows(*monitor, invocation, options);
  add_monitor_labels(*monitor, invocation, options);
}

void add_alert_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* alert = app.add_subcommand("alert", "Conditions that need a person");
  alert->require_subcommand(1);
  const auto options = std::make_shared<MonitorOptions>();
  CLI::App* list = alert->add_subcommand("list", "List alerts");
  list->add_flag("--all", options->all, "Resolved ones too");
  list->footer("Example:\n  covey alert list --all");
  on(list, invocation, [&invocation, options] {
    v1::ListAlertsRequest request;
    request.set_include_resolved(options->all);
    return call_and_print<v1::ListAlertsResponse>(
        invocation, request, [&](const auto& r) { return alerts_table(invocation, r); });
  });
  CLI::App* ack = alert->add_subcommand("ack", "Acknowledge an alert");
  ack->add_option("alert", options->alert, "As `covey alert list` shows it")->required();
  on(ack, invocation, [&invocation, options] {
    v1::AcknowledgeAlertRequest request;
    request.set_name(options->alert);
    return call_and_print<v1::AcknowledgeAlertResponse>(
        invocation, request, [](const auto&) { return std::string("Acknowledged.\n"); });
  });
}

}  // namespace covey::cli
