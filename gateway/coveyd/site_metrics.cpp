// SPDX-License-Identifier: Apache-2.0
// What a site tells of itself at each scrape (HTTP thread).
#include <iterator>
#include <utility>
#include <vector>

#include "gateway/adapters/log/log.hpp"
#include "gateway/coveyd/site.hpp"

namespace covey {
namespace {

// What the gateway means, and what it knows to have arrived.
void add_receipt_metrics(http::MetricSheet& sheet, const engine::Counters& engine) {
  sheet.counter("covey_goals_made_total", "Goals with a counter of their own.",
                static_cast<double>(engine.goals_made));
  sheet.counter("covey_goals_received_total", "Goals that their device has shown.",
                static_cast<double>(engine.goals_received));
  sheet.counter("covey_offers_total", "Releases that were offered to a device.",
                static_cast<double>(engine.offers));
  sheet.gauge("covey_offers_unreceived", "Offers that stand and that their device has not shown.",
              static_cast<double>(engine.offers_unreceived));
  const engine::ReceiptTimes& times = engine.receipt_times;
  std::vector<double> bounds;
  bounds.reserve(std::size(engine::ReceiptTimes::kBoundsMs));
  for (const uint32_t ms : engine::ReceiptTimes::kBoundsMs) bounds.push_back(ms / 1e3);
  sheet.histogram("covey_goal_receipt_seconds",
                  "From a goal to its device's word that it has it, where it was online.", bounds,
                  {times.counts.begin(), times.counts.end()},
                  static_cast<double>(times.sum_ms) / 1e3);
}

}  // namespace

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
    for (size_t i = 0; i < runtime.lifecycle_drops.size(); ++i) {
      sheet.counter("covey_queue_drops_total",
                    "What devices said and what was taken from the queue unread, by reason.",
                    static_cast<double>(runtime.lifecycle_drops[i]),
                    {{"reason", std::string(to_string(static_cast<runtime::LifecycleDrop>(i)))}});
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
    sheet.counter("covey_goals_total", "Goals published, repetitions included.",
                  static_cast<double>(engine.goals));
    add_receipt_metrics(sheet, engine);
    sheet.counter("covey_restores_total", "Times that devices had seen more than the store knew.",
                  static_cast<double>(engine.restores));
    sheet.counter("covey_wall_clock_jumps_total", "Steps of the wall clock of over 5 minutes.",
                  static_cast<double>(engine.wall_jumps));
    for (size_t i = 0; i < engine.drops.size(); ++i) {
      sheet.counter("covey_drops_total", "Input refused or dropped, by reason.",
                    static_cast<double>(engine.drops[i]),
                    {{"reason", std::string(to_string(static_cast<engine::Drop>(i)))}});
    }
    if (renewal_) {
      const tls::Renewal::State tls = renewal_->state();
      sheet.gauge("covey_tls_certificate_end_seconds",
                  "End of the certificate that devices are shown, in Unix time.",
                  static_cast<double>(tls.server.not_after.count()) / 1e3);
      sheet.gauge("covey_tls_renewal_failed", "1: the last look for a new one failed, see the log.",
                  tls.failure.empty() ? 0 : 1);
      sheet.counter("covey_tls_renewals_total", "Certificates that took the place of another.",
                    static_cast<double>(tls.renewals));
    }
    sheet.gauge("covey_read_only", "1: the disk is full, nothing is written.", read_only_ ? 1 : 0);
    if (const std::optional<uint64_t> free = store_->condition().free_bytes) {
      sheet.gauge("covey_disk_free_bytes", "What the disk of the data directory has left.",
                  static_cast<double>(*free));
    }
    const log::LogCounters lines = log::log_counters();
    for (const auto& [outcome, count] : {std::pair<const char*, uint64_t>{"written", lines.written},
                                         {"dropped", lines.dropped},
                                         {"left_out", lines.left_out}}) {
      sheet.counter("covey_log_lines_total", "Lines of the log, by what became of them.",
                    static_cast<double>(count), {{"outcome", outcome}});
    }
    if (broker_) add_broker_metrics(sheet);
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
  for (const auto& [reason, count] : access_->denials()) {
    sheet.counter("covey_calls_denied_total", "Calls and routes that were not let in, by reason.",
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
  const engine::ChunkFlow chunks = link_->chunks();
  sheet.counter("covey_chunks_total", "Chunks sent.", static_cast<double>(chunks.sent));
  sheet.gauge("covey_chunks_waiting", "Chunks that devices asked for and that have not left yet.",
              static_cast<double>(chunks.waiting));
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

void Site::add_broker_metrics(http::MetricSheet& sheet) const {
  const broker::BrokerState broker = broker_->state();
  sheet.gauge("covey_broker_resident_bytes", "Memory of the embedded broker.",
              static_cast<double>(broker.resident_bytes));
  sheet.gauge("covey_broker_memory_limit_bytes", "What its heap may have.",
              static_cast<double>(config_.mqtt.embedded.memory_limit_bytes));
  sheet.counter("covey_broker_restarts_total", "Times that the embedded broker was started again.",
                static_cast<double>(broker.restarts));
  sheet.counter("covey_broker_retained_deleted_total",
                "Messages that devices had the broker keep, and that were deleted.",
                static_cast<double>(broker.retained_deleted));
  sheet.gauge("covey_broker_credentials", "Devices whose password the broker was given.",
              static_cast<double>(broker.credentials));
}

}  // namespace covey
