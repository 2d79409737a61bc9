// SPDX-License-Identifier: Apache-2.0
// Who a site is to those that come over the network, and who they are to it.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

#include "gateway/adapters/log/log.hpp"
#include "gateway/api/tokens.hpp"
#include "gateway/coveyd/engine_config.hpp"
#include "gateway/coveyd/site.hpp"
#include "gateway/runtime/clocks.hpp"

namespace covey {

void Site::warn_of_plaintext() const {
  const auto warn = [this](std::string_view key, const std::string& host, std::string_view what) {
    if (config::is_loopback(host) || config::speaks_tls(config_, host)) return;
    log::log_event(log::Level::kWarn, "plaintext_beyond_loopback",
                   {{"key", key},
                    {"listen", host},
                    {"text", fmt::format("tls.plaintext is `anywhere`: {}", what)}});
  };
  if (config_.mqtt.mode == config::MqttMode::kEmbedded) {
    warn("mqtt.embedded.listen", config_.mqtt.embedded.listen,
         "passwords and telemetry of devices can be read on the way");
  }
  warn("grpc.listen", config_.grpc.listen.host, "no token is taken there, so nobody is known");
  warn("http.listen", config_.http.listen.host, "no token is taken there, so nobody is known");
}

// Where any listener speaks TLS: what it shows, renewed by itself.
Status Site::open_identity() {
  warn_of_plaintext();
  endpoints_.devices_over_tls = config_.mqtt.mode == config::MqttMode::kEmbedded &&
                                config::speaks_tls(config_, config_.mqtt.embedded.listen);
  endpoints_.grpc_over_tls = config::speaks_tls(config_, config_.grpc.listen.host);
  endpoints_.http_over_tls = config::speaks_tls(config_, config_.http.listen.host);
  if (!endpoints_.devices_over_tls && !endpoints_.grpc_over_tls && !endpoints_.http_over_tls) {
    return {};
  }
  Result<tls::SiteIdentity> identity =
      tls::SiteIdentity::open({.data_dir = config_.data_dir,
                               .site = config_.site.name,
                               .names = config_.site.names,
                               .certificate_file = config_.tls.certificate_file,
                               .key_file = config_.tls.key_file,
                               .ca_file = config_.tls.ca_file},
                              runtime::now_of_clocks().wall);
  if (!identity) return identity.error();
  server_certificate_ = identity->server_path();
  if (endpoints_.devices_over_tls) {
    if (Status opened = open_device_authority(*identity); !opened) return opened;
  }
  endpoints_.ca_file = identity->ca_path();
  tls_ = {.devices = endpoints_.devices_over_tls,
          .ca = identity->ca(),
          .ca_fingerprint = identity->ca_fingerprint()};
  Result<std::shared_ptr<tls::ServerContexts>> contexts = tls::ServerContexts::open(
      {.server = server_certificate_,
       .above = config_.tls.certificate_file.empty() ? identity->ca_path() : std::string(),
       .client_ca = config_.tls.client_ca_file});
  if (!contexts) {
    return invalid(contexts.error().reason, "tls.client_ca_file: " + contexts.error().message);
  }
  server_tls_ = *std::move(contexts);
  log::log_event(log::Level::kInfo, "tls",
                 {{"devices", endpoints_.devices_over_tls},
                  {"grpc", endpoints_.grpc_over_tls},
                  {"http", endpoints_.http_over_tls},
                  {"ca_fingerprint", tls_.ca_fingerprint},
                  {"server_fingerprint", identity->server().fingerprint},
                  {"names", fmt::format("{}", fmt::join(identity->server().names, " "))}});
  renewal_ = std::make_unique<tls::Renewal>(
      *std::move(identity),
      tls::Renewal::Options{.wall = [] { return runtime::now_of_clocks().wall; },
                            .renewed =
                                [this] {
                                  if (broker_) broker_->certificate_changed();
                                }});
  return {};
}

Status Site::make_access() {
  access_ = std::make_shared<access::Access>(access_options_of(config_, start_id_));
  access_keeper_ = std::make_unique<AccessKeeper>(
      *access_, AccessKeeper::Options{.file = config_.access.file, .tls = server_tls_});
  for (const auto& [name, token] : engine_->state().access.tokens) {
    access_->put_token(api::token_of(token));
  }
  return access_keeper_->read();
}

}  // namespace covey
