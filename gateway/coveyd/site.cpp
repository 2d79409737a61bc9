// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/site.hpp"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>

#include "gateway/adapters/log/log.hpp"
#include "gateway/adapters/tls/own_files.hpp"
#include "gateway/codec/report_decoder.hpp"
#include "gateway/coveyd/audit_key.hpp"
#include "gateway/coveyd/data_directory.hpp"
#include "gateway/coveyd/denial_log.hpp"
#include "gateway/coveyd/engine_config.hpp"
#include "gateway/coveyd/open_store.hpp"
#include "gateway/coveyd/sinks.hpp"
#include "gateway/coveyd/taken_ports.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/runtime/clocks.hpp"

namespace covey {
namespace {

Error random_failed() {
  return {Code::kInternal, "NO_RANDOMNESS", "the system's random source does not answer"};
}

template <typename T>
bool random_value(T& value) {
  return RAND_bytes(reinterpret_cast<unsigned char*>(&value), sizeof value) == 1;
}

// Older windows stay on disk, and those of a time that has not been: a device's lie, or a wrong
// clock of before.
LoadLimits load_limits(const config::Config& config, Millis wall) {
  const Millis since = wall - std::min<Millis>(config.telemetry.retention, 48h);
  return {.windows_since = since,
          .window = config.telemetry.window,
          .windows_until = wall + kClockSlack};
}

void log_broker_news(const broker::BrokerNews& news) {
  switch (news.kind) {
    case broker::BrokerNews::Kind::kEnded:
      return log::log_event(log::Level::kError, "broker_ended",
                            {{"text", news.text}, {"said", news.said}});
    case broker::BrokerNews::Kind::kBack:
      return log::log_event(log::Level::kInfo, "broker_back");
    case broker::BrokerNews::Kind::kNote:
      return log::log_event(log::Level::kWarn, "broker_note", {{"text", news.text}});
  }
}

// Room for everything that the engine's own budget of a device lets in.
mqtt::DeviceShares::Share share_of_device(const config::Config& config) {
  const Millis per = std::clamp<Millis>(config.telemetry.report_interval, 1s, 1min);
  const auto reports_per_s = static_cast<uint32_t>(uint64_t{config.limits.device_reports} * 1000 /
                                                   static_cast<uint64_t>(per.count()));
  mqtt::DeviceShares::Share share;
  share.per_s = std::max(share.per_s, 4 * reports_per_s);
  share.burst = std::max(share.burst, 8 * share.per_s);
  return share;
}

// What a store that can't write means for a site.
Error read_only_error(Error why) {
  why.message +=
      ": coveyd serves reads only, devices keep what they have to report. Free space, enlarge the "
      "disk, or lower telemetry.retention and restart; it goes on by itself once 32 MiB are free";
  return why;
}

// What streams, totals and windows on disk are behind the log.
Status replay_reports(Store& store, engine::Engine& engine) {
  uint64_t reports = 0;
  const auto started = std::chrono::steady_clock::now();
  const Status replayed =
      store.replay(engine.state().site.reports_settled, [&](const ReportRecord& report) {
        ++reports;
        return engine.replay(report);
      });
  const auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started);
  if (replayed && reports > 0) {
    log::log_event(
        log::Level::kInfo, "reports_replayed",
        {{"reports", std::to_string(reports)}, {"milliseconds", std::to_string(took.count())}});
  }
  return replayed;
}

}  // namespace

Result<std::unique_ptr<Site>> Site::start(const config::Config& config, const SiteStart& how,
                                          std::function<void()> disk_full) {
  auto site = std::make_unique<Site>(config, std::move(disk_full), Token{});
  if (Status opened = site->open_store(how); !opened) return opened.error();
  if (Status loaded = site->load_engine(how); !loaded) return loaded.error();
  if (Status opened = site->open_identity(); !opened) return opened.error();
  if (Status made = site->make_access(); !made) return made.error();
  if (Status started = site->start_broker(); !started) {
    return with_taken_ports(started.error(), config);
  }
  if (Status started = site->start_runtime(how); !started) return started.error();
  if (Status started = site->start_servers(); !started) return started.error();
  return site;
}

Site::~Site() { stop(); }

Status Site::open_store(const SiteStart& how) {
  trace_ = trace_of_a_site(config_.data_dir);
  // Before anything is made there: it may be the place of a disk that is not mounted.
  if (!trace_.empty() && !how.new_site && has_no_database(config_.data_dir)) {
    return site_lost(config_.data_dir, trace_);
  }
  Result<std::unique_ptr<Store>> store = covey::open_store(config_, runtime::now_of_clocks().wall);
  if (!store) return store.error();
  store_ = *std::move(store);
  const Condition condition = store_->condition();
  if (!condition.read_only) return {};
  read_only_ = read_only_error(*condition.read_only);
  log::log_event(log::Level::kError, "read_only",
                 {{"reason", read_only_->reason}, {"text", read_only_->message}});
  return {};
}

Status Site::start_broker() {
  if (config_.mqtt.mode == config::MqttMode::kExternal || read_only_) return {};
  const auto& embedded = config_.mqtt.embedded;
  Result<std::string> revoked = revocations_ ? revocations_->next_list() : std::string();
  if (!revoked) return revoked.error();
  broker_ = std::make_unique<broker::EmbeddedBroker>(broker::BrokerOptions{
      .data_dir = config_.data_dir,
      .binary = embedded.binary,
      .listen = config::ip_literal(embedded.listen),
      .certificate_file = endpoints_.devices_over_tls ? server_certificate_ : "",
      .device_port = embedded.port,
      .enroll_port = embedded.enroll_port,
      .certificate_port = embedded.certificate_port,
      .device_ca_file = device_ca_file_,
      .revocations = *std::move(revoked),
      .enroll_token_file = config_.enroll.token_file,
      .max_connections = embedded.max_connections,
      .max_packet_bytes = embedded.max_packet_bytes,
      .max_queued_messages = embedded.max_queued_messages,
      .max_queued_bytes = embedded.max_queued_bytes,
      .memory_limit_bytes = embedded.memory_limit_bytes,
      .happened = log_broker_news});
  // All at once and before its start: whoever is let in is let in from its first moment on.
  for (const auto& [id, device] : engine_->state().fleet.devices) {
    if (device.state != DeviceState::kAccepted) continue;
    broker_->set_credential(id, engine::broker_password(engine_->state(), device));
  }
  const Millis wall = runtime::now_of_clocks().wall;
  for (const auto& [name, claim] : engine_->state().fleet.claims) {
    if (!engine::claim_is_good(engine_->state(), claim, wall)) continue;
    broker_->set_claim(name, engine::claim_password(engine_->state(), claim));
  }
  Result<broker::BrokerEndpoints> started = broker_->start();
  if (!started) return started.error();
  broker_endpoints_ = *std::move(started);
  for (const std::string& note : broker_->state().notes) {
    log::log_event(log::Level::kWarn, "broker_note", {{"text", note}});
  }
  return {};
}

Status Site::open_device_authority(const tls::SiteIdentity& identity) {
  Result<tls::DeviceAuthority> authority = tls::DeviceAuthority::open(identity.authority());
  if (!authority) return authority.error();
  device_authority_ = *std::move(authority);
  device_ca_file_ = identity.authority_path();
  revocations_ = std::make_shared<Revocations>(*device_authority_);
  for (const auto& [serial, row] : engine_->state().fleet.revoked) revocations_->add(serial);
  return {};
}

Status Site::begin_site(const SiteStart& how, Snapshot& snapshot) {
  if (!trace_.empty() && !how.new_site) return site_lost(config_.data_dir, trace_);
  Result<engine::RotateSecret> secret = key_->make(1);
  if (!secret) return secret.error();
  const std::vector<Write> first =
      engine::new_site(std::move(secret->sealed), runtime::now_of_clocks().wall);
  log::log_event(log::Level::kInfo, "new_site", {{"data", config_.data_dir}});
  if (Status begun = store_->commit(first); !begun) return begun;
  snapshot.secrets = {std::get<PutSiteSecret>(first.back()).secret};
  return {};
}

// What is in clear, or sealed with the previous key, is sealed with this one.
Status Site::open_secrets(const SiteStart& how, Snapshot& snapshot) {
  const bool sealed = std::ranges::any_of(snapshot.secrets, [](const SiteSecretRecord& record) {
    return record.sealed.size() != sizeof(Digest);
  });
  Result<SiteKey> key = SiteKey::open(config_, sealed);
  if (!key) return key.error();
  key_ = *std::move(key);
  if (snapshot.secrets.empty()) return begin_site(how, snapshot);
  if (how.new_site) {
    log::log_event(log::Level::kWarn, "new_site_ignored",
                   {{"text", "the data directory has a site, which goes on"}});
  }
  if (read_only_) return {};
  Result<std::vector<SiteSecretRecord>> fresh = key_->seal_anew(snapshot.secrets);
  if (!fresh) return fresh.error();
  std::vector<Write> writes;
  for (const SiteSecretRecord& record : *fresh) writes.emplace_back(PutSiteSecret{record});
  if (writes.empty()) return {};
  log::log_event(log::Level::kInfo, "site_secrets_sealed",
                 {{"secrets", std::to_string(writes.size())}});
  return store_->commit(writes);
}

Status Site::load_engine(const SiteStart& how) {
  const Now now = runtime::now_of_clocks();
  Result<Snapshot> snapshot = store_->load(load_limits(config_, now.wall));
  if (!snapshot) return snapshot.error();
  if (Status opened = open_secrets(how, *snapshot); !opened) return opened;
  engine::EngineConfig engine_config = engine_config_of(config_);
  engine_config.open_secret = [key = *key_](const SiteSecretRecord& record) {
    return key.unseal(record);
  };
  if (!random_value(start_id_)) return random_failed();
  engine_config.start_id = start_id_;
  Result<engine::Engine> engine = engine::Engine::load(*std::move(snapshot), engine_config, now,
                                                       std::make_shared<codec::ReportDecoder>());
  if (!engine) return engine.error();
  if (Status replayed = replay_reports(*store_, *engine); !replayed) return replayed;
  engine_.emplace(*std::move(engine));
  return {};
}

Status Site::start_runtime(const SiteStart& how) {
  Result<std::unique_ptr<Reader>> reader = store_->reader();
  if (!reader) return reader.error();

  if (!read_only_) {
    if (Status made = make_link(); !made) return made;
  }
  runtime::Runtime::Edges edges{
      .sinks = sinks(),
      .fatal =
          [this](const Error& error) {
            log::log_event(log::Level::kError, "commit_failed",
                           {{"reason", error.reason}, {"text", error.message}});
            // Memory is ahead of the disk: nothing may be said any more.
            if (error.reason == "DISK_FULL") disk_full_();
            log::flush_log(500ms);
            _exit(74);  // EX_IOERR
          },
      .health = [this] { return health(); },
      .endpoints =
          [this] {
            return std::map<std::string, std::string>{{"grpc", endpoints_.grpc},
                                                      {"grpc_unix", endpoints_.grpc_unix},
                                                      {"http", endpoints_.http},
                                                      {"mqtt", endpoints_.mqtt},
                                                      {"enroll", endpoints_.enroll},
                                                      {"site", config_.site.name},
                                                      {"certificates", endpoints_.certificates}};
          },
      .chunks = [this] { return link_ ? link_->chunks() : engine::ChunkFlow{}; },
      .certificate_until =
          [this] { return renewal_ ? renewal_->state().server.not_after : Millis{0}; }};
  runtime_ = std::make_unique<runtime::Runtime>(
      *std::move(engine_), *store_, *std::move(reader),
      runtime::RuntimeOptions{.commit_interval = config_.telemetry.commit_interval,
                              .control_queue = config_.limits.control_queue,
                              .lifecycle_queue = config_.limits.lifecycle_queue,
                              .telemetry_queue = config_.limits.telemetry_queue,
                              .kill_after_commits = how.kill_after_commits,
                              .read_only = read_only_},
      std::move(edges));
  engine_.reset();
  if (link_) link_->connect_to(*runtime_);
  runtime_->start();
  return link_ ? link_->start() : Status();
}

Status Site::make_link() {
  const auto& external = config_.mqtt.external;
  if (!broker_) {
    const Result<tls::Own> own = tls::read_own({.certificate = external.certificate_file,
                                                .key = external.key_file,
                                                .ca = external.ca_file},
                                               runtime::now_of_clocks().wall);
    if (!own) return invalid(own.error().reason, "mqtt.external: " + own.error().message);
  }
  mqtt::MqttOptions options;
  options.host = broker_ ? broker_endpoints_.service_host : external.host;
  options.port = broker_ ? broker_endpoints_.service_port : external.port;
  options.username = broker_ ? broker_endpoints_.username : external.username;
  options.password = broker_ ? broker_endpoints_.password : external.password;
  if (!broker_) {
    options.ca_file = external.ca_file;
    options.certificate_file = external.certificate_file;
    options.key_file = external.key_file;
    if (external.ca_file.empty() && !config::is_loopback(external.host)) {
      log::log_event(log::Level::kWarn, "plaintext_beyond_loopback",
                     {{"broker", external.host},
                      {"text",
                       "tls.plaintext is `anywhere`: what the gateway and devices say can be "
                       "read on the way"}});
    }
  }
  std::function<void()> let_in;
  if (broker_) let_in = [this] { (void)broker_->flush(2s); };
  link_ = std::make_unique<DeviceLink>(std::move(options), share_of_device(config_),
                                       std::move(let_in), device_authority_);
  std::vector<AuthorityRecord> authorities;
  for (const auto& [name, row] : engine_->state().fleet.authorities) authorities.push_back(row);
  link_->trust(authorities);
  return {};
}

runtime::Sinks Site::sinks() const {
  runtime::Sinks sinks{.broker = nullptr, .devices = nullptr, .log = log_sink()};
  // The passwords of an external broker are its operator's business.
  if (broker_) sinks.broker = broker_sink(*broker_, revocations_);
  if (link_) sinks.devices = [this](auto effects) { link_->deliver(effects); };
  return sinks;
}

Status Site::start_servers() {
  access_->on_denied([log = std::make_shared<DenialLog>(*runtime_)](const access::Denial& denial) {
    log->note(denial);
  });
  access_keeper_->start(*runtime_);
  GrpcOptions options = grpc_options_of(config_, start_id_, tls_);
  // On a full disk a key can't be made: the API answers all the same.
  Result<std::shared_ptr<const PrivateKey>> audit_key = open_audit_key(config_.data_dir);
  if (!audit_key && !read_only_) return audit_key.error();
  if (audit_key) options.audit_key = *std::move(audit_key);
  options.access = access_;
  if (!read_only_)
    options.make_secret = [key = *key_](uint32_t number) { return key.make(number); };
  if (endpoints_.grpc_over_tls) options.server_tls = server_tls_;
  Result<std::unique_ptr<GrpcServer>> grpc = GrpcServer::start(*runtime_, options);
  if (!grpc) return with_taken_ports(grpc.error(), config_);
  grpc_ = *std::move(grpc);
  serving_ = true;  // from now on calls may come, and see grpc_

  add_metrics();
  http_ = std::make_unique<http::HttpServer>(
      http::HttpOptions{.host = config_.http.listen.host,
                        .port = config_.http.listen.port,
                        .connections_max = config_.http.max_connections,
                        .access = access_,
                        .tls = endpoints_.http_over_tls ? server_tls_ : nullptr},
      metrics_, [this] {
        std::vector<http::ReadyCheck> checks;
        for (runtime::HealthCheck& check : runtime_->health()) {
          checks.push_back({std::move(check.name), check.ok, std::move(check.reason)});
        }
        return checks;
      });
  Result<uint16_t> http_port = http_->start();
  if (!http_port) return http_port.error();
  http_port_ = *http_port;
  if (renewal_) renewal_->start();
  return publish_endpoints();
}

Status Site::publish_endpoints() {
  endpoints_.pid = getpid();
  endpoints_.grpc = to_string(
      config::ListenAddress{config_.grpc.listen.host, static_cast<uint16_t>(grpc_->port())});
  endpoints_.grpc_unix = config_.grpc.unix_socket;
  endpoints_.http = to_string(config::ListenAddress{config_.http.listen.host, http_port_});
  if (broker_) {
    endpoints_.mqtt =
        to_string(config::ListenAddress{broker_endpoints_.host, broker_endpoints_.device_port});
    endpoints_.enroll =
        to_string(config::ListenAddress{broker_endpoints_.host, broker_endpoints_.enroll_port});
    endpoints_.enroll_token_file = broker_endpoints_.enroll_token_file;
    if (broker_endpoints_.certificate_port != 0) {
      endpoints_.certificates = to_string(
          config::ListenAddress{broker_endpoints_.host, broker_endpoints_.certificate_port});
    }
  } else if (!read_only_) {
    endpoints_.mqtt =
        to_string(config::ListenAddress{config_.mqtt.external.host, config_.mqtt.external.port});
  }
  const Status written = config::write_endpoints(config_.data_dir, endpoints_);
  if (written || !read_only_) return written;
  // Not a byte left: the log says where it listens.
  log::log_event(log::Level::kWarn, "endpoints_not_written", {{"text", written.error().message}});
  return {};
}

std::vector<runtime::HealthCheck> Site::health() const {
  std::vector<runtime::HealthCheck> checks;
  if (serving_) {
    std::string failure = grpc_->unreachable();
    checks.push_back({"grpc", failure.empty(), std::move(failure)});
  }
  if (broker_) {
    const broker::BrokerState state = broker_->state();
    checks.push_back({"broker", state.ready(), state.reason});
  }
  if (!link_) return checks;
  const bool connected = link_->connected();
  checks.push_back({"mqtt", connected, connected ? "" : link_->last_error()});
  return checks;
}

void Site::stop(const std::function<void(const char* step)>& doing) {
  const auto begin = [&](const char* step) {
    if (doing) doing(step);
  };
  // Nobody new comes in, then what is in is finished, then the parts below go. All together less
  // than Signals::kStopEnd.
  begin("stopping the HTTP server");
  if (http_) http_->stop();
  begin("ending calls of the API");
  if (grpc_) grpc_->stop(3s);
  if (access_keeper_) access_keeper_->stop();
  begin("committing what was taken");
  if (runtime_) runtime_->stop(8s);
  begin("leaving the broker");
  if (link_) link_->stop(2s);
  begin("stopping the broker");
  if (renewal_) renewal_->stop();
  if (broker_) broker_->stop(3s);
  begin("closing the store");
  if (endpoints_.pid != 0) config::remove_endpoints(config_.data_dir);
  endpoints_.pid = 0;
  http_.reset();
  grpc_.reset();
  // The runtime outlives the link's callbacks, which use it.
  link_.reset();
  runtime_.reset();
  renewal_.reset();
  broker_.reset();
  store_.reset();
}

}  // namespace covey
