// SPDX-License-Identifier: Apache-2.0
// The command tree of `covey`. Each add_... adds one subcommand with its own help and examples;
// what a command does runs while CLI11 parses, and leaves its exit code in the Invocation.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/connect/address.hpp"
#include "cli/connect/client.hpp"
#include "cli/exit_code.hpp"
#include "cli/show/output.hpp"
#include "cli/show/streams.hpp"
#include "core/result.hpp"

namespace covey::cli {

// What all commands share: the global options, and where results go.
struct Invocation {
  std::string address;
  std::string data_dir;
  std::string context;
  Shown shown;
  std::string timeout = "30s";
  Format format = Format::kTable;
  Style style;
  int exit_code = kDone;

  std::shared_ptr<Streams> streams = std::make_shared<Streams>();

  bool for_people() const { return format == Format::kTable || format == Format::kWide; }
  bool wide() const { return format == Format::kWide; }
  Result<Millis> timeout_ms() const;
  Result<std::unique_ptr<Client>> connect() const;

  // Results, to standard output. What could not be written is said, and is the exit code.
  // For people: as it is, but for what would harm a terminal.
  int put(std::string_view text) const;
  // With cursor movement of ours; what others wrote is escaped in it.
  int draw(std::string_view text) const;
  // The whole message for programs; `people()` for everybody else.
  template <typename Message, typename People>
  int print(const Message& message, People people) const {
    if (!for_people()) return print_message(message);
    Message harmless = message;
    escape_strings(harmless);
    return put(people(harmless));
  }
  // The same for answers that are no message of the API.
  int print_json(const nlohmann::ordered_json& json,
                 const std::function<std::string()>& people) const;
  // One of many: a line of JSON, a document of YAML.
  int print_change(const google::protobuf::Message& message) const;

  // Prints to standard error what went wrong; the exit code that says so. With -o json a line
  // {"error": {"code", "reason", "message", "exit_code"}}, with -o yaml the same as YAML.
  int fail(const Error& error) const;
  int fail(const Error& error, int code) const;
  // What is neither result nor error: to standard error, in the same forms.
  void note(const std::string& text) const;

 private:
  int print_message(const google::protobuf::Message& message) const;
  int written(const Status& status) const;
  void note_json(const nlohmann::ordered_json& json) const;
};

// For options like --timeout: wrong usage (exit code 2) before anything is asked of the site.
CLI::Validator a_duration();

// `run` gives the exit code; options it needs are captured.
template <typename Run>
void on(CLI::App* command, Invocation& invocation, Run run) {
  command->callback([&invocation, run] { invocation.exit_code = run(); });
}
// One call and its answer on paper: what most commands are.
template <typename Response, typename Request, typename People>
int call_and_print(const Invocation& invocation, const Request& request, People people) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  Result<Response> response = (*client)->template call<Response>(request);
  if (!response) return invocation.fail(response.error());
  return invocation.print(*response, people);
}
// All pages of a list as one answer.
template <typename Response, typename Request>
Result<Response> call_all_pages(Client& client, Request request) {
  request.set_page_size(1000);
  Response all;
  for (;;) {
    Result<Response> page = client.template call<Response>(request);
    if (!page) return page.error();
    const std::string next = page->next_page_token();
    page->clear_next_page_token();
    all.MergeFrom(*page);
    if (next.empty()) return all;
    request.set_page_token(next);
  }
}
template <typename Response, typename Request, typename People>
int list_and_print(const Invocation& invocation, const Request& request, People people) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  Result<Response> response = call_all_pages<Response>(**client, request);
  if (!response) return invocation.fail(response.error());
  return invocation.print(*response, people);
}

// `name`, or the site's only model where it is empty. Errors: WHICH_MODEL.
Result<std::string> model_or_only(Client& client, const std::string& name);
// "rollouts/first" of "first" and of itself: what JSON shows is taken everywhere.
std::string resource(std::string_view collection, const std::string& name);
// "bearing@1.0.0" of itself and of "models/bearing/releases/1.0.0".
std::string release_name(const std::string& name);

void add_status_command(CLI::App& app, Invocation& invocation);
void add_device_commands(CLI::App& app, Invocation& invocation);
void add_registration_commands(CLI::App& device, Invocation& invocation);  // of devices
void add_claim_commands(CLI::App& app, Invocation& invocation);
void add_ca_commands(CLI::App& app, Invocation& invocation);
void add_model_commands(CLI::App& app, Invocation& invocation);
void add_model_file_commands(CLI::App& model, Invocation& invocation);  // inspect, run
void add_rollout_commands(CLI::App& app, Invocation& invocation);
void add_monitor_commands(CLI::App& app, Invocation& invocation);
void add_label_commands(CLI::App& monitor, Invocation& invocation);
void add_alert_commands(CLI::App& app, Invocation& invocation);
void add_key_commands(CLI::App& app, Invocation& invocation);
void add_key_root_commands(CLI::App& key, Invocation& invocation);
void add_key_sign_commands(CLI::App& key, Invocation& invocation);  // sign, export, attach
void add_admin_commands(CLI::App& app, Invocation& invocation);
void add_site_commands(CLI::App& app, Invocation& invocation);
void add_login_command(CLI::App& app, Invocation& invocation);
void add_token_commands(CLI::App& app, Invocation& invocation);
void add_context_commands(CLI::App& app, Invocation& invocation);
void add_completion_command(CLI::App& app, Invocation& invocation);
void add_help_commands(CLI::App& app, Invocation& invocation);

// After the command line was refused: what is wrong, where, and what may have been meant. Also
// --help and --version. The exit code.
int refuse(const CLI::App& app, const CLI::ParseError& error, const Invocation& invocation);

}  // namespace covey::cli
