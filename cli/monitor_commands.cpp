// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.hpp"
#include "cli/show/alert_view.hpp"
#include "cli/show/drift_view.hpp"
#include "covey/v1/monitoring.pb.h"

namespace covey::cli {
namespace {

struct MonitorOptions {
  std::string model;
  std::string release;
  std::string filter;
  std::string feature;
  std::string per;
  std::string device;
  std::string alert;
  uint32_t windows = 1;
  uint32_t limit = 100;
  bool all = false;
};

std::string windows_table(const Invocation& invocation, const v1::ListWindowsResponse& r);

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
  return invocation.print(*response, people);
}

int ask_drift(const Invocation& invocation, const MonitorOptions& options,
              v1::GetDriftRequest request) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  Result<std::string> model = model_or_only(**client, options.model);
  if (!model) return invocation.fail(model.error());
  request.set_model(*model);
  Result<v1::GetDriftResponse> drift = (*client)->call<v1::GetDriftResponse>(request);
  if (!drift) return invocation.fail(drift.error());
  if (Status kept = keep_feature(*drift, options.feature); !kept) {
    return invocation.fail(kept.error());
  }
  return invocation.print(
      *drift, [&](const v1::GetDriftResponse& r) { return drift_page(r, invocation.style); });
}

// As many of the newest windows as were asked for, over the API's pages.
int list_windows(const Invocation& invocation, const MonitorOptions& options) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  Result<std::string> model = model_or_only(**client, options.model);
  if (!model) return invocation.fail(model.error());
  v1::ListWindowsRequest request;
  request.set_model(*model);
  if (!options.device.empty()) request.set_device(id_of(options.device));
  v1::ListWindowsResponse all;
  for (;;) {
    const auto missing = static_cast<int>(options.limit) - all.windows_size();
    request.set_page_size(std::min(missing, 1000));
    Result<v1::ListWindowsResponse> page = (*client)->call<v1::ListWindowsResponse>(request);
    if (!page) return invocation.fail(page.error());
    all.clear_next_page_token();
    all.MergeFrom(*page);
    const bool enough = all.windows_size() >= static_cast<int>(options.limit);
    if (enough || all.next_page_token().empty()) break;
    request.set_page_token(all.next_page_token());
  }
  return invocation.print(all, [&](const auto& r) { return windows_table(invocation, r); });
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

std::string accuracy_table(const Invocation& invocation, const v1::GetAccuracyResponse& r) {
  Table table({"RELEASE", "STRATUM", "ACCURACY", "95 %", "LABELLED", "CORRECT", "INFERENCES"});
  for (const v1::AccuracyRow& row : r.rows()) {
    const bool known = row.has_accuracy();
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
         window.device().empty() ? fmt::format("{} devices", window.devices()) : window.device(),
         grouped(window.inferences()),
         window.closed() ? (window.revised() ? "revised" : "yes") : "no",
         window.has_latency_p50_us() ? grouped(window.latency_p50_us()) : "-",
         window.has_latency_p95_us() ? grouped(window.latency_p95_us()) : "-"});
  }
  if (table.empty()) return "No windows yet: the first closes when devices have reported.\n";
  return table.render(invocation.style) +
         (r.next_page_token().empty() ? "" : "There are older ones: --limit shows more.\n");
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
    Result<std::unique_ptr<Client>> client = invocation.connect();
    if (!client) return invocation.fail(client.error());
    Result<std::string> model = model_or_only(**client, options->model);
    if (!model) return invocation.fail(model.error());
    v1::GetInferenceTotalsRequest request;
    request.set_model(*model);
    Result<v1::GetInferenceTotalsResponse> counted =
        call_all_pages<v1::GetInferenceTotalsResponse>(**client, request);
    if (!counted) return invocation.fail(counted.error());
    return invocation.print(*counted, [&](const auto& r) { return totals_table(invocation, r); });
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
    const std::string release = release_name(options->release);
    request.set_release(release.substr(release.find('@') + 1));
    request.set_filter(options->filter);
    request.set_windows(options->windows);
    return ask_drift(invocation, *options, request);
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
  windows->add_option("--limit", options->limit, "How many")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  on(windows, invocation, [&invocation, options] { return list_windows(invocation, *options); });
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
  add_label_commands(*monitor, invocation);
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
    return list_and_print<v1::ListAlertsResponse>(invocation, request, [&](const auto& r) {
      return alerts_page(r, options->all, invocation.style);
    });
  });
  CLI::App* ack = alert->add_subcommand("ack", "Acknowledge an alert");
  ack->add_option("alert", options->alert, "As `covey alert list` shows it")->required();
  on(ack, invocation, [&invocation, options] {
    v1::AcknowledgeAlertRequest request;
    request.set_name(options->alert.starts_with("alerts/") ? id_of(options->alert)
                                                           : options->alert);
    return call_and_print<v1::AcknowledgeAlertResponse>(
        invocation, request, [](const auto&) { return std::string("Acknowledged.\n"); });
  });
}

}  // namespace covey::cli
