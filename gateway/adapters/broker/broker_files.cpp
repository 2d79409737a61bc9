// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/broker/broker_files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "gateway/config/durable_file.hpp"

namespace covey::broker {
namespace {

constexpr mode_t kOwnerOnly = 0600;
constexpr unsigned kShards = 64;
constexpr unsigned kEnrollConnectionsMax = 1000;
constexpr unsigned kServiceConnectionsMax = 8;  // the gateway, probes, and what a restart left

Error files_error(const Error& cause) {
  return {Code::kUnavailable, "BROKER_FILES", cause.message};
}

std::string listener(const BrokerFiles& files, const std::string& host, uint16_t port,
                     std::string_view name, unsigned connections, std::string_view more) {
  return fmt::format(
      "\nlistener {} {}\n"
      "max_connections {}\n"
      "allow_anonymous false\n"
      "allow_zero_length_clientid false\n"
      "acl_file {}/{}.acl\n"
      "{}",
      port, host, connections, files.folder, name, more);
}

std::string passwords(const BrokerFiles& files, std::string_view name) {
  return fmt::format("password_file {}/{}.passwords\n", files.folder, name);
}

// Who may come in decides the certificate, and its name says who comes: no password is asked for.
std::string certificates(const BrokerFiles& files, const BrokerOptions& options) {
  return fmt::format(
      "require_certificate true\n"
      "use_identity_as_username true\n"
      "use_username_as_clientid true\n"
      "cafile {}\n"
      "crlfile {}/device.crl\n",
      options.device_ca_file, files.folder);
}

// Of a listener for devices; `tls_version` is the lowest. Key and certificate in one file, so that
// no reader ever finds one of them without the other.
std::string transport(const BrokerOptions& options) {
  if (options.certificate_file.empty()) return {};
  return fmt::format(
      "certfile {}\n"
      "keyfile {}\n"
      "tls_version tlsv1.2\n",
      options.certificate_file, options.certificate_file);
}

// Exactly what a device says, shard by shard: with a `+` it could have the broker keep messages on
// as many topics as it likes. mosquitto tries the lines in their order (75 ns each), so what is
// said and heard most stands first.
std::string device_rights() {
  std::string rights =
      "pattern read covey/v1/+/%u/down/+\n"
      "pattern read covey/v1/site\n"
      "pattern read covey/v1/m/+\n";
  for (const std::string_view kind : {"report", "fetch", "status", "hello", "bye"}) {
    for (unsigned shard = 0; shard < kShards; ++shard) {
      rights += fmt::format("pattern write covey/v1/{:02x}/%u/up/{}\n", shard, kind);
    }
  }
  return rights;
}

}  // namespace

Result<BrokerFiles> prepare_files(const std::string& data_dir) {
  std::error_code failure;
  const std::filesystem::path folder =
      std::filesystem::absolute(data_dir, failure).lexically_normal() / "broker";
  if (!failure) std::filesystem::create_directories(folder, failure);
  if (failure || ::chmod(folder.c_str(), 0700) != 0) {
    return Error{Code::kUnavailable, "BROKER_FILES",
                 fmt::format("cannot make {}: {}", folder.string(), failure.message())};
  }
  if (folder.string().find_first_of("\r\n") != std::string::npos) {
    return invalid("BROKER_FILES", "the data directory's name contains a line end");
  }
  BrokerFiles files;
  files.folder = folder.string();
  files.configuration = files.folder + "/mosquitto.conf";
  files.log = files.folder + "/mosquitto.log";
  files.enroll_token = (folder.parent_path() / "enroll.token").string();
  return files;
}

Result<std::string> enroll_token(const BrokerFiles& files, bool make) {
  if (!make || ::access(files.enroll_token.c_str(), F_OK) == 0) {
    const Result<std::string> text = config::read_secret_bounded(files.enroll_token, 4096);
    if (!text) return files_error(text.error());
    const std::string token = text->substr(0, text->find_first_of("\r\n"));
    const bool plain = std::all_of(token.begin(), token.end(),
                                   [](unsigned char c) { return std::isgraph(c) != 0; });
    if (token.size() < 16 || token.size() > 256 || !plain) {
      return invalid(
          "BROKER_FILES",
          fmt::format("{} must hold one line of 16 to 256 printable characters{}",
                      files.enroll_token, make ? "; remove it and a new one is made" : ""));
    }
    return token;
  }
  std::string token = random_password();
  const Status written = config::write_file_durably(files.enroll_token, token + "\n", kOwnerOnly);
  if (!written) return files_error(written.error());
  return token;
}

Status write_configuration(const BrokerFiles& files, const BrokerOptions& options,
                           const BrokerEndpoints& endpoints) {
  // set_tcp_nodelay: without it a window of one chunk waits for delayed ACKs (23 chunks/s).
  // persistence: sessions are clean, and the gateway asserts retained messages again.
  std::string text = fmt::format(
      "# Written by coveyd at each start; changes are lost.\n"
      "per_listener_settings true\n"
      "set_tcp_nodelay true\n"
      "persistence false\n"
      "sys_interval 0\n"
      "max_packet_size {}\n"
      "max_queued_messages {}\n"
      "max_queued_bytes {}\n"
      "max_inflight_messages 100\n"
      "max_keepalive 3600\n"
      "memory_limit {}\n"
      "log_dest stderr\n"
      "log_timestamp_format %Y-%m-%dT%H:%M:%S\n"
      "log_type error\n"
      "log_type warning\n"
      "log_type notice\n"
      "connection_messages false\n",
      options.max_packet_bytes, options.max_queued_messages, options.max_queued_bytes,
      options.memory_limit_bytes);
  // Started by root, mosquitto changes its user, which clears the parent-death signal and shuts it
  // out of files that only the owner may read.
  if (::geteuid() == 0) text += "user root\n";
  // The user name as client id: nobody takes over another's session.
  text +=
      listener(files, options.listen, endpoints.device_port, "device", options.max_connections,
               "use_username_as_clientid true\n" + passwords(files, "device") + transport(options));
  if (endpoints.certificate_port != 0) {
    text += listener(files, options.listen, endpoints.certificate_port, "device",
                     options.max_connections, certificates(files, options) + transport(options));
  }
  text += listener(files, options.listen, endpoints.enroll_port, "enroll", kEnrollConnectionsMax,
                   passwords(files, "enroll") + transport(options));
  text += listener(files, endpoints.service_host, endpoints.service_port, "service",
                   kServiceConnectionsMax, passwords(files, "service"));

  const auto put = [&](const std::string& name, const std::string& content) {
    return config::write_file_durably(files.folder + "/" + name, content, kOwnerOnly);
  };
  const Status written[] = {
      put("device.acl", device_rights()),
      put("enroll.acl",
          // By user name: the first two are of user `enroll`, the others of claims. What a claim
          // named like another topic could write by the first ones is no topic of ours.
          "pattern write covey/v1/%u/%c/up\n"
          "pattern read covey/v1/%u/%c/down\n"
          "pattern write covey/v1/c/%u/%c/up\n"
          "pattern read covey/v1/c/%u/%c/down\n"),
      put("service.acl", "user " + endpoints.username + "\ntopic readwrite covey/#\n"),
      put("service.passwords", endpoints.username + ":" + hash_password(endpoints.password) + "\n"),
      put("mosquitto.conf", text),
  };
  for (const Status& status : written) {
    if (!status) return files_error(status.error());
  }
  return {};
}

Status write_device_passwords(const BrokerFiles& files,
                              const std::map<DeviceId, std::string>& hashes) {
  std::string text;
  for (const auto& [device, hash] : hashes) text += device.str() + ":" + hash + "\n";
  const Status written =
      config::write_file_durably(files.folder + "/device.passwords", text, kOwnerOnly);
  if (!written) return files_error(written.error());
  return {};
}

Status write_enroll_passwords(const BrokerFiles& files, const std::string& enroll_hash,
                              const std::map<ClaimName, std::string>& hashes) {
  std::string text = "enroll:" + enroll_hash + "\n";
  for (const auto& [claim, hash] : hashes) text += claim.str() + ":" + hash + "\n";
  const Status written =
      config::write_file_durably(files.folder + "/enroll.passwords", text, kOwnerOnly);
  if (!written) return files_error(written.error());
  return {};
}

Status write_revocations(const BrokerFiles& files, const std::string& list) {
  const Status written = config::write_file_durably(files.folder + "/device.crl", list, kOwnerOnly);
  if (!written) return files_error(written.error());
  return {};
}

}  // namespace covey::broker
