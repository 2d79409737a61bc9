// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/device.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "covey/port_openssl.h"
#include "device_agent/simulator/clock.hpp"

namespace covey::simulator {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr size_t kTopicAndHeaderBytes = COVEY_TOPIC_BYTES_MAX + 16;
constexpr milliseconds kRestartTime{250};  // from power-on to the first instruction of the agent
constexpr milliseconds kCutPatience{2000};
constexpr uint32_t kFlashOperationsUntilCut = 40;

}  // namespace

Result<std::unique_ptr<Device>> Device::build(Environment& environment, const DeviceSpec& spec,
                                              const std::string& directory) {
  Result<std::unique_ptr<Hardware>> hardware = Hardware::build(spec, directory);
  if (!hardware) return hardware.error();
  const Enrol enrol = environment.options.enrol;
  if (enrol == Enrol::kKey || enrol == Enrol::kCertificate) {
    Result<std::unique_ptr<OwnKey>> key = OwnKey::build(
        directory, spec.id, enrol == Enrol::kCertificate, environment.manufacturer.get());
    if (!key) return key.error();
    (*hardware)->own_key = *std::move(key);
  }
  return std::make_unique<Device>(environment, spec, *std::move(hardware));
}

Device::Device(Environment& environment, const DeviceSpec& spec, std::unique_ptr<Hardware> hardware)
    : environment_(environment),
      spec_(spec),
      hardware_(std::move(hardware)),
      receive_buffer_(spec.message_bytes_max),
      sensor_(spec.seed, spec.machine_type),
      random_(mix(spec.seed, 10)),
      connection_(environment.io, *this, COVEY_SEND_BYTES_MIN + kTopicAndHeaderBytes,
                  mix(spec.seed, 11)),
      timer_(environment.io) {
  configure();
}

void Device::configure() {
  const Options& options = environment_.options;
  port_.flash = covey_host_flash_port(&hardware_->flash);
  port_.crypto = covey_openssl_crypto();
  port_.store = covey_host_store_port(&hardware_->store);
  port_.outbox = hardware_->outbox.data();
  port_.outbox_places = static_cast<uint32_t>(hardware_->outbox.size());
  port_.device_key = hardware_->own_key ? hardware_->own_key->port() : nullptr;
  port_.link.ctx = this;
  port_.link.publish = [](void* self, const char* topic, const uint8_t* payload, size_t size,
                          uint8_t qos) {
    return static_cast<Device*>(self)->publish(topic, {payload, size}, qos);
  };
  port_.link.subscribe = [](void* self, const char* topic, uint8_t qos) {
    const int result = static_cast<Device*>(self)->connection_.subscribe(topic, qos);
    return static_cast<int>(result == COVEY_MQTT_OK ? COVEY_OK : COVEY_ERROR_AGAIN);
  };
  port_.link.unsubscribe = [](void* self, const char* topic) {
    const int result = static_cast<Device*>(self)->connection_.unsubscribe(topic);
    return static_cast<int>(result == COVEY_MQTT_OK ? COVEY_OK : COVEY_ERROR_AGAIN);
  };

  hardware_->model.name = options.model.c_str();
  config_.device_id = spec_.id.c_str();
  config_.device_class = spec_.device_class.c_str();
  config_.firmware = "covey-sim-" COVEY_VERSION;
  config_.runtime = 1;  // covey.device.v1.RUNTIME_TFLITE_INT8
  config_.algorithms = 1u << COVEY_ALGORITHM_ES256 | 1u << COVEY_ALGORITHM_ED25519;
  config_.preprocessing_id = kBearingPreprocessing;
  if (!options.claim.empty()) config_.claim = options.claim.c_str();
  if (!environment_.claim_secret.empty()) {
    const covey_bytes_t id{reinterpret_cast<const uint8_t*>(spec_.id.data()), spec_.id.size()};
    if (port_.crypto.mac(nullptr, environment_.claim_secret.data(), &id, 1, claim_proof_.data()) ==
        0) {
      config_.claim_proof = claim_proof_.data();
    }
  }
  config_.keys = environment_.keys.data();
  config_.key_count = environment_.keys.size();
  config_.root = {reinterpret_cast<const uint8_t*>(environment_.root.data()),
                  environment_.root.size()};
  config_.models = &hardware_->model;
  config_.model_count = 1;
  config_.journal_offset = 0;
  config_.journal_bytes = kJournalBytes;
  config_.send_buffer = environment_.send_buffer.data();
  config_.send_bytes = environment_.send_buffer.size();
  config_.receive_buffer = receive_buffer_.data();
  config_.receive_bytes = receive_buffer_.size();
  config_.port = &port_;
  config_.retained = &hardware_->retained;
  const double speed_up = options.speed_up;
  config_.times.report_interval_ms = scaled(options.report_interval, speed_up, 100);
  config_.times.probation_inferences = options.probation_inferences;
  config_.times.probation_ms = scaled(options.probation, speed_up, 1000);
  config_.times.grant_ms = scaled(Millis(900'000), speed_up, 15'000);
  config_.times.retry_min_ms = scaled(Millis(2'000), speed_up, 500);
  config_.times.retry_max_ms = scaled(Millis(300'000), speed_up, 5'000);
  config_.times.progress_ms = scaled(Millis(5'000), speed_up, 250);
  config_.times.keep_ms = scaled(Millis(3'600'000), speed_up, 5'000);
  config_.app = this;
  config_.event = [](void* self, covey_event_t event, size_t) {
    static_cast<Device*>(self)->on_event(event);
  };
}

uint64_t Device::uptime_ms() const {
  return static_cast<uint64_t>(duration_cast<milliseconds>(Clock::now() - boot_at_).count());
}

Status Device::power_on(covey_start_cause_t cause, milliseconds connect_after) {
  covey_host_flash_power_on(&hardware_->flash);
  hardware_->store.dead = false;
  hardware_->lose_journal_writes();
  hardware_->clear_ram(cause == COVEY_START_POWER_ON);
  sabotage_changed();
  std::memset(&agent_, 0, sizeof agent_);
  int result = covey_config_check(&config_);
  if (result == COVEY_OK) result = covey_agent_init(&agent_, &config_);
  if (result != COVEY_OK) {
    const char* name = covey_error_name(result);
    return Error{Code::kInternal, "AGENT_INIT",
                 fmt::format("{}: the agent does not start: {}", spec_.id,
                             name != nullptr ? name : std::to_string(result).c_str())};
  }
  const bool first = boot_at_ == TimePoint{};
  boot_at_ = Clock::now();
  power_on_at_ = TimePoint::max();
  powered_ = true;
  connect_tries_ = 0;
  connect_at_ = boot_at_ + connect_after;
  poll_at_ = boot_at_;
  // In a fleet that continues, those that stay offline do so again.
  if (first && spec_.offline && covey_agent_enrolled(&agent_)) offline_ = true;
  if (offline_) connect_at_ = TimePoint::max();
  connection_.set_loss(environment_.options.faults.loss);
  inference_changed();
  covey_agent_start(&agent_, cause, 0);  // flash errors show in the agent's own state
  after_agent();
  return {};
}

void Device::power_off(bool booked, bool power_lost, covey_start_cause_t next_cause) {
  if (!powered_) return;
  const uint64_t lost = at_risk();
  if (booked && lost > 0) {
    const Status written =
        environment_.truth.add_lost(wall_ms(), spec_.id, covey_agent_boot_id(&agent_), lost);
    if (!written) environment_.fail(written.error());
  }
  connection_.drop();
  powered_ = false;
  on_device_listener_ = false;
  swallow_ = false;
  credentials_new_ = false;
  poll_at_ = connect_at_ = infer_at_ = cut_at_ = TimePoint::max();
  next_cause_ = power_lost ? COVEY_START_POWER_ON : next_cause;
  hardware_->clear_ram(power_lost);
  power_on_at_ = Clock::now() + kRestartTime;
  schedule();
}

void Device::reboot() {
  if (!powered_) return;
  environment_.counters.reboots++;
  covey_agent_flush(&agent_, uptime_ms());
  power_off(true, false, COVEY_START_SOFTWARE);
}

void Device::plan_power_cut() {
  if (!powered_ || cut_at_ != TimePoint::max()) return;
  covey_host_flash_t& flash = hardware_->flash;
  flash.cut_at = flash.operations + 1 + random_.below(kFlashOperationsUntilCut);
  flash.tear = static_cast<covey_host_tear_t>(random_.below(COVEY_HOST_TEAR_ERASED + 1));
  flash.seed = static_cast<uint32_t>(random_.next());
  cut_at_ = Clock::now() + duration_cast<milliseconds>(kCutPatience * random_.uniform());
  schedule();
}

void Device::shut_down() {
  ended_ = true;
  if (powered_) covey_agent_flush(&agent_, uptime_ms());
  power_off(true, true, COVEY_START_POWER_ON);
  timer_.cancel();
}

void Device::apply(const Action& action) {
  struct Apply {
    Device& device;
    void operator()(const SetGain& set) const { device.sensor_.set_gain(set.factor); }
    void operator()(const SetStuck& set) const { device.sensor_.set_stuck(set.stuck); }
    void operator()(const SetNoise& set) const { device.sensor_.set_noise(set.lsb); }
    void operator()(const SetMachine& set) const { device.sensor_.set_machine(set.machine_type); }
    void operator()(const GoOffline&) const {
      device.offline_ = true;
      device.leave();
      device.connect_at_ = TimePoint::max();
      device.schedule();
    }
    void operator()(const GoOnline&) const {
      if (!device.offline_) return;
      device.offline_ = false;
      device.connect_at_ = Clock::now();
      device.schedule();
    }
    void operator()(const Reboot&) const { device.reboot(); }
    void operator()(const PowerCut&) const { device.plan_power_cut(); }
    void operator()(const PauseInference&) const {
      device.paused_ = true;
      device.inference_changed();
    }
    void operator()(const ResumeInference&) const {
      device.paused_ = false;
      device.inference_changed();
    }
  };
  std::visit(Apply{*this}, action);
}

void Device::sabotage_changed() {
  if (environment_.sabotage == Sabotage::kJournal) {
    hardware_->start_losing_journal();
  } else {
    hardware_->stop_losing_journal();
  }
}

void Device::on_event(covey_event_t event) {
  if (event == COVEY_EVENT_CREDENTIALS) credentials_new_ = true;
}

void Device::after_agent() {
  if (hardware_->flash.dead) {
    environment_.counters.power_cuts++;
    return power_off(true, true, COVEY_START_POWER_ON);
  }
  if (swallow_) return power_off(false, false, COVEY_START_SOFTWARE);
  if (credentials_new_) {
    credentials_new_ = false;
    leave();
    offline_ = spec_.offline;
    connect_at_ = offline_ ? TimePoint::max() : Clock::now() + milliseconds(random_.below(200));
  }
  poll_at_ = Clock::now();
  schedule();
}

void Device::schedule() {
  if (ended_) return;
  const TimePoint due =
      powered_ ? std::min({poll_at_, connect_at_, infer_at_, cut_at_}) : power_on_at_;
  if (due == TimePoint::max()) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(due);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !ended_) run();
  });
}

void Device::run() {
  const TimePoint now = Clock::now();
  if (!powered_) {
    if (now < power_on_at_) return schedule();
    const Status started = power_on(next_cause_, milliseconds(random_.below(500)));
    if (!started) environment_.fail(started.error());
    return;
  }
  if (now >= cut_at_) {
    environment_.counters.power_cuts++;
    return power_off(true, true, COVEY_START_POWER_ON);
  }
  if (now >= connect_at_) connect();
  if (now >= infer_at_) infer();
  if (now < poll_at_) return schedule();
  const uint32_t wait_ms = covey_agent_poll(&agent_, uptime_ms());
  if (hardware_->flash.dead || swallow_ || credentials_new_) return after_agent();
  poll_at_ = wait_ms == UINT32_MAX ? TimePoint::max() : Clock::now() + milliseconds(wait_ms);
  schedule();
}

}  // namespace covey::simulator
