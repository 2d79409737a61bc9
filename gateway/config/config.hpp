// SPDX-License-Identifier: Apache-2.0
// Configuration of coveyd: one YAML document, environment overrides and `--data DIR`; every key has
// a default, so that `coveyd --data DIR` alone works. Default < file < environment < command line.
//
// The schema is one table (gateway/config/schema.hpp). Unknown keys, bad values and contradictions
// are all reported at once, each with its line and path. A key's variable is COVEY_ and its path in
// capitals with _ for the dots: COVEY_MQTT_EMBEDDED_PORT=0.
//
// Thread safety: plain values. Errors: by value.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/duration.hpp"
#include "core/limits.hpp"
#include "core/ratio.hpp"
#include "core/result.hpp"
#include "core/time.hpp"

namespace covey::config {

// An IP address (never a host name) and a TCP port; port 0: a free one is chosen at start and
// written to DATA/endpoints.json.
struct ListenAddress {
  std::string host = "127.0.0.1";
  uint16_t port = 0;

  bool operator==(const ListenAddress&) const = default;
};
// "127.0.0.1:7070", "[::1]:7070". Errors: BAD_LISTEN_ADDRESS.
Result<ListenAddress> parse_listen_address(std::string_view text);
std::string to_string(const ListenAddress& address);
bool is_address(std::string_view host);  // an IP address, or localhost
bool is_loopback(std::string_view host);
// `localhost` as the number that it stands for here, whatever /etc/hosts says; else the text.
std::string ip_literal(std::string_view host);

enum class MqttMode : uint8_t { kEmbedded, kExternal };
enum class LogLevel : uint8_t { kTrace, kDebug, kInfo, kWarn, kError };
enum class LogFormat : uint8_t { kText, kJson };
// Where listeners speak without TLS.
enum class Plaintext : uint8_t { kNever, kLoopback, kAnywhere };

struct Config {
  std::string data_dir = ".";  // --data or COVEY_DATA; not a key of the file

  struct {
    std::string name = "site";
    std::vector<std::string> names;  // of the gateway in its certificate, sorted; empty: the host's
    std::string key_file;            // empty: DATA/site.key
    std::string key;                 // wins; 64 hex digits
    std::string previous_key_file;
  } site;

  struct {
    Plaintext plaintext = Plaintext::kLoopback;
    std::string certificate_file;  // empty: the site's own authority issues one
    std::string key_file;
    std::string ca_file;
    std::string client_ca_file;  // empty: callers have no certificates
  } tls;

  struct {
    std::string loopback_role = "viewer";  // a word of access::Role
    std::string file;                      // rules of certificates and JWTs; empty: none
  } access;

  struct {
    ListenAddress listen{"127.0.0.1", 7070};
    std::string unix_socket;  // absolute after loading; empty: none ("off")
    uint32_t max_connections = 1000;
    uint32_t max_connections_per_address = 500;
  } grpc;

  struct {
    ListenAddress listen{"127.0.0.1", 7071};
    uint32_t max_connections = 64;
  } http;

  struct {
    MqttMode mode = MqttMode::kEmbedded;
    struct {
      std::string host = "127.0.0.1";
      uint16_t port = 1883;
      std::string username;
      std::string password;       // read from password_file, or COVEY_MQTT_EXTERNAL_PASSWORD
      std::string password_file;  // its first line
      std::string ca_file;        // TLS, with a broker that it vouches for; empty: plaintext
      std::string certificate_file;
      std::string key_file;
    } external;
    struct {
      std::string listen = "127.0.0.1";
      uint16_t port = 18830;              // devices
      uint16_t enroll_port = 18831;       // devices without credentials
      uint16_t certificate_port = 18832;  // devices with a certificate, where TLS is spoken
      std::string binary = "mosquitto";
      uint32_t max_connections = 20'000;
      uint32_t max_packet_bytes = 65'536;
      uint32_t max_queued_messages = 20'000;  // per client
      uint64_t max_queued_bytes = 64ULL << 20;
      uint64_t memory_limit_bytes = 1ULL << 30;
    } embedded;
  } mqtt;

  struct {
    Millis window{15min};           // aggregation window
    Millis report_interval{15min};  // expected from devices; silence and grace derive from it
    Millis commit_interval{50};     // group commit of reports
    Millis ack_interval{1'200};     // an acknowledgement waits at most this long for company
    Millis retention{24h * 30};     // raw windows per device
    // Not a key: somebody set report_interval, so devices are told.
    bool sets_report_interval = false;
    Ratio sample_scale = Ratio::percent(100);  // of the sampling probabilities of releases
  } telemetry;

  struct {
    uint32_t offer_rate = 100;                     // new goals that start work, per second
    uint64_t bandwidth_bytes_per_s = 10ULL << 20;  // chunks, whole site
    Millis goal_lease{10min};
    Millis probation_deadline{30min};  // from PROBATION to proof
    std::string approver = "anyone";   // or another than the creator
    Millis rollback_window{24h};       // after the end
    Millis retention{24h * 1095};      // of what is over
  } rollout;

  struct {
    Millis silence_after{45min};  // no message for this long: offline
  } offline;

  struct {
    bool auto_accept = false;
    std::string token_file;         // empty: DATA/enroll.token, which is made
    uint32_t pending_max = 10'000;  // devices that nobody has accepted; the oldest give way
    Millis expire_after{24h * 30};  // since such a device was heard last
  } enroll;

  struct {
    Millis certificate_life{24h * 365};
  } devices;

  struct {
    LogLevel level = LogLevel::kInfo;
    LogFormat format = LogFormat::kText;
  } log;

  struct {
    uint32_t control_queue = 1024;
    uint32_t lifecycle_queue = 16'384;
    uint32_t telemetry_queue = 65'536;
    uint32_t device_reports = kReportsPerMinute;
    uint32_t device_report_bytes = kReportBytesPerMinute;
  } limits;

  struct {
    struct {
      bool enabled = true;
      Ratio warn_delta{20'000};   // PSI tolerance 0.02
      Ratio page_delta{100'000};  // 0.10
      Ratio alpha{10'000};        // 1 %
      uint32_t fire = 2;          // windows of the last `of` that reject
      uint32_t of = 3;
      uint32_t clear = 3;  // quiet windows in a row
    } drift;
  } monitoring;
};

// Whether a listener on `host` speaks TLS. The one place that says so.
bool speaks_tls(const Config& config, std::string_view host);

// Where a value came from: "default", "covey.yaml:12", "COVEY_MQTT_EMBEDDED_PORT", "--data".
using Origins = std::map<std::string, std::string, std::less<>>;  // by dotted path

struct ConfigOutcome {
  Config config;              // complete and valid only when errors is empty
  std::vector<Error> errors;  // all of them; message starts with "FILE:LINE: path: "
  Origins origins;

  bool ok() const { return errors.empty(); }
};

struct ConfigInput {
  std::string yaml;                                // text of the file; empty: none
  std::string file_name = "covey.yaml";            // for messages
  std::map<std::string, std::string> environment;  // every COVEY_... variable
  std::string data_dir;                            // of --data; wins over COVEY_DATA
};

// Pure: no file, no environment is read. mqtt.external.password stays empty (see load_config).
ConfigOutcome parse_config(const ConfigInput& input);

// Reads `path` (empty: DATA/covey.yaml when it exists), the COVEY_ variables of `environ` and the
// password file. Errors as above, and CONFIG_UNREADABLE.
ConfigOutcome load_config(const std::string& path, const std::string& data_dir);

// Effective configuration as YAML that parse_config reads back; secrets are "<redacted>", the
// origin of each value is a comment.
std::string print_config(const ConfigOutcome& outcome);

// The reference in Markdown, generated from the schema.
std::string config_reference();

}  // namespace covey::config
