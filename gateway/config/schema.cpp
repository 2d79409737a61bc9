// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/nearest.hpp"
#include "gateway/config/key_kinds.hpp"
#include "gateway/config/site_keys.hpp"
#include "monitoring/alerts/alert.hpp"

namespace covey::config {
namespace {

constexpr std::string_view kUnixOff = "off";
constexpr size_t kUnixPathMax = 107;  // sockaddr_un.sun_path without its zero

constexpr Names<MqttMode, 2> kMqttModes{
    {{MqttMode::kEmbedded, "embedded"}, {MqttMode::kExternal, "external"}}};
constexpr Names<Plaintext, 3> kPlaintexts{{{Plaintext::kNever, "never"},
                                           {Plaintext::kLoopback, "loopback"},
                                           {Plaintext::kAnywhere, "anywhere"}}};
constexpr Names<LogLevel, 5> kLogLevels{{{LogLevel::kTrace, "trace"},
                                         {LogLevel::kDebug, "debug"},
                                         {LogLevel::kInfo, "info"},
                                         {LogLevel::kWarn, "warn"},
                                         {LogLevel::kError, "error"}}};
constexpr Names<LogFormat, 2> kLogFormats{{{LogFormat::kText, "text"}, {LogFormat::kJson, "json"}}};

Key grpc_unix_key() {
  Key key;
  key.path = "grpc.unix";
  key.type = "path";
  key.limit = fmt::format("at most {} bytes", kUnixPathMax);
  key.help = "Unix socket of the API, for the owner of the data directory; `off`: none.";
  key.read = [](Config& config, std::string_view text) -> Status {
    if (text.empty() || text.size() > kUnixPathMax || text.find('\0') != std::string_view::npos) {
      return bad_value(text, fmt::format("a path of 1 to {} bytes, or off", kUnixPathMax));
    }
    config.grpc.unix_socket = text == kUnixOff ? std::string() : std::string(text);
    return {};
  };
  key.write = [](const Config& config) -> std::string {
    return config.grpc.unix_socket.empty() ? std::string(kUnixOff) : config.grpc.unix_socket;
  };
  return key;
}

std::vector<Key> build_schema() {
  constexpr uint64_t kMiB = 1ULL << 20;
  std::vector<Key> keys;
  keys.push_back(site_name_key());
  keys.push_back(site_names_key());
  for (Key& key : site_secret_keys()) keys.push_back(std::move(key));

  keys.push_back(choice_key(
      "tls.plaintext", kPlaintexts, [](Config & c) -> auto& { return c.tls.plaintext; },
      "Where devices and callers may speak without TLS. `anywhere`: whoever is on the way can read "
      "and change "
      "what is not signed, and has the passwords; each start warns about it."));
  keys.push_back(text_key(
      "tls.certificate_file", "path", 4096,
      [](Config & c) -> auto& { return c.tls.certificate_file; },
      "Certificate of the gateway (PEM), followed by those above it; without: the site's own "
      "authority issues and renews one. Read again when it changes."));
  keys.push_back(text_key(
      "tls.key_file", "path", 4096, [](Config & c) -> auto& { return c.tls.key_file; },
      "Its private key (PEM, without a password)."));
  keys.push_back(text_key(
      "tls.ca_file", "path", 4096, [](Config & c) -> auto& { return c.tls.ca_file; },
      "What devices and callers have to trust for `tls.certificate_file`, for `covey site ca`."));
  keys.push_back(text_key(
      "tls.client_ca_file", "path", 4096, [](Config & c) -> auto& { return c.tls.client_ca_file; },
      "What vouches for certificates of callers (PEM): who shows one is known by its name, and "
      "`access.file` says what that may do. Read again when it changes."));

  keys.push_back(word_key(
      "access.loopback_role", {"none", "viewer", "ci", "operator", "admin"},
      [](Config & c) -> auto& { return c.access.loopback_role; },
      "Role of programs on this machine that come over TCP without TLS and show nothing, where "
      "they "
      "run as another user than coveyd; its own user and root are admins."));
  keys.push_back(text_key(
      "access.file", "path", 4096, [](Config & c) -> auto& { return c.access.file; },
      "Roles of certificates' names and of JWTs, as YAML; read again when it changes, and so are "
      "the `jwks_file`s that it names."));

  keys.push_back(listen_key(
      "grpc.listen", [](Config & c) -> auto& { return c.grpc.listen; },
      "API for CLI and CI; with TLS beyond loopback (see `tls.plaintext`)."));
  keys.push_back(grpc_unix_key());
  keys.push_back(number_key(
      "grpc.max_connections", "number", 1, 20'000,
      [](Config & c) -> auto& { return c.grpc.max_connections; },
      "API connections over TCP, and as many over the Unix socket; when all are taken, the one "
      "that was "
      "idle longest is closed for a new one."));
  keys.push_back(number_key(
      "grpc.max_connections_per_address", "number", 1, 20'000,
      [](Config & c) -> auto& { return c.grpc.max_connections_per_address; },
      "API connections from one address over TCP, of `grpc.max_connections`."));

  keys.push_back(listen_key(
      "http.listen", [](Config & c) -> auto& { return c.http.listen; },
      "/metrics (for viewers), /healthz and /readyz; with TLS beyond loopback."));
  keys.push_back(number_key(
      "http.max_connections", "number", 1, 1000,
      [](Config & c) -> auto& { return c.http.max_connections; },
      "HTTP connections; when all are taken, the one that let us wait longest is closed for a new "
      "one."));

  keys.push_back(choice_key(
      "mqtt.mode", kMqttModes, [](Config & c) -> auto& { return c.mqtt.mode; },
      "`embedded`: coveyd runs its own mosquitto. `external`: a broker that is there already."));
  keys.push_back(host_key(
      "mqtt.external.host", [](Config & c) -> auto& { return c.mqtt.external.host; },
      "Host of the external broker; beyond loopback over TLS, with `mqtt.external.ca_file`."));
  keys.push_back(number_key(
      "mqtt.external.port", "port", 1, 65'535,
      [](Config & c) -> auto& { return c.mqtt.external.port; }, "Port of the external broker."));
  keys.push_back(text_key(
      "mqtt.external.username", "text", 255,
      [](Config & c) -> auto& { return c.mqtt.external.username; },
      "User of the gateway there; empty: anonymous."));
  keys.push_back(text_key(
      "mqtt.external.ca_file", "path", 4096,
      [](Config & c) -> auto& { return c.mqtt.external.ca_file; },
      "What vouches for the broker (PEM); with it the gateway speaks TLS."));
  keys.push_back(text_key(
      "mqtt.external.certificate_file", "path", 4096,
      [](Config & c) -> auto& { return c.mqtt.external.certificate_file; },
      "By which the broker knows the gateway (PEM); read at each connect."));
  keys.push_back(text_key(
      "mqtt.external.key_file", "path", 4096,
      [](Config & c) -> auto& { return c.mqtt.external.key_file; },
      "Its private key (PEM, without a password)."));
  keys.push_back(text_key(
      "mqtt.external.password_file", "path", 4096,
      [](Config & c) -> auto& { return c.mqtt.external.password_file; },
      "File whose first line is the password."));
  Key password = text_key(
      "mqtt.external.password", "text", 1024,
      [](Config & c) -> auto& { return c.mqtt.external.password; },
      "The password itself; environment only, wins over the file.");
  password.secret = true;
  keys.push_back(std::move(password));

  keys.push_back(address_key(
      "mqtt.embedded.listen", [](Config & c) -> auto& { return c.mqtt.embedded.listen; },
      "Address of the embedded broker's listeners for devices; with TLS beyond loopback (see "
      "`tls.plaintext`)."));
  keys.push_back(number_key(
      "mqtt.embedded.port", "port", 0, 65'535,
      [](Config & c) -> auto& { return c.mqtt.embedded.port; },
      "Devices with credentials; 0: any free one."));
  keys.push_back(number_key(
      "mqtt.embedded.enroll_port", "port", 0, 65'535,
      [](Config & c) -> auto& { return c.mqtt.embedded.enroll_port; },
      "Devices that enrol; 0: any free one."));
  keys.push_back(number_key(
      "mqtt.embedded.certificate_port", "port", 0, 65'535,
      [](Config & c) -> auto& { return c.mqtt.embedded.certificate_port; },
      "Devices with a certificate of the site, where devices speak TLS; 0: any free one."));
  keys.push_back(text_key(
      "mqtt.embedded.binary", "path or name", 4096,
      [](Config & c) -> auto& { return c.mqtt.embedded.binary; }, "The mosquitto to run."));
  keys.push_back(number_key(
      "mqtt.embedded.max_connections", "number", 1, 1'000'000,
      [](Config & c) -> auto& { return c.mqtt.embedded.max_connections; },
      "Device connections; lowered to what the limit of file descriptors allows."));
  keys.push_back(number_key(
      "mqtt.embedded.max_packet_bytes", "bytes", 4096, kMiB,
      [](Config & c) -> auto& { return c.mqtt.embedded.max_packet_bytes; },
      "Largest MQTT packet; a client that sends more is disconnected."));
  keys.push_back(number_key(
      "mqtt.embedded.max_queued_messages", "number", 100, 1'000'000,
      [](Config & c) -> auto& { return c.mqtt.embedded.max_queued_messages; },
      "Messages the broker holds for one slow client; more are dropped (devices repeat)."));
  keys.push_back(number_key(
      "mqtt.embedded.max_queued_bytes", "bytes", kMiB, 16'384 * kMiB,
      [](Config & c) -> auto& { return c.mqtt.embedded.max_queued_bytes; }, "The same in bytes."));
  keys.push_back(number_key(
      "mqtt.embedded.memory_limit_bytes", "bytes", 16 * kMiB, 1'048'576 * kMiB,
      [](Config & c) -> auto& { return c.mqtt.embedded.memory_limit_bytes; },
      "Heap of the broker; beyond it, it refuses."));

  keys.push_back(duration_key(
      "telemetry.window", 1s, 24h, [](Config & c) -> auto& { return c.telemetry.window; },
      "Span over which reports of a fleet are judged together."));
  keys.push_back(duration_key(
      "telemetry.report_interval", 1s, 24h,
      [](Config & c) -> auto& { return c.telemetry.report_interval; },
      "How often a device is expected to report; devices are told when it is set here."));
  keys.push_back(ratio_key(
      "telemetry.sample_scale", [](Config & c) -> auto& { return c.telemetry.sample_scale; },
      "Share of the sampled inferences that releases ask for; devices are told below 100%."));
  keys.push_back(duration_key(
      "telemetry.commit_interval", 1ms, 1s,
      [](Config & c) -> auto& { return c.telemetry.commit_interval; },
      "Reports are committed together over this span."));
  keys.push_back(duration_key(
      "telemetry.ack_interval", 1ms, 10s,
      [](Config & c) -> auto& { return c.telemetry.ack_interval; },
      "An acknowledgement waits at most this long for more reports of its device; half of the "
      "credit used: not at all. Devices repeat after 2 s."));
  keys.push_back(duration_key(
      "telemetry.retention", 1h, 24h * 3650,
      [](Config & c) -> auto& { return c.telemetry.retention; },
      "How long windows, reports, samples, labels and resolved alerts are kept, by when they came; "
      "labels at least as long as a rollout that they judge."));

  keys.push_back(number_key(
      "rollout.offer_rate", "per second", 1, 100'000,
      [](Config & c) -> auto& { return c.rollout.offer_rate; },
      "Goals that start work, for the whole site."));
  keys.push_back(number_key(
      "rollout.bandwidth_bytes_per_s", "bytes per second", 1024, 1024 * kMiB,
      [](Config & c) -> auto& { return c.rollout.bandwidth_bytes_per_s; },
      "Model bytes sent to devices, for the whole site."));
  keys.push_back(duration_key(
      "rollout.goal_lease", 1s, 24h, [](Config & c) -> auto& { return c.rollout.goal_lease; },
      "How long a device may sit on an offer before it lapses."));
  keys.push_back(duration_key(
      "rollout.probation_deadline", 1s, 24h * 7,
      [](Config & c) -> auto& { return c.rollout.probation_deadline; },
      "How long a device may take from probation to its proof."));

  keys.push_back(word_key(
      "rollout.approver", {"anyone", "another"},
      [](Config & c) -> auto& { return c.rollout.approver; },
      "Who may approve a stage: any operator, or another than who created the rollout."));
  keys.push_back(duration_key(
      "rollout.rollback_window", 0ms, 24h * 3650,
      [](Config & c) -> auto& { return c.rollout.rollback_window; },
      "How long an ended rollout can be rolled back; the security floor rises after that."));
  keys.push_back(duration_key(
      "rollout.retention", 24h, 24h * 3650, [](Config & c) -> auto& { return c.rollout.retention; },
      "How long rollouts that are over (plan, events, attempts; the newest 10,000) and entries of "
      "the audit log (the newest 1,000,000) are kept. A rollout stays while a device's newest "
      "attempt, or what devices are to have, is of it."));

  keys.push_back(duration_key(
      "offline.silence_after", 1s, 24h * 30,
      [](Config & c) -> auto& { return c.offline.silence_after; },
      "A device without any message for this long is offline."));

  keys.push_back(duration_key(
      "devices.certificate_life", 10s, 24h * 3650,
      [](Config & c) -> auto& { return c.devices.certificate_life; },
      "How long a device's certificate is good; it gets another one when a third of this is left. "
      "Whoever was away for longer enrols once more, by itself."));

  keys.push_back(bool_key(
      "enroll.auto_accept", [](Config & c) -> auto& { return c.enroll.auto_accept; },
      "Accept every device that knows the enrolment token; for laboratories."));
  keys.push_back(text_key(
      "enroll.token_file", "path", 4096, [](Config & c) -> auto& { return c.enroll.token_file; },
      "The enrolment token, where it is not to be made by coveyd: one line of 16 to 256 printable "
      "characters, read at each start."));
  keys.push_back(number_key(
      "enroll.pending_max", "number", 1, 1'000'000,
      [](Config & c) -> auto& { return c.enroll.pending_max; },
      "Devices that nobody has accepted; who was not heard for a minute gives way to others, and "
      "where all were, one in a hundred each second of those who asked once only."));
  keys.push_back(duration_key(
      "enroll.expire_after", 1min, 24h * 3650,
      [](Config & c) -> auto& { return c.enroll.expire_after; },
      "A device that nobody has accepted is forgotten when it was not heard for so long."));

  keys.push_back(choice_key(
      "log.level", kLogLevels, [](Config & c) -> auto& { return c.log.level; },
      "Least level that is written."));
  keys.push_back(choice_key(
      "log.format", kLogFormats, [](Config & c) -> auto& { return c.log.format; },
      "`json`: one object per line."));

  keys.push_back(number_key(
      "limits.control_queue", "number", 16, 1'000'000,
      [](Config & c) -> auto& { return c.limits.control_queue; },
      "API calls waiting; full: RESOURCE_EXHAUSTED."));
  keys.push_back(number_key(
      "limits.lifecycle_queue", "number", 16, 1'000'000,
      [](Config & c) -> auto& { return c.limits.lifecycle_queue; },
      "Hellos, statuses and fetches waiting; full: devices repeat."));
  keys.push_back(number_key(
      "limits.telemetry_queue", "number", 16, 10'000'000,
      [](Config & c) -> auto& { return c.limits.telemetry_queue; },
      "Reports waiting; full: not acknowledged, devices repeat."));
  keys.push_back(number_key(
      "limits.device_reports", "per minute", 1, 1'000'000,
      [](Config & c) -> auto& { return c.limits.device_reports; },
      "Reports of one device, on average; more are refused, and `covey device get` says so. Where "
      "telemetry.report_interval is below 1m: in that time."));
  keys.push_back(number_key(
      "limits.device_report_bytes", "bytes per minute", 4096, 1024 * kMiB,
      [](Config & c) -> auto& { return c.limits.device_report_bytes; }, "The same in bytes."));

  keys.push_back(bool_key(
      "monitoring.drift.enabled", [](Config & c) -> auto& { return c.monitoring.drift.enabled; },
      "Judge drift of inputs and outputs."));
  keys.push_back(ratio_key(
      "monitoring.drift.warn_delta",
      [](Config & c) -> auto& { return c.monitoring.drift.warn_delta; },
      "PSI that is tolerated before a warning."));
  keys.push_back(ratio_key(
      "monitoring.drift.page_delta",
      [](Config & c) -> auto& { return c.monitoring.drift.page_delta; },
      "PSI that is tolerated before a page."));
  keys.push_back(ratio_key(
      "monitoring.drift.alpha", [](Config & c) -> auto& { return c.monitoring.drift.alpha; },
      "False positives per test."));
  keys.push_back(number_key(
      "monitoring.drift.fire", "windows", 1, monitoring::kAlertWindowsMax,
      [](Config & c) -> auto& { return c.monitoring.drift.fire; },
      "An alert fires after this many windows reject,"));
  keys.push_back(number_key(
      "monitoring.drift.of", "windows", 1, monitoring::kAlertWindowsMax,
      [](Config & c) -> auto& { return c.monitoring.drift.of; }, "of the last this many,"));
  keys.push_back(number_key(
      "monitoring.drift.clear", "windows", 1, 100,
      [](Config & c) -> auto& { return c.monitoring.drift.clear; },
      "and is resolved after this many quiet ones in a row."));
  return keys;
}

}  // namespace

const std::vector<Key>& schema() {
  static const std::vector<Key> keys = build_schema();
  return keys;
}

const Key* find_key(std::string_view path) {
  const auto& keys = schema();
  const auto found =
      std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.path == path; });
  return found == keys.end() ? nullptr : &*found;
}

std::string environment_name(std::string_view path) {
  std::string name = "COVEY_";
  for (const char c : path) {
    name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

std::string nearest_key(std::string_view path) {
  if (path.size() > 64) return {};
  const auto leaf = [](std::string_view text) { return text.substr(text.rfind('.') + 1); };
  std::string nearest;
  size_t least = path.size() / 3 + 1;
  for (const Key& key : schema()) {
    if (key.secret) continue;
    // A right name in the wrong place counts as near.
    const size_t distance = leaf(key.path) == leaf(path) ? 1 : edit_distance(key.path, path);
    if (distance < least) {
      least = distance;
      nearest = key.path;
    }
  }
  return nearest;
}

std::vector<std::pair<std::string, Error>> check_relations(const Config& config) {
  std::vector<std::pair<std::string, Error>> errors;
  const auto contradiction = [&](std::string path, std::string message) {
    errors.emplace_back(std::move(path), invalid("CONTRADICTION", std::move(message)));
  };
  std::vector<std::pair<std::string, uint16_t>> ports = {{"grpc.listen", config.grpc.listen.port},
                                                         {"http.listen", config.http.listen.port}};
  if (config.mqtt.mode == MqttMode::kEmbedded) {
    ports.emplace_back("mqtt.embedded.port", config.mqtt.embedded.port);
    ports.emplace_back("mqtt.embedded.enroll_port", config.mqtt.embedded.enroll_port);
    if (speaks_tls(config, config.mqtt.embedded.listen)) {
      ports.emplace_back("mqtt.embedded.certificate_port", config.mqtt.embedded.certificate_port);
    }
  }
  for (size_t i = 0; i < ports.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (ports[i].second != 0 && ports[i].second == ports[j].second) {
        contradiction(ports[i].first, fmt::format("port {} is already that of {}; choose another",
                                                  ports[i].second, ports[j].first));
      }
    }
  }
  if (config.offline.silence_after < 2 * config.telemetry.report_interval) {
    contradiction("offline.silence_after",
                  fmt::format("{} is less than two of telemetry.report_interval ({}): one lost "
                              "report would make a device offline",
                              covey::to_string(config.offline.silence_after),
                              covey::to_string(config.telemetry.report_interval)));
  }
  if (config.tls.certificate_file.empty() != config.tls.key_file.empty()) {
    contradiction(config.tls.key_file.empty() ? "tls.key_file" : "tls.certificate_file",
                  "tls.certificate_file and tls.key_file belong together: set both or none");
  }
  if (!config.tls.ca_file.empty() && config.tls.certificate_file.empty()) {
    contradiction("tls.ca_file", "is for a certificate of your own: set tls.certificate_file, too");
  }
  const auto& external = config.mqtt.external;
  if (config.mqtt.mode == MqttMode::kExternal && external.ca_file.empty() &&
      speaks_tls(config, external.host)) {
    errors.emplace_back(
        "mqtt.external.host",
        invalid("TLS_REQUIRED",
                fmt::format("'{}' is reached over TLS: set mqtt.external.ca_file to "
                            "what vouches for the broker (or tls.plaintext)",
                            external.host)));
  }
  if (external.certificate_file.empty() != external.key_file.empty()) {
    contradiction(
        external.key_file.empty() ? "mqtt.external.key_file" : "mqtt.external.certificate_file",
        "mqtt.external.certificate_file and key_file belong together: set both or none");
  }
  if (!external.certificate_file.empty() && external.ca_file.empty()) {
    contradiction("mqtt.external.certificate_file",
                  "is for TLS: set mqtt.external.ca_file, too, to what vouches for the broker");
  }
  const auto& drift = config.monitoring.drift;
  if (drift.warn_delta > drift.page_delta) {
    contradiction("monitoring.drift.warn_delta",
                  "is above monitoring.drift.page_delta; warn before you page");
  }
  if (drift.fire > drift.of) {
    contradiction("monitoring.drift.fire",
                  fmt::format("{} of {} windows can never reject", drift.fire, drift.of));
  }
  if (config.grpc.unix_socket.size() > kUnixPathMax) {
    contradiction("grpc.unix",
                  fmt::format("{} is longer than the {} bytes that a Unix socket's path may have; "
                              "set a shorter one, or off",
                              config.grpc.unix_socket, kUnixPathMax));
  }
  return errors;
}

}  // namespace covey::config
