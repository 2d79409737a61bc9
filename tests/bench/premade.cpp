// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/premade.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "covey/mqtt.h"
#include "covey/port_openssl.h"
#include "device_agent/simulator/hardware.hpp"
#include "device_agent/simulator/sensor.hpp"
#include "tests/bench/agent_inside.hpp"

namespace covey::bench {
namespace {

constexpr uint16_t kKeepAliveSeconds = 3600;  // longer than any measurement: no pings
constexpr uint32_t kNeverMs = 1U << 30;       // the agent repeats nothing by itself
constexpr size_t kPacketBytesMax = COVEY_SEND_BYTES_MIN + COVEY_TOPIC_BYTES_MAX + 64;

Error failed(std::string message) { return precondition("PREMADE", std::move(message)); }

// The packets of one connection, as covey_mqtt writes them.
class Packets {
 public:
  Packets() {
    covey_mqtt_config config{};
    config.output = output_.data();
    config.output_size = output_.size();
    config.topic = topic_.data();
    config.topic_size = topic_.size();
    config.handler = [](void*, const covey_mqtt_event*) {};
    COVEY_ASSERT(covey_mqtt_init(&client_, &config) == COVEY_MQTT_OK);
  }

  Bytes connect(const covey_mqtt_connect_options& options) {
    COVEY_ASSERT(covey_mqtt_connect(&client_, &options, 0) == COVEY_MQTT_OK);
    Bytes packet;
    take(packet);
    constexpr std::array<uint8_t, 4> kAccepted{0x20, 2, 0, 0};
    size_t consumed = 0;
    covey_mqtt_receive(&client_, kAccepted.data(), kAccepted.size(), 0, &consumed);
    return packet;
  }
  bool publish(const char* topic, ByteView payload, uint8_t qos, Bytes& to) {
    return covey_mqtt_publish(&client_, topic, payload.data(), payload.size(), qos, false, 0,
                              nullptr) == COVEY_MQTT_OK &&
           take(to);
  }
  bool subscribe(const char* topic, uint8_t qos, Bytes& to) {
    return covey_mqtt_subscribe(&client_, &topic, 1, qos, 0, nullptr) == COVEY_MQTT_OK && take(to);
  }

 private:
  bool take(Bytes& to) {
    size_t size = 0;
    const uint8_t* output = covey_mqtt_output(&client_, &size);
    to.insert(to.end(), output, output + size);
    covey_mqtt_sent(&client_, size);
    return true;
  }

  covey_mqtt client_{};
  std::array<uint8_t, kPacketBytesMax> output_{};
  std::array<char, COVEY_TOPIC_BYTES_MAX + 64> topic_{};
};

std::array<uint8_t, COVEY_SEND_BYTES_MIN>& shared_send_buffer() {
  static std::array<uint8_t, COVEY_SEND_BYTES_MIN> buffer;
  return buffer;
}

// covey.device.v1.Ack, and a StreamAck in it.
struct AckNumbers {
  uint64_t boot_id;
  uint32_t backoff_ms;
  uint32_t reports_only;
};
constexpr covey_member_t kAckMembers[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_F64, AckNumbers, boot_id),
    COVEY_MEMBER(5, COVEY_MEMBER_U32, AckNumbers, backoff_ms),
    COVEY_MEMBER(6, COVEY_MEMBER_U32, AckNumbers, reports_only), COVEY_MEMBERS_END(AckNumbers)};
constexpr covey_member_t kStreamMembers[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_PREFIX, covey_stream_ack_t, manifest),
    COVEY_MEMBER(2, COVEY_MEMBER_U32, covey_stream_ack_t, cumulative),
    COVEY_MEMBER(3, COVEY_MEMBER_F64, covey_stream_ack_t, bitmap),
    COVEY_MEMBERS_END(covey_stream_ack_t)};

}  // namespace

struct PremadeDevice::Made {
  simulator::DeviceSpec spec;
  std::string model;
  std::unique_ptr<simulator::Hardware> hardware;
  covey_port_t port{};
  covey_agent_config_t config{};
  Bytes receive_buffer;
  covey_agent_t agent{};
  uint32_t random = 1;
  // Only while messages are made.
  Packets* packets = nullptr;
  PremadeDevice* owner = nullptr;
  bool failed = false;

  int publish(const char* topic, ByteView payload, uint8_t qos) {
    if (packets == nullptr) return COVEY_ERROR_AGAIN;
    const bool is_report = std::string_view(topic).ends_with("/up/report");
    failed |= !packets->publish(topic, payload, qos, is_report ? owner->reports_ : owner->hello_);
    if (is_report) owner->ends_.push_back(owner->reports_.size());
    return COVEY_OK;
  }
  int subscribe(const char* topic, uint8_t qos) {
    if (packets == nullptr) return COVEY_ERROR_AGAIN;
    failed |= !packets->subscribe(topic, qos, owner->subscribe_);
    ++owner->subscriptions_;
    return COVEY_OK;
  }

  void configure() {
    port.flash = covey_host_flash_port(&hardware->flash);
    port.crypto = covey_openssl_crypto();
    port.store = covey_host_store_port(&hardware->store);
    port.link.ctx = this;
    port.link.publish = [](void* self, const char* topic, const uint8_t* payload, size_t size,
                           uint8_t qos) {
      return static_cast<Made*>(self)->publish(topic, {payload, size}, qos);
    };
    port.link.subscribe = [](void* self, const char* topic, uint8_t qos) {
      return static_cast<Made*>(self)->subscribe(topic, qos);
    };
    port.link.unsubscribe = [](void*, const char*) { return static_cast<int>(COVEY_OK); };
    hardware->model.name = model.c_str();
    receive_buffer.resize(spec.message_bytes_max);
    config.device_id = spec.id.c_str();
    config.device_class = spec.device_class.c_str();
    config.firmware = "covey-bench-load";
    config.runtime = 1;  // covey.device.v1.RUNTIME_TFLITE_INT8
    config.algorithms = 1U << COVEY_ALGORITHM_ES256 | 1U << COVEY_ALGORITHM_ED25519;
    config.preprocessing_id = simulator::kBearingPreprocessing;
    config.models = &hardware->model;
    config.model_count = 1;
    config.journal_bytes = simulator::kJournalBytes;
    config.send_buffer = shared_send_buffer().data();
    config.send_bytes = shared_send_buffer().size();
    config.receive_buffer = receive_buffer.data();
    config.receive_bytes = receive_buffer.size();
    config.port = &port;
    config.retained = &hardware->retained;
    config.times.retry_min_ms = kNeverMs;
    config.times.retry_max_ms = kNeverMs;
  }

  int16_t next_feature() {  // over the whole of int8; xorshift32
    random ^= random << 13U;
    random ^= random >> 17U;
    random ^= random << 5U;
    return static_cast<int16_t>(static_cast<int>(random >> 24U) - 128);
  }
  void record() {
    std::array<int16_t, COVEY_FEATURES_MAX> features{};
    for (int16_t& feature : features) feature = next_feature();
    covey_inference_t inference{};
    inference.features = features.data();
    inference.feature_count = features.size();
    inference.class_index = random % 4U;
    inference.confidence = static_cast<uint8_t>(random >> 8U);
    inference.latency_us = 500U + random % 1000U;
    covey_agent_record_inference(&agent, 0, &inference);
  }
};

PremadeDevice::PremadeDevice() : made_(std::make_unique<Made>()) {}
PremadeDevice::~PremadeDevice() = default;

const std::string& PremadeDevice::id() const { return made_->spec.id; }

std::string PremadeDevice::password() const {
  covey_credentials_t credentials{};
  covey_agent_credentials(&made_->agent, &credentials);
  return credentials.password;
}

Result<std::unique_ptr<PremadeDevice>> PremadeDevice::open(const PremadeOptions& options,
                                                           const simulator::DeviceSpec& spec) {
  auto device = std::make_unique<PremadeDevice>();
  Made& made = *device->made_;
  made.spec = spec;
  made.model = options.model;
  made.owner = device.get();
  made.random = static_cast<uint32_t>(spec.seed) | 1U;
  Result<std::unique_ptr<simulator::Hardware>> hardware =
      simulator::Hardware::build(spec, options.state_dir + "/devices");
  if (!hardware) return hardware.error();
  made.hardware = *std::move(hardware);
  made.configure();
  made.config.times.report_interval_ms = options.interval_ms;
  if (covey_agent_init(&made.agent, &made.config) != COVEY_OK ||
      !covey_agent_enrolled(&made.agent)) {
    return failed(fmt::format("{} is not enrolled in {}", spec.id, options.state_dir));
  }
  return device;
}

Status PremadeDevice::say(const PremadeOptions& options) {
  Made& made = *made_;
  covey_agent_t* agent = &made.agent;
  Packets packets;
  made.packets = &packets;
  covey_agent_start(agent, COVEY_START_POWER_ON, 0);
  covey_model_view_t view{};
  if (covey_agent_model(agent, 0, &view) != COVEY_OK) {
    return failed(fmt::format("{} runs no {}: roll it out first", id(), options.model));
  }

  const std::string word = password();
  std::array<char, COVEY_TOPIC_BYTES_MAX> will_topic{};
  std::array<uint8_t, COVEY_BYE_BYTES_MAX> will{};
  covey_mqtt_connect_options connect{};
  connect.client_id = id().c_str();
  connect.username = id().c_str();
  connect.password = reinterpret_cast<const uint8_t*>(word.data());
  connect.password_size = word.size();
  connect.will_topic = will_topic.data();
  connect.will_payload = will.data();
  connect.will_size =
      covey_agent_will(agent, will_topic.data(), will_topic.size(), will.data(), will.size());
  connect.will_qos = 1;
  connect.keep_alive_s = kKeepAliveSeconds;
  connect_ = packets.connect(connect);

  covey_agent_connected(agent, 0);
  // Site{gateway_start_id: 1}: the agent says hello at once.
  constexpr std::array<uint8_t, 9> kSite{2 << 3 | 1, 1};
  constexpr std::string_view kSiteTopic = "covey/v1/site";
  covey_agent_receive(agent, kSiteTopic.data(), kSiteTopic.size(), kSite.data(), kSite.size(), 0,
                      kSite.size());
  covey_agent_poll(agent, 0);
  if (hello_.empty() || made.failed) return failed(fmt::format("{} says no hello", id()));

  const Bytes session = hello_;
  for (uint32_t number = 1; number <= options.reports; ++number) {
    for (uint32_t i = 0; i < options.inferences; ++i) made.record();
    covey_agent_poll(agent, uint64_t{number} * options.interval_ms);
    if (ends_.size() != number || made.failed) {
      return failed(fmt::format("{} made {} reports instead of {}", id(), ends_.size(), number));
    }
    const covey_stream_ack_t ack{view.manifest, 0, number};
    covey_delivery_ack(agent, covey_agent_boot_id(agent), &ack);
  }
  hello_ = session;  // without the statuses of later
  made.packets = nullptr;
  reports_.shrink_to_fit();
  return {};
}

ByteView PremadeDevice::reports(uint32_t first, uint32_t last) const {
  const size_t begin = first == 1 ? 0 : ends_[first - 2];
  return ByteView(reports_).subspan(begin, ends_[last - 1] - begin);
}

bool Acknowledgement::covers(uint32_t sequence) const {
  const covey_stream_ack_t ack{nullptr, bitmap, cumulative};
  return of_stream && covey_window_acknowledged(&ack, sequence);
}

Result<Acknowledgement> PremadeDevice::read_ack(ByteView payload, bool sealed) const {
  covey_agent_t* agent = &made_->agent;
  covey_bytes_t message{payload.data(), payload.size()};
  if (sealed && covey_seal_open(agent, "ack", &message) != COVEY_OK) {
    return invalid("ACK", "its MAC is not this device's");
  }
  AckNumbers numbers{};
  if (!covey_read_members(message, kAckMembers, &numbers)) return invalid("ACK", "no protobuf");
  Acknowledgement ack;
  if (numbers.boot_id != covey_agent_boot_id(agent)) return ack;
  ack.answers_hello = numbers.reports_only == 0;
  ack.backoff_ms = numbers.backoff_ms;
  const uint8_t* const manifest = covey_slot_digest(&agent->models[0], agent->models[0].active);
  covey_bytes_t item;
  while (covey_read_next(&message, 2, &item)) {
    covey_stream_ack_t stream{};
    if (!covey_read_members(item, kStreamMembers, &stream) || stream.manifest == nullptr ||
        std::memcmp(stream.manifest, manifest, COVEY_PREFIX_BYTES) != 0) {
      return invalid("ACK", "of a stream that this device has not");
    }
    ack.of_stream = true;
    ack.cumulative = stream.cumulative;
    ack.bitmap = stream.bitmap;
  }
  return ack;
}

Result<std::vector<std::unique_ptr<PremadeDevice>>> open_devices(const PremadeOptions& options) {
  simulator::FleetOptions fleet;
  Result<std::vector<simulator::ClassSpec>> classes = simulator::parse_classes(options.classes);
  if (!classes) return classes.error();
  fleet.classes = *std::move(classes);
  fleet.id_prefix = options.id_prefix;
  const Result<std::vector<simulator::DeviceSpec>> specs = simulator::assign_fleet(fleet);
  if (!specs) return specs.error();
  if (options.devices > specs->size()) {
    return failed(
        fmt::format("the fleet has {} devices, {} are asked for", specs->size(), options.devices));
  }
  std::vector<std::unique_ptr<PremadeDevice>> devices;
  for (uint32_t i = 0; i < options.devices; ++i) {
    Result<std::unique_ptr<PremadeDevice>> device = PremadeDevice::open(options, (*specs)[i]);
    if (!device) return device.error();
    devices.push_back(*std::move(device));
  }
  return devices;
}

}  // namespace covey::bench
