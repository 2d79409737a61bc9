// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/files/files.hpp"
#include "cli/files/plan_file.hpp"
#include "cli/rollout_selection.hpp"
#include "cli/rollout_watch.hpp"
#include "cli/show/rollout_view.hpp"
#include "core/yaml/yaml.hpp"
#include "covey/v1/rollouts.pb.h"
#include "gateway/codec/plan_codec.hpp"

namespace covey::cli {
namespace {

struct RolloutOptions {
  std::string name;
  std::string file;
  std::string release;
  std::string source;
  std::string reason;
  std::string request_id;
  std::string device;
  std::string state;
  std::string filter;
  WatchOptions watching;
  bool watch = false;
  bool now = false;
};

struct NamedSpec {
  std::string name;
  v1::RolloutSpec spec;
};
Result<NamedSpec> read_plan(const RolloutOptions& options) {
  Result<Bytes> bytes = read_file(options.file, kYamlBytesMax);
  if (!bytes) return bytes.error();
  PlanFile file =
      read_plan_file(std::string(bytes->begin(), bytes->end()),
                     {.name = options.name, .release = options.release, .source = options.source});
  if (!file.problems.empty()) {
    return to_error(file.problems, options.file == "-" ? "standard input" : options.file);
  }
  return NamedSpec{file.document.name, plan_to_proto(file.document)};
}

int create(const Invocation& invocation, const RolloutOptions& options) {
  Result<NamedSpec> plan = read_plan(options);
  if (!plan) return invocation.fail(plan.error());
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  v1::CreateRolloutRequest request;
  request.set_rollout_id(plan->name);
  *request.mutable_spec() = plan->spec;
  request.set_request_id(options.request_id);
  Result<v1::CreateRolloutResponse> created = (*client)->call<v1::CreateRolloutResponse>(request);
  if (!created) return invocation.fail(created.error());
  if (options.watch) {
    for (const std::string& warning : created->warnings()) invocation.note("warning: " + warning);
    return watch(invocation, options.watching, **client, created->rollout().name());
  }
  return invocation.print(*created, [&](const v1::CreateRolloutResponse& r) {
    std::string warnings;
    for (const std::string& warning : r.warnings()) warnings += "warning: " + warning + "\n";
    return warnings + rollout_page(r.rollout(), invocation.style) +
           fmt::format("\nWatch it: covey rollout watch {}\n", id_of(r.rollout().name()));
  });
}

std::string plan_page(const Invocation& invocation, const v1::PlanRolloutResponse& r) {
  std::string out = fmt::format(
      "{} devices match; {} cannot take it or have it; {} are offline; {} are held "
      "back\n",
      r.matched(), r.excluded_devices(), r.offline_devices(), r.holdback_devices());
  if (!r.offline().empty()) {
    out += "  offline  " + joined(r.offline(), invocation.wide() ? 100'000 : 8) +
           ": they get it when they are back in time\n";
  }
  for (const v1::PlannedStage& stage : r.stages()) {
    out += fmt::format("\nstage {}: {} devices ({} new)\n", stage.name(), stage.devices_total(),
                       stage.devices_new());
    const size_t most = invocation.wide() ? 100'000 : 8;
    if (!stage.devices().empty()) out += "  " + joined(stage.devices(), most) + "\n";
    for (const std::string& gate : stage.gates()) out += "  gate     " + gate + "\n";
    for (const std::string& warning : stage.warnings()) out += "  warning  " + warning + "\n";
  }
  Table excluded({"LEFT OUT", "REASON", "EXPLANATION"});
  for (const v1::Exclusion& e : r.excluded()) {
    excluded.add({e.device(), e.reason(), e.explanation()});
  }
  if (!excluded.empty()) out += "\n" + excluded.render(invocation.style);
  const uint32_t named = static_cast<uint32_t>(r.excluded_size());
  if (r.excluded_devices() > named)
    out += fmt::format("and {} more\n", r.excluded_devices() - named);
  return out;
}

template <typename Request>
Request named(const std::string& name) {
  Request request;
  request.set_name(resource("rollouts", name));
  return request;
}

int explain(const Invocation& invocation, const RolloutOptions& options) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  Result<v1::GetRolloutResponse> rollout =
      (*client)->call<v1::GetRolloutResponse>(named<v1::GetRolloutRequest>(options.name));
  if (!rollout) return invocation.fail(rollout.error());
  v1::ListDeploymentsRequest request;
  request.set_parent(resource("rollouts", options.name));
  Result<v1::ListDeploymentsResponse> deployments =
      call_all_pages<v1::ListDeploymentsResponse>(**client, request);
  if (!deployments) return invocation.fail(deployments.error());
  auto json = nlohmann::ordered_json::parse(to_json(*rollout));
  json["deployments"] = nlohmann::ordered_json::parse(to_json(*deployments))["deployments"];
  return invocation.print_json(json, [&] {
    escape_strings(*rollout);
    escape_strings(*deployments);
    return rollout_explanation(rollout->rollout(), *deployments, invocation.style);
  });
}

std::string rollouts_table(const Invocation& invocation, bool selected,
                           const v1::ListRolloutsResponse& r) {
  Table table({"ROLLOUT", "RELEASE", "STATE", "REASON", "CONFIRMED", "DEVICES", "CREATED"});
  for (const v1::Rollout& rollout : r.rollouts()) {
    const auto confirmed = rollout.deployments().find("CONFIRMED");
    const uint32_t devices =
        rollout.stages().empty() ? 0 : rollout.stages(rollout.stages_size() - 1).devices();
    table.add({id_of(rollout.name()), rollout.spec().release(),
               word(v1::RolloutState_Name(rollout.state())), rollout.reason(),
               fmt::format("{}", confirmed == rollout.deployments().end() ? 0 : confirmed->second),
               fmt::format("{}", devices), age(rollout.create_time_ms())});
  }
  if (table.empty()) {
    return selected ? "No rollout matches.\n"
                    : "No rollouts: `covey rollout create -f plan.yaml` starts one.\n";
  }
  return table.render(invocation.style);
}

std::string_view remark(const v1::Deployment& d) {
  if (d.late_confirmed()) return " (late)";
  const bool offered = d.state() == v1::DEPLOYMENT_STATE_OFFERED;
  return offered && !d.received() ? " (not received yet)" : "";
}

std::string deployments_table(const Invocation& invocation, const v1::ListDeploymentsResponse& r) {
  Table table({"DEVICE", "STAGE", "CAUSE", "RELEASE", "FROM", "STATE", "ATTEMPT", "CHUNKS",
               "UPDATED", "REASON"});
  for (const v1::Deployment& d : r.deployments()) {
    table.add(
        {d.device(), d.stage(), d.cause(), d.release(), d.previous_release(),
         word(v1::DeploymentState_Name(d.state())).append(remark(d)),
         fmt::format("{}", d.attempt()),
         d.chunks_total() == 0 ? "-" : fmt::format("{}/{}", d.chunks_have(), d.chunks_total()),
         age(d.update_time_ms()), d.reason()});
  }
  return table.render(invocation.style);
}

void add_plan_commands(CLI::App& rollout, Invocation& invocation,
                       const std::shared_ptr<RolloutOptions>& options) {
  const auto add_file = [&](CLI::App& command) {
    command.add_option("-f,--file", options->file, "Plan file; -: stdin")->required();
    command.add_option("--name", options->name, "Instead of metadata.name");
    command.add_option("--release", options->release, "MODEL@VERSION instead of spec.release");
    command.add_option(
        "--source", options->source,
        "Where the plan was made instead of spec.source: a commit, a pipeline's URL");
  };
  CLI::App* plan = rollout.add_subcommand("plan", "What a plan would do; changes nothing");
  add_file(*plan);
  plan->footer("Example:\n  covey rollout plan -f plan.yaml");
  on(plan, invocation, [&invocation, options] {
    Result<NamedSpec> read = read_plan(*options);
    if (!read) return invocation.fail(read.error());
    v1::PlanRolloutRequest request;
    request.set_rollout_id(read->name);
    *request.mutable_spec() = read->spec;
    return call_and_print<v1::PlanRolloutResponse>(
        invocation, request, [&](const auto& r) { return plan_page(invocation, r); });
  });

  CLI::App* make = rollout.add_subcommand("create", "Start a rollout");
  add_file(*make);
  make->add_option("--request-id", options->request_id,
                   "The same id again gives the same rollout: safe to retry");
  make->add_flag("--watch", options->watch, "Stay until it ends; the exit code tells how");
  add_watch_options(*make, options->watching);
  make->footer(
      "Examples:\n  covey rollout create -f plan.yaml --watch --wait 2h\n"
      "  covey rollout create -f plan.yaml --request-id \"$CI_JOB_ID\"");
  on(make, invocation, [&invocation, options] { return create(invocation, *options); });
}

std::string events_table(const Invocation& invocation, const v1::ListRolloutEventsResponse& r) {
  Table table({"TIME (UTC)", "KIND", "SUBJECT", "TEXT"});
  for (const v1::RolloutEvent& event : r.events()) {
    table.add({utc(event.time_ms()), event.kind(), event.subject(), event.text()});
  }
  return table.render(invocation.style);
}

// One call about one rollout, and how that stands now.
template <typename Response, typename Request>
int call_and_show(const Invocation& invocation, const Request& request) {
  return call_and_print<Response>(invocation, request, [&](const auto& r) {
    return rollout_page(r.rollout(), invocation.style);
  });
}

CLI::App* add_named(CLI::App& rollout, RolloutOptions& options, const char* name,
                    const char* about) {
  CLI::App* command = rollout.add_subcommand(name, about);
  command->add_option("rollout", options.name, "Name of the rollout")->required();
  command->footer(fmt::format("Example:\n  covey rollout {} bearing-vibration-1.4.0", name));
  return command;
}

int list(const Invocation& invocation, const RolloutOptions& options) {
  Result<RolloutSelection> selection = RolloutSelection::parse(options.state, options.filter);
  if (!selection) return invocation.fail(selection.error());
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  Result<v1::ListRolloutsResponse> all =
      call_all_pages<v1::ListRolloutsResponse>(**client, v1::ListRolloutsRequest());
  if (!all) return invocation.fail(all.error());
  return invocation.print(selection->of(*all), [&](const v1::ListRolloutsResponse& r) {
    return rollouts_table(invocation, !options.state.empty() || !options.filter.empty(), r);
  });
}

void add_rollout_list(CLI::App& rollout, Invocation& invocation,
                      const std::shared_ptr<RolloutOptions>& options) {
  CLI::App* command = rollout.add_subcommand("list", "List rollouts, newest first");
  command->add_option("--state", options->state, "Of this state only, e.g. RUNNING");
  command->add_option("--filter", options->filter,
                      "AIP-160 filter: name, state, reason, release, model, creator");
  command->footer(
      "Examples:\n  covey rollout list --state RUNNING\n"
      "  covey rollout list --filter 'model = bearing-vibration AND -state = SUCCEEDED'");
  on(command, invocation, [&invocation, options] { return list(invocation, *options); });
}

void add_rollout_get_and_explain(CLI::App& rollout, Invocation& invocation,
                                 const std::shared_ptr<RolloutOptions>& options) {
  on(add_named(rollout, *options, "get", "Show one rollout"), invocation, [&invocation, options] {
    return call_and_show<v1::GetRolloutResponse>(invocation,
                                                 named<v1::GetRolloutRequest>(options->name));
  });
  on(add_named(rollout, *options, "explain", "Why it is where it is: gates, reasons, devices"),
     invocation, [&invocation, options] { return explain(invocation, *options); });
}

void add_rollout_watch(CLI::App& rollout, Invocation& invocation,
                       const std::shared_ptr<RolloutOptions>& options) {
  CLI::App* look = add_named(rollout, *options, "watch",
                             "Follow a rollout until it ends; the exit code tells how");
  add_watch_options(*look, options->watching);
  on(look, invocation, [&invocation, options] {
    Result<std::unique_ptr<Client>> client = invocation.connect();
    if (!client) return invocation.fail(client.error());
    return watch(invocation, options->watching, **client, resource("rollouts", options->name));
  });
}

void add_rollout_pause_and_resume(CLI::App& rollout, Invocation& invocation,
                                  const std::shared_ptr<RolloutOptions>& options) {
  CLI::App* pause = add_named(rollout, *options, "pause", "Make no new offers");
  pause->add_option("--reason", options->reason, "For the record");
  on(pause, invocation, [&invocation, options] {
    auto request = named<v1::PauseRolloutRequest>(options->name);
    request.set_reason(options->reason);
    return call_and_show<v1::PauseRolloutResponse>(invocation, request);
  });
  on(add_named(rollout, *options, "resume", "Go on after a pause"), invocation,
     [&invocation, options] {
       return call_and_show<v1::ResumeRolloutResponse>(
           invocation, named<v1::ResumeRolloutRequest>(options->name));
     });
  on(add_named(rollout, *options, "approve", "Let the stage that waits begin"), invocation,
     [&invocation, options] {
       return call_and_show<v1::ApproveRolloutResponse>(
           invocation, named<v1::ApproveRolloutRequest>(options->name));
     });
}

void add_rollout_abort_and_rollback(CLI::App& rollout, Invocation& invocation,
                                    const std::shared_ptr<RolloutOptions>& options) {
  CLI::App* abort =
      add_named(rollout, *options, "abort", "Stop; devices that have the release keep it");
  abort->add_flag("--now", options->now,
                  "Cancel what is in progress too; while rolling back: don't wait for the rest");
  abort->add_option("--reason", options->reason, "For the record");
  on(abort, invocation, [&invocation, options] {
    auto request = named<v1::AbortRolloutRequest>(options->name);
    request.set_now(options->now);
    request.set_reason(options->reason);
    return call_and_show<v1::AbortRolloutResponse>(invocation, request);
  });
  CLI::App* back =
      add_named(rollout, *options, "rollback", "Give every device its previous release back");
  back->add_option("--reason", options->reason, "For the record");
  on(back, invocation, [&invocation, options] {
    auto request = named<v1::RollbackRolloutRequest>(options->name);
    request.set_reason(options->reason);
    return call_and_show<v1::RollbackRolloutResponse>(invocation, request);
  });
}

// All of what a rollout's history has of one kind. No rollout is an error, no history is not.
template <typename Response, typename Request, typename People>
int list_of_rollout(const Invocation& invocation, const std::string& name, Request request,
                    People people) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  Result<v1::GetRolloutResponse> rollout =
      (*client)->call<v1::GetRolloutResponse>(named<v1::GetRolloutRequest>(name));
  if (!rollout) return invocation.fail(rollout.error());
  request.set_parent(rollout->rollout().name());
  Result<Response> response = call_all_pages<Response>(**client, request);
  if (!response) return invocation.fail(response.error());
  return invocation.print(*response, people);
}

void add_rollout_history(CLI::App& rollout, Invocation& invocation,
                         const std::shared_ptr<RolloutOptions>& options) {
  CLI::App* skip = add_named(rollout, *options, "skip", "Do not wait for a device any more");
  skip->add_option("device", options->device, "Device id")->required();
  skip->add_option("--reason", options->reason, "For the record");
  skip->footer(
      "A rollback goes on without the device, too; its goal stands.\n"
      "Example:\n  covey rollout skip bearing-vibration-1.4.0 press-07");
  on(skip, invocation, [&invocation, options] {
    auto request = named<v1::SkipDeviceRequest>(options->name);
    request.set_device(id_of(options->device));
    request.set_reason(options->reason);
    return call_and_show<v1::SkipDeviceResponse>(invocation, request);
  });
  on(add_named(rollout, *options, "deployments", "One line per device and attempt"), invocation,
     [&invocation, options] {
       return list_of_rollout<v1::ListDeploymentsResponse>(
           invocation, options->name, v1::ListDeploymentsRequest(),
           [&](const auto& r) { return deployments_table(invocation, r); });
     });
  on(add_named(rollout, *options, "events", "Its history, oldest first"), invocation,
     [&invocation, options] {
       return list_of_rollout<v1::ListRolloutEventsResponse>(
           invocation, options->name, v1::ListRolloutEventsRequest(),
           [&](const auto& r) { return events_table(invocation, r); });
     });
}

}  // namespace

void add_rollout_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* rollout = app.add_subcommand("rollout", "Bring a release to devices, in stages");
  rollout->require_subcommand(1);
  const auto options = std::make_shared<RolloutOptions>();
  add_plan_commands(*rollout, invocation, options);
  add_rollout_list(*rollout, invocation, options);
  add_rollout_get_and_explain(*rollout, invocation, options);
  add_rollout_watch(*rollout, invocation, options);
  add_rollout_pause_and_resume(*rollout, invocation, options);
  add_rollout_abort_and_rollback(*rollout, invocation, options);
  add_rollout_history(*rollout, invocation, options);
}

}  // namespace covey::cli
