// SPDX-License-Identifier: Apache-2.0
// A device's connection: when it connects and how, what passes through, what gets lost.
#include <algorithm>
#include <cstring>

#include "device_agent/simulator/clock.hpp"
#include "device_agent/simulator/device.hpp"

namespace covey::simulator {
namespace {

using std::chrono::milliseconds;

constexpr uint16_t kKeepAliveSeconds = 30;
// Then its certificate is no good any more, and it enrols once more: a device has no clock.
constexpr uint32_t kRefusalsMax = 3;
constexpr uint32_t kSwallowEvery = 10;  // --break reports: every tenth report of a device

// The broker, its certificate or its password: MQTT 3.1.1, section 3.2.2.3, codes 4 and 5.
bool knows_it_no_more(std::string_view reason) {
  return reason.starts_with("TLS:") || reason == "refused by the broker with code 4" ||
         reason == "refused by the broker with code 5";
}

}  // namespace

int Device::publish(const char* topic, std::span<const uint8_t> payload, uint8_t qos) {
  if (hardware_->flash.dead || swallow_) return COVEY_OK;  // nobody hears a device without power
  const bool is_report = std::string_view(topic).ends_with("/up/report");
  if (is_report && environment_.sabotage == Sabotage::kReports &&
      reports_sent_ % kSwallowEvery == 0) {
    reports_sent_++;
    environment_.counters.reports_swallowed++;
    swallow_ = true;
    return COVEY_OK;
  }
  if (is_report) {
    // The gateway must never know of an inference that the truth does not, not even after kill -9.
    const Status flushed = environment_.truth.flush();
    if (!flushed) environment_.fail(flushed.error());
  }
  const int result = connection_.publish(topic, payload, qos, false);
  if (result != COVEY_MQTT_OK) return COVEY_ERROR_AGAIN;
  reports_sent_ += is_report ? 1 : 0;
  environment_.counters.messages_out++;
  environment_.counters.bytes_out += payload.size();
  return COVEY_OK;
}

void Device::connect() {
  connect_at_ = TimePoint::max();
  ConnectionOptions options;
  options.client_id = spec_.id;
  options.keep_alive_s = kKeepAliveSeconds;
  options.trust = environment_.trust;
  covey_credentials_t credentials{};
  on_device_listener_ = covey_agent_credentials(&agent_, &credentials) == COVEY_OK;
  if (on_device_listener_) {
    options.username = credentials.username;
    options.password = credentials.password;
    char topic[COVEY_TOPIC_BYTES_MAX];
    uint8_t will[COVEY_BYE_BYTES_MAX];
    const size_t size = covey_agent_will(&agent_, topic, sizeof topic, will, sizeof will);
    if (size > 0) {
      options.will_topic = topic;
      options.will_payload.assign(will, will + size);
    }
  } else if (!environment_.enroll_token.empty()) {
    options.username = environment_.enroll_user;
    options.password = environment_.enroll_token;
  }
  const bool by_certificate = on_device_listener_ && use_certificate(options);
  const auto& broker = by_certificate        ? environment_.certificate_broker
                       : on_device_listener_ ? environment_.broker
                                             : environment_.enroll_broker;
  connection_.open(broker, std::move(options));
}

bool Device::use_certificate(ConnectionOptions& options) const {
  const OwnKey* own = hardware_->own_key.get();
  if (own == nullptr || own->certificate().empty() || !options.trust) return false;
  const std::span<const uint8_t> certificate = own->certificate();
  options.certificate.assign(certificate.begin(), certificate.end());
  options.key = own->key();
  options.username.clear();
  options.password.clear();
  return true;
}

void Device::retry_connect() {
  if (offline_ || !powered_) return;
  const Options& options = environment_.options;
  // Doubling, with full jitter: a fleet that lost its broker must not come back at once.
  const int64_t doubled = int64_t{1000} << std::min(connect_tries_, 6u);
  const uint32_t ceiling_ms = scaled(Millis(doubled), options.speed_up, 200);
  connect_tries_++;
  connect_at_ =
      Clock::now() +
      milliseconds(100 + static_cast<int64_t>(random_.below(ceiling_ms)) +
                   static_cast<int64_t>(random_.uniform() *
                                        static_cast<double>(options.connect_jitter.count())));
}

void Device::on_connected() {
  environment_.counters.connects++;
  connect_tries_ = 0;
  refusals_ = 0;
  covey_agent_connected(&agent_, uptime_ms());
  after_agent();
}

void Device::on_message(const char* topic, std::span<const uint8_t> piece, size_t offset,
                        size_t total) {
  environment_.counters.messages_in += offset == 0 ? 1 : 0;
  environment_.counters.bytes_in += piece.size();
  // What it refuses is in its counters.
  covey_agent_receive(&agent_, topic, std::strlen(topic), piece.data(), piece.size(), offset,
                      total);
  if (offset + piece.size() == total || hardware_->flash.dead) after_agent();
}

void Device::on_closed(std::string_view reason) {
  if (reason.starts_with("refused")) {
    environment_.counters.connects_refused++;
  } else {
    environment_.counters.connections_lost++;
  }
  environment_.counters.last_connect_error = reason;
  if (!powered_) return;
  const bool refused = on_device_listener_ && knows_it_no_more(reason);
  leave();
  if (refused && hardware_->own_key && ++refusals_ >= kRefusalsMax) {
    refusals_ = 0;
    covey_agent_enroll_again(&agent_);
  }
  retry_connect();
  schedule();
}

void Device::leave() {
  connection_.drop();
  on_device_listener_ = false;
  if (powered_) {
    covey_agent_disconnected(&agent_, uptime_ms());
    poll_at_ = Clock::now();
  }
}

void Device::disconnect() {
  if (!connection_.is_open()) return;
  environment_.counters.connections_lost++;
  leave();
  retry_connect();
  schedule();
}

}  // namespace covey::simulator
