// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "core/duration.hpp"

namespace covey::simulator {
namespace {

constexpr int kExitUsage = 2;

constexpr const char* kFooter = R"(Scenario file:
  steps:
    - at: 30s                               # after the start of covey-sim
      devices: {hall: hall-2, share: 50%}   # id, class, hall, machine_type, small, offline, share
      action: gain 0.5                      # stuck [on|off], noise LSB, machine_type NAME, offline,
                                            # online, reboot, power_cut, pause_inference,
                                            # resume_inference
Control (one JSON object per line on the Unix socket, one line back with "ok"):
  {"command": "status"}
  {"command": "step", "devices": {...}, "action": "..."}   apply a scenario step now
  {"command": "quiesce", "deadline": "30s"}   stop inference, wait until all is acknowledged
  {"command": "resume"}                       inference again, after quiesce
  {"command": "truth"}                        counts per device, boot and manifest; accuracy
  {"command": "labels", "fraction": "20%", "since": 0, "delay": "5s", "limit": 2000}
  {"command": "fleet"}                        who is in it, as in DIR/fleet.json
  {"command": "slots"}                        what each device runs and has confirmed
  {"command": "break", "what": "reports"}     as --break: reports, journal or none
  {"command": "shutdown"}

Exit codes: 0 ended as told, 1 a failure while running, 2 usage.)";

bool parse_port(std::string_view text, uint16_t* port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *port);
  return error == std::errc{} && end == text.data() + text.size() && *port != 0;
}

// CLI11 calls it with the text of the option; what it throws becomes a usage error.
template <typename T>
T required(const Result<T>& result) {
  if (!result) throw CLI::ValidationError(result.error().message);
  return *result;
}

void add_duration(CLI::App& app, const std::string& name, Millis& target, const std::string& text) {
  app.add_option_function<std::string>(
         name, [&target](const std::string& value) { target = required(parse_duration(value)); },
         text)
      ->type_name("DURATION")
      ->take_last()
      ->default_str(to_string(target));
}

// The options, and what they are made of at the end.
struct Draft {
  Options options;
  bool memory = false;
  uint32_t count = 0;
  std::string classes;
};

void add_site_options(CLI::App& app, Draft& draft) {
  Options& options = draft.options;
  app.add_option_function<std::string>(
         "--broker", [&](const std::string& v) { options.broker = required(parse_host_port(v)); },
         "Broker that devices speak with")
      ->type_name("HOST:PORT")
      ->required();
  app.add_option_function<std::string>(
         "--enroll-broker",
         [&](const std::string& v) { options.enroll_broker = required(parse_host_port(v)); },
         "Where unknown devices enrol; without it the same as --broker")
      ->type_name("HOST:PORT");
  app.add_option("--enroll-token-file", options.enroll_token_file,
                 "Password of user 'enroll' on that listener")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  app.add_option_function<std::string>(
         "--enrol", [&](const std::string& v) { options.enrol = required(parse_enrol(v)); },
         "How devices get in: password (as token or claim let them), key (each has one of its own, "
         "and its secrets are sealed for it), certificate (for that key)")
      ->type_name("password|key|certificate");
  auto* password = app.add_option("--claim-password-file", options.claim_password_file,
                                  "What `covey claim create` showed as password")
                       ->type_name("FILE")
                       ->check(CLI::ExistingFile);
  auto* claim = app.add_option("--claim", options.claim, "Devices ask by this claim")
                    ->type_name("NAME")
                    ->needs(password);
  password->needs(claim);
  app.add_option("--claim-secret-file", options.claim_secret_file,
                 "Its batch secret (64 hex digits): each device proves its id")
      ->type_name("FILE")
      ->needs(claim)
      ->check(CLI::ExistingFile);
  app.add_option("--manufacturer", options.manufacturer_file,
                 "Key and certificate (PEM) of an authority that says who each device is, with "
                 "--enrol key or certificate")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  app.add_option_function<std::string>(
         "--certificate-broker",
         [&](const std::string& v) { options.certificate_broker = required(parse_host_port(v)); },
         "Where devices with a certificate connect, with --enrol certificate")
      ->type_name("HOST:PORT");
  auto* trust = app.add_option("--tls-ca", options.tls_ca_file,
                               "Speak TLS, with a broker that this authority vouches for: what "
                               "`covey site ca` prints")
                    ->type_name("FILE")
                    ->check(CLI::ExistingFile);
  app.add_option("--tls-name", options.tls_name,
                 "Name or address that its certificate must have; without: the host of --broker")
      ->type_name("NAME")
      ->needs(trust);
  auto* state = app.add_option("--state", options.state_dir,
                               "Identity, credentials, slots and journals; a restart continues")
                    ->type_name("DIR");
  auto* memory_flag =
      app.add_flag("--memory", draft.memory, "Keep no state: a new fleet each time");
  state->excludes(memory_flag);
}

void add_fleet_options(CLI::App& app, Draft& draft) {
  Options& options = draft.options;
  app.add_option("--count", draft.count, "Devices, all of class m4f-256k unless --classes says")
      ->check(CLI::Range(1u, kFleetMax));
  app.add_option("--classes", draft.classes,
                 "name:count[:slot_KiB:arena_KiB],...; built in: m4f-256k m4f-512k m0-64k m7-1m")
      ->type_name("LIST");
  app.add_option("--small", options.fleet.small, "So many devices have a slot of only 12 KiB");
  app.add_option("--offline", options.fleet.offline,
                 "So many devices enrol and then stay offline until told");
  app.add_option("--seed", options.fleet.seed, "Of everything random except keys")
      ->capture_default_str();
  app.add_option("--id-prefix", options.fleet.id_prefix, "Device ids are PREFIX0001, ...")
      ->capture_default_str();
  app.add_option("--model", options.model, "Model that the devices say they run")
      ->capture_default_str();
  app.add_option("--trusted-key", options.trusted_keys,
                 "Author public key (PEM, P-256 or Ed25519) in the devices' firmware; repeatable")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  app.add_option("--root", options.root_file,
                 "Root document in the devices' firmware (covey key root); instead of keys")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
}

void add_pace_options(CLI::App& app, Draft& draft) {
  Options& options = draft.options;
  app.add_option("--speed-up", options.speed_up,
                 "Divides the intervals below and back-offs; uptime and latency stay real")
      ->check(CLI::Range(0.01, 1000.0))
      ->capture_default_str();
  add_duration(app, "--inference-interval", options.inference_interval, "Between two inferences");
  add_duration(app, "--report-interval", options.report_interval, "Length of a telemetry window");
  add_duration(app, "--probation", options.probation,
               "Uptime that ends probation, if it has not ended before");
  app.add_option("--probation-inferences", options.probation_inferences,
                 "Good inferences that end probation")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  add_duration(app, "--connect-jitter", options.connect_jitter,
               "Spread of first connects; 0s: 5 ms per device");
}

void add_fault_options(CLI::App& app, Draft& draft) {
  Options& options = draft.options;
  app.add_option("--loss", options.faults.loss, "Share of messages lost, 0 to 1")
      ->check(CLI::Range(0.0, 0.9));
  app.add_option("--disconnects", options.faults.disconnects_per_hour, "Per device and hour")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--reboots", options.faults.reboots_per_hour, "Per device and hour")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--power-cuts", options.faults.power_cuts_per_hour,
                 "Per device and hour, at a random flash operation")
      ->check(CLI::NonNegativeNumber);
}

void add_play_options(CLI::App& app, Draft& draft) {
  Options& options = draft.options;
  app.add_option("--scenario", options.scenario_file, "What changes over time, see below")
      ->type_name("FILE.yaml")
      ->check(CLI::ExistingFile);
  app.add_option("--truth", options.truth_file,
                 "Every inference as CSV; default DIR/truth.csv with --state")
      ->type_name("FILE");
  app.add_option("--control", options.control_path, "Unix socket for commands, see below")
      ->type_name("PATH");
  app.add_option_function<std::string>(
         "--break",
         [&](const std::string& value) { options.sabotage = required(parse_sabotage(value)); },
         "Negative control: reports (RAM is lost with windows that were sent but not "
         "acknowledged, and the truth does not say so) or journal (journal writes never reach "
         "the flash)")
      ->type_name("none|reports|journal");
  app.add_flag("--quiet", options.quiet, "No progress on stderr");
}

// What one option says about another.
void complete(Draft& draft) {
  Options& options = draft.options;
  if (options.state_dir.empty() && !draft.memory) {
    throw CLI::ValidationError("give --state DIR, or --memory to keep nothing");
  }
  if (options.enroll_broker.port == 0) options.enroll_broker = options.broker;
  if (options.enrol == Enrol::kPassword && !options.manufacturer_file.empty()) {
    throw CLI::ValidationError("--manufacturer needs --enrol key or certificate");
  }
  if (options.enrol == Enrol::kCertificate &&
      (options.certificate_broker.port == 0 || options.tls_ca_file.empty())) {
    throw CLI::ValidationError(
        "--enrol certificate needs --certificate-broker and --tls-ca: certificates are TLS's");
  }
  if (options.certificate_broker.port == 0) options.certificate_broker = options.broker;
  if (draft.classes.empty())
    draft.classes = fmt::format("m4f-256k:{}", draft.count == 0 ? 1 : draft.count);
  options.fleet.classes = required(parse_classes(draft.classes));
  uint64_t total = 0;
  for (const ClassSpec& spec : options.fleet.classes) total += spec.count;
  if (draft.count != 0 && draft.count != total) {
    throw CLI::ValidationError(fmt::format(
        "--count {} but --classes adds up to {}: give one of them", draft.count, total));
  }
  if (options.truth_file.empty() && !options.state_dir.empty()) {
    options.truth_file = options.state_dir + "/truth.csv";
  }
}

}  // namespace

Result<HostPort> parse_host_port(std::string_view text) {
  const Error error = invalid(
      "BAD_ADDRESS",
      fmt::format("'{}' is no address: write host:port, e.g. 127.0.0.1:1883 or [::1]:1883", text));
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return error;
  HostPort out;
  std::string_view host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']' && host.size() > 2) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return error;
  }
  out.host = host;
  if (!parse_port(text.substr(colon + 1), &out.port)) return error;
  return out;
}

Result<Enrol> parse_enrol(std::string_view text) {
  if (text == "password") return Enrol::kPassword;
  if (text == "key") return Enrol::kKey;
  if (text == "certificate") return Enrol::kCertificate;
  return invalid("BAD_ENROL", fmt::format("'{}' must be password, key or certificate", text));
}

Result<Sabotage> parse_sabotage(std::string_view text) {
  if (text == "none") return Sabotage::kNone;
  if (text == "reports") return Sabotage::kReports;
  if (text == "journal") return Sabotage::kJournal;
  return invalid("BAD_SABOTAGE", fmt::format("'{}' must be none, reports or journal", text));
}

ParsedOptions parse_options(int argc, char** argv) {
  Draft draft;
  CLI::App app{
      "Simulates a fleet of devices: each runs the real device agent, its own MQTT session, "
      "its own sensor signal and real inference.",
      "covey-sim"};
  app.footer(kFooter);
  app.set_version_flag("--version", COVEY_VERSION);
  add_site_options(app, draft);
  add_fleet_options(app, draft);
  add_pace_options(app, draft);
  add_fault_options(app, draft);
  add_play_options(app, draft);
  try {
    app.parse(argc, argv);
    complete(draft);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return {std::nullopt, code == 0 ? 0 : kExitUsage};
  }
  return {std::move(draft.options), 0};
}

}  // namespace covey::simulator
