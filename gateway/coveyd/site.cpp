// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/site.hpp"

#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>

#include "gateway/adapters/log/log.hpp"
#include "gateway/codec/report_decoder.hpp"
#include "gateway/coveyd/engine_config.hpp"
#include "gateway/coveyd/open_store.hpp"
#include "gateway/coveyd/sinks.hpp"
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

Result<std::unique_ptr<Site>> Site::start(const config::Config& config, SiteFaults faults,
                                          std::function<void()> disk_full) {
  auto site = std::make_unique<Site>(config, std::move(disk_full), Token{});
  if (Status opened = site->open_store(); !opened) return opened.error();
  if (Status started = site->start_broker(); !started) return started.error();
  if (Status started = site->start_runtime(faults); !started) return started.error();
  if (Status started = site->start_servers(); !started) return started.error();
  return site;
}

Site::~Site() { stop(); }

Status Site::open_store() {
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
  broker_ = std::make_unique<broker::EmbeddedBroker>(
      broker::BrokerOptions{.data_dir = config_.data_dir,
                            .binary = embedded.binary,
                            .listen = embedded.listen,
                            .device_port = embedded.port,
                            .enroll_port = embedded.enroll_port,
                            .max_connections = embedded.max_connections,
                            .max_packet_bytes = embedded.max_packet_bytes,
                            .max_queued_messages = embedded.max_queued_messages,
                            .max_queued_bytes = embedded.max_queued_bytes,
                            .memory_limit_bytes = embedded.memory_limit_bytes});
  Result<broker::BrokerEndpoints> started = broker_->start();
  if (!started) return started.error();
  broker_endpoints_ = *std::move(started);
  return {};
}

Status Site::start_runtime(SiteFaults faults) {
  const Now now = runtime::now_of_clocks();
  Result<Snapshot> snapshot = store_->load(load_limits(config_, now.wall));
  if (!snapshot) return snapshot.error();
  if (snapshot->site.secret.is_zero()) {
    Digest secret;
    if (!random_value(secret.bytes)) return random_failed();
    snapshot->site = engine::new_site(secret);
    const std::vector<Write> first{PutSite{snapshot->site}};
    if (Status created = store_->commit(first); !created) return created.error();
  }
  engine::EngineConfig engine_config = engine_config_of(config_);
  if (!random_value(start_id_)) return random_failed();
  engine_config.start_id = start_id_;
  Result<engine::Engine> engine = engine::Engine::load(*std::move(snapshot), engine_config, now,
                                                       std::make_shared<codec::ReportDecoder>());
  if (!engine) return engine.error();
  if (Status replayed = replay_reports(*store_, *engine); !replayed) return replayed.error();
  Result<std::unique_ptr<Reader>> reader = store_->reader();
  if (!reader) return reader.error();

  if (!read_only_) make_link();
  runtime::Runtime::Edges edges{
      .sinks = sinks(),
      .fatal =
          [this](const Error& error) {
            log::log_event(log::Level::kError, "commit_failed",
                           {{"reason", error.reason}, {"text", error.message}});
            // Memory is ahead of the disk: nothing may be said any more.
            if (error.reason == "DISK_FULL") disk_full_();
            _exit(74);  // EX_IOERR
          },
      .health = [this] { return health(); },
      .endpoints =
          [this] {
            return std::map<std::string, std::string>{
                {"grpc", endpoints_.grpc},     {"grpc_unix", endpoints_.grpc_unix},
                {"http", endpoints_.http},     {"mqtt", endpoints_.mqtt},
                {"enroll", endpoints_.enroll}, {"site", config_.site.name}};
          }};
  runtime_ = std::make_unique<runtime::Runtime>(
      *std::move(engine), *store_, *std::move(reader),
      runtime::RuntimeOptions{.commit_interval = config_.telemetry.commit_interval,
                              .control_queue = config_.limits.control_queue,
                              .lifecycle_queue = config_.limits.lifecycle_queue,
                              .telemetry_queue = config_.limits.telemetry_queue,
                              .kill_after_commits = faults.kill_after_commits,
                              .read_only = read_only_},
      std::move(edges));
  if (link_) link_->connect_to(*runtime_);
  runtime_->start();
  return link_ ? link_->start() : Status();
}

void Site::make_link() {
  const auto& external = config_.mqtt.external;
  mqtt::MqttOptions options;
  options.host = broker_ ? broker_endpoints_.host : external.host;
  options.port = broker_ ? broker_endpoints_.service_port : external.port;
  options.username = broker_ ? broker_endpoints_.username : external.username;
  options.password = broker_ ? broker_endpoints_.password : external.password;
  std::function<void()> let_in;
  if (broker_) let_in = [this] { (void)broker_->flush(2s); };
  link_ = std::make_unique<DeviceLink>(std::move(options), std::move(let_in));
}

runtime::Sinks Site::sinks() const {
  runtime::Sinks sinks{.broker = nullptr, .devices = nullptr, .log = log_sink()};
  // The passwords of an external broker are its operator's business.
  if (broker_) sinks.broker = broker_sink(*broker_);
  if (link_) sinks.devices = [this](auto effects) { link_->deliver(effects); };
  return sinks;
}

Status Site::start_servers() {
  Result<std::unique_ptr<GrpcServer>> grpc =
      GrpcServer::start(*runtime_, grpc_options_of(config_, start_id_));
  if (!grpc) return grpc.error();
  grpc_ = *std::move(grpc);
  serving_ = true;  // from now on calls may come, and see grpc_

  add_metrics();
  http_ = std::make_unique<http::HttpServer>(
      http::HttpOptions{.host = config_.http.listen.host,
                        .port = config_.http.listen.port,
                        .connections_max = config_.http.max_connections},
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

void Site::add_metrics() {
  metrics_.add([this](http::MetricSheet& sheet) {
    const runtime::RuntimeCounters runtime = runtime_->counters();
    const engine::Counters engine = runtime_->engine_counters();
    for (size_t i = 0; i < runtime.queued.size(); ++i) {
      const std::string name(to_string(static_cast<runtime::EventClass>(i)));
      sheet.gauge("covey_queue_events", "Events waiting for the engine.",
                  static_cast<double>(runtime.queued[i]), {{"class", name}});
      sheet.counter("covey_queue_full_total", "Events refused because their queue was full.",
                    static_cast<double>(runtime.queue_full[i]), {{"class", name}});
    }
    sheet.counter("covey_commits_total", "Transactions.", static_cast<double>(runtime.commits));
    sheet.counter("covey_writes_total", "Rows written.", static_cast<double>(runtime.writes));
    sheet.counter("covey_outbox_full_total", "Effects dropped: the broker takes them too slowly.",
                  static_cast<double>(runtime.outbox_full));
    sheet.counter("covey_callers_gone_total", "Questions that nobody waited for any more.",
                  static_cast<double>(runtime.callers_gone));
    sheet.gauge("covey_revision", "Newest durable revision.",
                static_cast<double>(runtime.revision_durable));
    const auto seconds = [&](std::string_view name, std::string_view help,
                             const runtime::LagFigures& figures, http::MetricLabels labels = {}) {
      labels.emplace_back("quantile", "");
      for (const auto& [quantile, us] : {std::pair<const char*, uint32_t>{"0.5", figures.p50_us},
                                         {"0.99", figures.p99_us},
                                         {"1", figures.max_us}}) {
        labels.back().second = quantile;
        sheet.gauge(name, help, us / 1e6, labels);
      }
    };
    seconds("covey_engine_slice_seconds", "One batch of events in the engine.", runtime.slice);
    seconds("covey_engine_walk_seconds", "One look at the engine, or a part of it.", runtime.walk);
    const std::string_view cpu = "covey_engine_slice_cpu_seconds";
    const std::string_view cpu_help = "Processor time of one turn of the engine.";
    seconds(cpu, cpu_help, runtime.tick_cpu, {{"turn", "tick"}});
    seconds(cpu, cpu_help, runtime.events_cpu, {{"turn", "events"}});
    seconds("covey_engine_lag_seconds", "How late the engine's ticks come.", runtime.lag);
    seconds("covey_commit_seconds", "From submission to durable.", runtime.commit);
    sheet.counter("covey_reports_total", "Reports received.", static_cast<double>(engine.reports));
    sheet.counter("covey_windows_late_total", "Windows too late for their span.",
                  static_cast<double>(engine.windows_late));
    sheet.counter("covey_chunks_total", "Chunks sent.", static_cast<double>(engine.chunks));
    sheet.counter("covey_goals_total", "Goals published.", static_cast<double>(engine.goals));
    sheet.counter("covey_restores_total", "Times that devices had seen more than the store knew.",
                  static_cast<double>(engine.restores));
    sheet.counter("covey_wall_clock_jumps_total", "Steps of the wall clock of over 5 minutes.",
                  static_cast<double>(engine.wall_jumps));
    for (size_t i = 0; i < engine.drops.size(); ++i) {
      sheet.counter("covey_drops_total", "Input refused or dropped, by reason.",
                    static_cast<double>(engine.drops[i]),
                    {{"reason", std::string(to_string(static_cast<engine::Drop>(i)))}});
    }
    sheet.gauge("covey_read_only", "1: the disk is full, nothing is written.", read_only_ ? 1 : 0);
    if (const std::optional<uint64_t> free = store_->condition().free_bytes) {
      sheet.gauge("covey_disk_free_bytes", "What the disk of the data directory has left.",
                  static_cast<double>(*free));
    }
    if (link_) add_link_metrics(sheet);
    add_caller_metrics(sheet);
  });
}

void Site::add_caller_metrics(http::MetricSheet& sheet) const {
  const GrpcCounters grpc = grpc_->counters();
  const std::string_view open = "covey_api_connections";
  const std::string_view open_help = "Connections to the API.";
  sheet.gauge(open, open_help, static_cast<double>(grpc.open_tcp), {{"via", "tcp"}});
  sheet.gauge(open, open_help, static_cast<double>(grpc.open_unix), {{"via", "unix"}});
  for (const auto& [reason, count] : grpc.refused) {
    sheet.counter("covey_api_refused_total", "Connections to the API that got no place, by reason.",
                  static_cast<double>(count), {{"reason", reason}});
  }
  for (const auto& [reason, count] : grpc.closed) {
    sheet.counter("covey_api_closed_total", "Connections to the API that coveyd closed, by reason.",
                  static_cast<double>(count), {{"reason", reason}});
  }
  const http::HttpCounters http = http_->counters();
  sheet.gauge("covey_http_connections", "Connections to this port.",
              static_cast<double>(http.open));
  sheet.counter("covey_http_requests_total", "Requests on this port.",
                static_cast<double>(http.requests));
  for (const auto& [reason, count] : {std::pair<const char*, uint64_t>{"full", http.refused_full},
                                      {"evicted", http.evicted},
                                      {"timeout", http.timeouts},
                                      {"bad_request", http.bad_requests}}) {
    sheet.counter("covey_http_closed_total",
                  "Connections to this port that were not served to their "
                  "end, by reason.",
                  static_cast<double>(count), {{"reason", reason}});
  }
}

void Site::add_link_metrics(http::MetricSheet& sheet) const {
  for (const auto& [reason, count] : link_->malformed_by_reason()) {
    sheet.counter("covey_malformed_total", "Device messages that can't be read.",
                  static_cast<double>(count), {{"reason", reason}});
  }
  const mqtt::MqttCounters mqtt = link_->counters();
  sheet.counter("covey_mqtt_received_total", "Messages received.",
                static_cast<double>(mqtt.received));
  sheet.counter("covey_mqtt_published_total", "Messages published.",
                static_cast<double>(mqtt.published));
  for (size_t i = 0; i < mqtt.drops.size(); ++i) {
    sheet.counter("covey_mqtt_drops_total", "Messages that did not pass, by reason.",
                  static_cast<double>(mqtt.drops[i]),
                  {{"reason", std::string(to_string(static_cast<mqtt::MqttDrop>(i)))}});
  }
}

void Site::stop() {
  // Nobody new comes in, then what is in is finished, then the parts below go.
  if (http_) http_->stop();
  if (grpc_) grpc_->stop(5s);
  if (runtime_) runtime_->stop(10s);
  if (link_) link_->stop(2s);
  if (broker_) broker_->stop(5s);
  if (endpoints_.pid != 0) config::remove_endpoints(config_.data_dir);
  endpoints_.pid = 0;
  http_.reset();
  grpc_.reset();
  // The runtime outlives the link's callbacks, which use it.
  link_.reset();
  runtime_.reset();
  broker_.reset();
  store_.reset();
}

}  // namespace covey
