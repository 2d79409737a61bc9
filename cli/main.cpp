// SPDX-License-Identifier: Apache-2.0
// covey: the command line for operators and CI. Exit codes: commands.hpp.
#include <fmt/format.h>

#include <optional>

#include "cli/commands.hpp"
#include "core/nearest.hpp"

namespace covey::cli {
namespace {

// What -o says, also where the rest of the line cannot be understood: errors of usage are in the
// same form.
Format format_said(int argc, char** argv, Format otherwise) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    std::string_view value;
    if ((word == "-o" || word == "--format") && i + 1 < argc) {
      value = argv[i + 1];
    } else if (word.starts_with("--format=")) {
      value = word.substr(9);
    } else if (word.starts_with("-o") && word.size() > 2) {
      value = word.substr(word[2] == '=' ? 3 : 2);
    }
    if (value == "json") return Format::kJson;
    if (value == "yaml") return Format::kYaml;
  }
  return otherwise;
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
  app.add_option("--ca", invocation.shown.ca,
                 "What vouches for the site (PEM), or `system`: then TLS is spoken");
  app.add_option("--token-file", invocation.shown.token, "File with a token for the site");
  app.add_option("--client-certificate", invocation.shown.certificate, "Your certificate (PEM)");
  app.add_option("--client-key", invocation.shown.key, "Its private key (PEM)");
  app.add_option("--context", invocation.context, "A context of `covey context list`");
  app.add_option("--timeout", invocation.timeout, "Longest wait for an answer")
      ->check(a_duration())
      ->capture_default_str();
  app.add_option_function<std::string>(
         "-o,--format",
         [&invocation](const std::string& word) {
           const std::optional<Format> format = parse_format(word);
           if (!format) {
             throw CLI::ValidationError("--format", fmt::format("'{}' is not one of {}{}", word,
                                                                fmt::join(kFormatWords, ", "),
                                                                did_you_mean(word, kFormatWords)));
           }
           invocation.format = *format;
         },
         "table, wide, json or yaml")
      ->option_text("FORMAT");
  app.footer(
      "The site is found by --address, --data, COVEY_ADDRESS, COVEY_DATA, the context in use,\n"
      "or a covey.sock in the current folder, in this order. COVEY_CA_FILE, COVEY_TOKEN_FILE,\n"
      "COVEY_CLIENT_CERTIFICATE and COVEY_CLIENT_KEY are as the options.\n\n"
      "Exit codes: 0 done, 1 other error, 2 usage, 3 failed or rolled back, 4 timed out,\n"
      "5 paused or inconclusive. With -o json errors are a line of JSON on standard error.\n\n"
      "Examples:\n"
      "  covey --data /var/lib/covey status\n"
      "  covey device accept --all\n"
      "  covey model push bearing-vibration@1.1.0 --artifact m4f-256k=model.tflite \\\n"
      "      --stats stats.json --key author.pem\n"
      "  covey rollout create -f plan.yaml --watch");
  add_status_command(app, invocation);
  add_device_commands(app, invocation);
  add_claim_commands(app, invocation);
  add_ca_commands(app, invocation);
  add_model_commands(app, invocation);
  add_rollout_commands(app, invocation);
  add_monitor_commands(app, invocation);
  add_alert_commands(app, invocation);
  add_key_commands(app, invocation);
  add_admin_commands(app, invocation);
  add_site_commands(app, invocation);
  add_token_commands(app, invocation);
  add_login_command(app, invocation);
  add_context_commands(app, invocation);
  add_completion_command(app, invocation);
  add_help_commands(app, invocation);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    invocation.format = format_said(argc, argv, invocation.format);
    return refuse(app, error, invocation);
  }
  return invocation.streams->status() ? invocation.exit_code : static_cast<int>(kOtherError);
}

}  // namespace
}  // namespace covey::cli

int main(int argc, char** argv) { return covey::cli::run(argc, argv); }
