// SPDX-License-Identifier: Apache-2.0
// The command line of covey-sim. Thread safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "device_agent/simulator/fleet.hpp"

namespace covey::simulator {

enum class Sabotage { kNone, kReports, kJournal };

// How devices get in: with the token or claim alone, and with a key of their own that the grant is
// sealed for, and with a certificate for that key.
enum class Enrol { kPassword, kKey, kCertificate };

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

// Faults per device: a probability per message, or how often per device and hour of real time.
struct FaultOptions {
  double loss = 0;
  double disconnects_per_hour = 0;
  double reboots_per_hour = 0;
  double power_cuts_per_hour = 0;
};

struct Options {
  HostPort broker;
  HostPort enroll_broker;
  HostPort certificate_broker;
  Enrol enrol = Enrol::kPassword;
  std::string claim;  // empty: they ask by the site's token
  std::string claim_password_file;
  std::string claim_secret_file;  // of a claim that gives each device a proof; empty: it does not
  std::string manufacturer_file;  // PEM: key and certificate of who made them; empty: nobody
  std::string enroll_token_file;
  std::string tls_ca_file;  // empty: plaintext
  std::string tls_name;     // of both brokers' certificates; empty: the host of `broker`
  std::string state_dir;    // empty with --memory
  FleetOptions fleet;
  double speed_up = 1;
  Millis inference_interval{10'000};
  Millis report_interval{300'000};
  Millis probation{600'000};
  uint32_t probation_inferences = 20;
  Millis connect_jitter{0};  // 0: by the size of the fleet
  FaultOptions faults;
  std::string scenario_file;
  std::vector<std::string> trusted_keys;
  std::string root_file;
  std::string model = "bearing-vibration";
  std::string truth_file;
  std::string control_path;
  Sabotage sabotage = Sabotage::kNone;
  bool quiet = false;
};

// What the command line says, or the exit code when there is nothing to run (--help: 0; usage: 2);
// messages are already printed.
struct ParsedOptions {
  std::optional<Options> options;
  int exit_code = 0;
};
ParsedOptions parse_options(int argc, char** argv);

// "host:port", "[::1]:1883". Errors: BAD_ADDRESS.
Result<HostPort> parse_host_port(std::string_view text);
// "password", "key" or "certificate". Errors: BAD_ENROL.
Result<Enrol> parse_enrol(std::string_view text);
// "none", "reports" or "journal". Errors: BAD_SABOTAGE.
Result<Sabotage> parse_sabotage(std::string_view text);

}  // namespace covey::simulator
