// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/engine_config.hpp"
#include "gateway/adapters/tls/manufacturers.hpp"

#include <algorithm>
#include <cstring>

#include "core/digest.hpp"

namespace covey {
namespace {

// In whole seconds and 65,536ths; 0 leaves it to firmware and release.
DeviceSettings settings_of(const config::Config& config) {
  DeviceSettings settings;
  if (config.telemetry.sets_report_interval) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(config.telemetry.report_interval);
    settings.report_interval_s = static_cast<uint32_t>(seconds.count());
  }
  const Ratio scale = config.telemetry.sample_scale;
  if (scale < Ratio::percent(100)) {
    settings.sample_scale =
        static_cast<uint32_t>(std::max<int64_t>(1, int64_t{scale.ppm} * 65'536 / 1'000'000));
  }
  return settings;
}

}  // namespace

engine::EngineConfig engine_config_of(const config::Config& config) {
  engine::EngineConfig engine;
  engine.auto_accept = config.enroll.auto_accept;
  engine.report_interval = config.telemetry.report_interval;
  engine.settings = settings_of(config);
  engine.offline_after = config.offline.silence_after;
  engine.ack_interval = config.telemetry.ack_interval;
  engine.window = config.telemetry.window;
  engine.retention = config.telemetry.retention;
  engine.goal_lease = config.rollout.goal_lease;
  engine.probation_deadline = config.rollout.probation_deadline;
  engine.pending_max = config.enroll.pending_max;
  engine.stranger_expiry = config.enroll.expire_after;
  const bool issues = config.mqtt.mode == config::MqttMode::kEmbedded &&
                      config::speaks_tls(config, config.mqtt.embedded.listen);
  engine.certificate_life = issues ? config.devices.certificate_life : Millis{0};
  engine.approval_by_another = config.rollout.approver == "another";
  engine.rollback_window = config.rollout.rollback_window;
  engine.history_retention = config.rollout.retention;
  engine.bandwidth_bytes_per_s = config.rollout.bandwidth_bytes_per_s;
  engine.offers_per_s = config.rollout.offer_rate;
  engine.hello_jitter = std::clamp<Millis>(config.telemetry.report_interval / 4, 200ms, 30s);
  const auto& drift = config.monitoring.drift;
  engine.drift_enabled = drift.enabled;
  engine.drift.warn_psi = drift.warn_delta;
  engine.drift.page_psi = drift.page_delta;
  engine.drift.alpha = drift.alpha;
  engine.alert_policy = {
      .fire_windows = drift.fire, .of_windows = drift.of, .quiet_windows = drift.clear};
  engine.allowances =
      engine::allowances_of(config.limits.device_reports, config.limits.device_report_bytes,
                            config.telemetry.report_interval);
  return engine;
}

namespace {

std::string start_word(uint64_t start_id) {
  Bytes id(sizeof start_id);
  std::memcpy(id.data(), &start_id, sizeof start_id);
  return to_hex(id);
}

}  // namespace

access::AccessOptions access_options_of(const config::Config& config, uint64_t start_id) {
  return {.loopback_role =
              access::parse_role(config.access.loopback_role).value_or(access::Role::kNone),
          .id_prefix = start_word(start_id),
          .wall = {}};
}

namespace {

api::TlsFacts with_reader(api::TlsFacts facts) {
  facts.read_authority = [](std::string_view text) -> Result<api::AuthorityFacts> {
    Result<tls::AuthorityCertificate> read = tls::authority_certificate(text);
    if (!read) return read.error();
    return api::AuthorityFacts{std::move(read->der), std::move(read->subject), read->not_after};
  };
  return facts;
}

}  // namespace

GrpcOptions grpc_options_of(const config::Config& config, uint64_t start_id,
                            const api::TlsFacts& tls) {
  return {.host = config.grpc.listen.host,
          .port = config.grpc.listen.port,
          .unix_path = config.grpc.unix_socket,
          .max_connections = config.grpc.max_connections,
          .max_connections_per_address = config.grpc.max_connections_per_address,
          .questions_over_tcp_max = size_t{config.limits.control_queue} / 2,
          .site = config.site.name,
          .version = COVEY_VERSION,
          .start_id = start_word(start_id),
          .tls = with_reader(tls)};
}

}  // namespace covey
