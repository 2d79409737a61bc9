// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>

#include "cli/artifact_files.hpp"
#include "cli/commands.hpp"
#include "cli/plan_file.hpp"
#include "cli/rollout_view.hpp"
#include "core/duration.hpp"
#include "core/yaml/yaml.hpp"
#include "covey/v1/rollouts.pb.h"
#include "gateway/codec/plan_codec.hpp"

namespace covey::cli {
namespace {

struct RolloutOptions {
  std::string name;
  std::string file;
  std::string release;
  std::string reason;
  std::string request_id;
  std::string wait = "24h";
  std::string device;
  bool watch = false;
  bool now = false;
  bool through_pauses = false;
};

// Redraws in place on a terminal, adds a line per change elsewhere.
class Progress {
 public:
  explicit Progress(const Invocation& invocation) : invocation_(invocation) {}

  // Of the connection: a watch waits as long as --wait lets it.
  void connection(bool up) {
    fmt::print(stderr, "{}\n",
               up ? "covey: coveyd is back"
                  : "covey: coveyd does not answer; waiting for it until --wait is over");
    lines_ = 0;  // what is on the terminal above these words stays
  }

  void show(const v1::Rollout& rollout) {
    if (!invocation_.for_people()) return;
    if (!invocation_.style.terminal) {
      const std::string summary = rollout_summary(rollout);
      if (summary != last_) fmt::print("{}\n", summary);
      last_ = summary;
    } else {
      const std::string view = rollout_progress(rollout, invocation_.style);
      if (lines_ > 0) fmt::print("\x1b[{}A\x1b[J", lines_);
      fmt::print("{}", view);
      lines_ = std::count(view.begin(), view.end(), '\n');
    }
    std::fflush(stdout);
  }

 private:
  const Invocation& invocation_;
  std::string last_;
  long lines_ = 0;
};

int watch(const Invocation& invocation, const RolloutOptions& options, Client& client,
          const std::string& name) {
  Result<Millis> wait = parse_duration(options.wait);
  if (!wait) return invocation.fail(invalid("BAD_WAIT", "--wait: " + wait.error().message));
  Progress progress(invocation);
  v1::GetRolloutResponse last;
  const Status status = client.watch_rollout(
      name, *wait,
      [&](const v1::Rollout& rollout) {
        *last.mutable_rollout() = rollout;
        progress.show(rollout);
        const bool paused = rollout.state() == v1::ROLLOUT_STATE_PAUSED;
        return !rollout_exit_code(rollout) || (paused && options.through_pauses);
      },
      [&](bool up) { progress.connection(up); });
  if (!status) {
    if (status.error().code != Code::kDeadlineExceeded) return invocation.fail(status.error());
    return invocation.fail({Code::kDeadlineExceeded, "TIMED_OUT",
                            "the rollout goes on, but --wait is over: `covey rollout watch " +
                                last.rollout().name().substr(last.rollout().name().find('/') + 1) +
                                "` looks again"});
  }
  if (!invocation.for_people()) invocation.print(last, [] { return std::string(); });
  const int code = rollout_exit_code(last.rollout()).value_or(kOtherError);
  if (code != kDone && invocation.for_people()) {
    fmt::print("Why: covey rollout explain {}\n",
               last.rollout().name().substr(last.rollout().name().find('/') + 1));
  }
  return code;
}

struct NamedSpec {
  std::string name;
  v1::RolloutSpec spec;
};
Result<NamedSpec> read_plan(const RolloutOptions& options) {
  Result<Bytes> bytes = read_file(options.file == "-" ? "/dev/stdin" : options.file, kYamlBytesMax);
  if (!bytes) return bytes.error();
  PlanFile file = read_plan_file(std::string(bytes->begin(), bytes->end()),
                                 {.name = options.name, .release = options.release});
  if (!file.problems.empty()) return to_error(file.problems, options.file);
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
  if (options.watch) return watch(invocation, options, **client, created->rollout().name());
  invocation.print(*created, [&] {
    return rollout_page(created->rollout(), invocation.style) +
           fmt::format("\nWatch it: covey rollout watch {}\n", plan->name);
  });
  return kDone;
}

std::string plan_page(const Invocation& invocation, const v1::PlanRolloutResponse& r) {
  std::string out = fmt::format(
      "{} devices match; {} cannot take it or have it; {} are offline; {} are held "
      "back\n",
      r.matched(), r.excluded_size(), r.offline_size(), r.holdback_size());
  if (!r.offline().empty()) {
    out += "  offline  " + joined(r.offline(), invocation.wide() ? 100'000 : 8) +
           ": they get it when they are back in time\n";
  }
  for (const v1::PlannedStage& stage : r.stages()) {
    out += fmt::format("\nstage {}: {} devices ({} new)\n", stage.name(), stage.devices_total(),
                       stage.devices_size());
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
  return out;
}

template <typename Request>
Request named(const std::string& name) {
  Request request;
  request.set_name("rollouts/" + name);
  return request;
}

int explain(const Invocation& invocation, const RolloutOptions& options) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  Result<v1::GetRolloutResponse> rollout =
      (*client)->call<v1::GetRolloutResponse>(named<v1::GetRolloutRequest>(options.name));
  if (!rollout) return invocation.fail(rollout.error());
  v1::ListDeploymentsRequest request;
  request.set_parent("rollouts/" + options.name);
  Result<v1::ListDeploymentsResponse> deployments =
      call_all_pages<v1::ListDeploymentsResponse>(**client, request);
  if (!deployments) return invocation.fail(deployments.error());
  invocation.print(*rollout, [&] {
    return rollout_explanation(rollout->rollout(), *deployments, invocation.style);
  });
  return kDone;
}

std::string rollouts_table(const Invocation& invocation, const v1::ListRolloutsResponse& r) {
  Table table({"ROLLOUT", "RELEASE", "STATE", "REASON", "CONFIRMED", "DEVICES", "CREATED"});
  for (const v1::Rollout& rollout : r.rollouts()) {
    const auto confirmed = rollout.deployments().find("CONFIRMED");
    const uint32_t devices =
        rollout.stages().empty() ? 0 : rollout.stages(rollout.stages_size() - 1).devices();
    table.add({rollout.name().substr(rollout.name().find('/') + 1), rollout.spec().release(),
               word(v1::RolloutState_Name(rollout.state())), rollout.reason(),
               std::to_string(confirmed == rollout.deployments().end() ? 0 : confirmed->second),
               std::to_string(devices), age(rollout.create_time_ms())});
  }
  if (table.empty()) return "No rollouts: `covey rollout create -f plan.yaml` starts one.\n";
  return table.render(invocation.style);
}

std::string deployments_table(const Invocation& invocation, const v1::ListDeploymentsResponse& r) {
  Table table({"DEVICE", "STAGE", "CAUSE", "RELEASE", "FROM", "STATE", "ATTEMPT", "CHUNKS",
               "UPDATED", "REASON"});
  for (const v1::Deployment& d : r.deployments()) {
    table.add({d.device(), d.stage(), d.cause(), d.release(), d.previous_release(),
               word(v1::DeploymentState_Name(d.state())) + (d.late_confirmed() ? " (late)" : ""),
               std::to_string(d.attempt()), fmt::format("{}/{}", d.chunks_have(), d.chunks_total()),
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
  make->add_option("--wait", options->wait, "With --watch: no longer than this")
      ->check(a_duration())
      ->capture_default_str();
  make->add_flag("--through-pauses", options->through_pauses, "With --watch: a pause is no end");
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

void add_rollout_list(CLI::App& rollout, Invocation& invocation) {
  CLI::App* list = rollout.add_subcommand("list", "List rollouts");
  on(list, invocation, [&invocation] {
    return list_and_print<v1::ListRolloutsResponse>(
        invocation, v1::ListRolloutsRequest(),
        [&](const auto& r) { return rollouts_table(invocation, r); });
  });
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
  look->add_option("--wait", options->wait, "No longer than this")
      ->check(a_duration())
      ->capture_default_str();
  look->add_flag("--through-pauses", options->through_pauses, "A pause is no end");
  on(look, invocation, [&invocation, options] {
    Result<std::unique_ptr<Client>> client = invocation.connect();
    if (!client) return invocation.fail(client.error());
    return watch(invocation, *options, **client, "rollouts/" + options->name);
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
  abort->add_flag("--now", options->now, "Cancel what is in progress too");
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

void add_rollout_history(CLI::App& rollout, Invocation& invocation,
                         const std::shared_ptr<RolloutOptions>& options) {
  on(add_named(rollout, *options, "deployments", "One line per device and attempt"), invocation,
     [&invocation, options] {
       v1::ListDeploymentsRequest request;
       request.set_parent("rollouts/" + options->name);
       return list_and_print<v1::ListDeploymentsResponse>(
           invocation, request, [&](const auto& r) { return deployments_table(invocation, r); });
     });
  on(add_named(rollout, *options, "events", "Its history, oldest first"), invocation,
     [&invocation, options] {
       v1::ListRolloutEventsRequest request;
       request.set_parent("rollouts/" + options->name);
       return list_and_print<v1::ListRolloutEventsResponse>(
           invocation, request, [&](const auto& r) { return events_table(invocation, r); });
     });
}

}  // namespace

void add_rollout_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* rollout = app.add_subcommand("rollout", "Bring a release to devices, in stages");
  rollout->require_subcommand(1);
  const auto options = std::make_shared<RolloutOptions>();
  add_plan_commands(*rollout, invocation, options);
  add_rollout_list(*rollout, invocation);
  add_rollout_get_and_explain(*rollout, invocation, options);
  add_rollout_watch(*rollout, invocation, options);
  add_rollout_pause_and_resume(*rollout, invocation, options);
  add_rollout_abort_and_rollback(*rollout, invocation, options);
  add_rollout_history(*rollout, invocation, options);
}

}  // namespace covey::cli
