// SPDX-License-Identifier: Apache-2.0
// covey: the command line for operators and CI. Exit codes: commands.hpp.
#include <algorithm>
#include <iostream>

#include "cli/commands.hpp"

namespace covey::cli {
namespace {

// The commands as they were typed.
std::string commands_of(const CLI::App& app) {
  std::string commands = "covey";
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    commands += ' ' + at->get_name();
  }
  return commands;
}

// CLI11 counts words and misses required ones before it looks at words that it does not know, which
// say more about what was meant.
int refuse(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help
  const std::vector<std::string> unknown = app.remaining(true);
  const auto option = std::find_if(unknown.begin(), unknown.end(),
                                   [](const std::string& word) { return word.starts_with("--"); });
  const std::string commands = commands_of(app);
  if (option != unknown.end()) {
    std::cerr << commands << ": unknown option '" << *option << "'\nRun " << commands
              << " --help for the options.\n";
  } else if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !unknown.empty()) {
    std::cerr << commands << ": unknown command '" << unknown.front() << "'\nRun " << commands
              << " --help for the list of commands.\n";
  } else {
    std::cerr << commands << ": " << error.what() << "\nRun " << commands << " --help.\n";
  }
  return kUsage;
}

int run(int argc, char** argv) {
  Invocation invocation;
  invocation.style = detect_style();
  CLI::App app{"Deploys TinyML models to a fleet of microcontrollers and watches them there.",
               "covey"};
  app.fallthrough();
  app.require_subcommand(1);
  app.set_version_flag("--version", "covey " COVEY_VERSION);
  app.add_option("--data", invocation.data_dir, "Data directory of a coveyd on this machine");
  app.add_option("--address", invocation.address, "HOST:PORT or unix:/PATH of coveyd");
  app.add_option("--context", invocation.context, "A context of `covey context list`");
  app.add_option("--timeout", invocation.timeout, "Longest wait for an answer")
      ->check(a_duration())
      ->capture_default_str();
  app.add_option_function<std::string>(
         "-o,--format",
         [&invocation](const std::string& word) {
           static const std::map<std::string, Format> formats{{"table", Format::kTable},
                                                              {"wide", Format::kWide},
                                                              {"json", Format::kJson},
                                                              {"yaml", Format::kYaml}};
           const auto found = formats.find(word);
           if (found == formats.end()) {
             throw CLI::ValidationError("--format",
                                        "'" + word + "' is not one of table, wide, json, yaml");
           }
           invocation.format = found->second;
         },
         "table, wide, json or yaml")
      ->option_text("FORMAT");
  app.footer(
      "The site is found by --address, --data, COVEY_ADDRESS, COVEY_DATA, the context in use,\n"
      "or a covey.sock in the current folder, in this order.\n\n"
      "Exit codes: 0 done, 1 other error, 2 usage, 3 failed or rolled back, 4 timed out,\n"
      "5 paused or inconclusive.\n\n"
      "Examples:\n"
      "  covey --data /var/lib/covey status\n"
      "  covey device accept --all\n"
      "  covey model push bearing-vibration@1.1.0 --artifact m4f-256k=model.tflite \\\n"
      "      --stats stats.json --key author.pem\n"
      "  covey rollout create -f plan.yaml --watch");
  add_status_command(app, invocation);
  add_device_commands(app, invocation);
  add_model_commands(app, invocation);
  add_rollout_commands(app, invocation);
  add_monitor_commands(app, invocation);
  add_alert_commands(app, invocation);
  add_key_commands(app, invocation);
  add_admin_commands(app, invocation);
  add_context_commands(app, invocation);
  add_completion_command(app, invocation);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return refuse(app, error);
  }
  return invocation.exit_code;
}

}  // namespace
}  // namespace covey::cli

int main(int argc, char** argv) { return covey::cli::run(argc, argv); }
