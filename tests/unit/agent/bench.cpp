// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/bench.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace covey::agent_test {
namespace {

int publish(void* ctx, const char* topic, const uint8_t* payload, size_t size, uint8_t) {
  auto* device = static_cast<Device*>(ctx);
  if (device->publish_fails || !device->connected) return COVEY_ERROR_AGAIN;
  device->outbox.push_back({topic, Bytes(reinterpret_cast<const char*>(payload), size)});
  return 0;
}

int subscribe(void* ctx, const char* topic, uint8_t) {
  auto* device = static_cast<Device*>(ctx);
  if (device->publish_fails || !device->connected) return COVEY_ERROR_AGAIN;
  device->subscriptions.insert(topic);
  device->new_subscriptions.emplace_back(topic);
  return 0;
}

int unsubscribe(void* ctx, const char* topic) {
  static_cast<Device*>(ctx)->subscriptions.erase(topic);
  return 0;
}

void on_event(void* app, covey_event_t event, size_t) {
  static_cast<Device*>(app)->events.push_back(event);
}

int permit(void* app, size_t, uint32_t* retry_after_s) {
  *retry_after_s = 60;
  return -static_cast<int>(static_cast<Device*>(app)->permit_answer);
}

}  // namespace

Device::Device(const DeviceOptions& device_options) : options(device_options) {
  if (covey_host_flash_memory(&flash, &options.geometry, true) != 0) std::abort();
  covey_host_store_memory(&store);
  port.flash = covey_host_flash_port(&flash);
  port.crypto = covey_openssl_crypto();
  port.store = covey_host_store_port(&store);
  places.resize(options.outbox_places);
  for (covey_host_store_t& place : places) {
    covey_host_store_memory(&place);
    place_ports.push_back(covey_host_store_port(&place));
  }
  port.outbox = place_ports.data();
  port.outbox_places = options.outbox_places;
  port.link = {this, publish, subscribe, unsubscribe};

  keys = options.keys;
  if (keys.empty()) keys.push_back(author().anchor());
  const size_t count = options.models.size();
  runtimes.resize(count);
  shadow_runtimes.resize(count);
  arenas_.resize(count);
  uint32_t at = options.journal_bytes;
  const uint32_t unit = options.geometry.erase_unit_bytes;
  for (size_t k = 0; k < count; ++k) {
    adapters.push_back(runtimes[k].adapter());
    shadow_adapters.push_back(shadow_runtimes[k].adapter());
    telemetry.push_back(std::make_unique<covey_telemetry_t>());
  }
  for (size_t k = 0; k < count; ++k) {
    covey_model_config_t model{};
    model.name = options.models[k].c_str();
    model.slot_count = 2;
    for (covey_slot_t& slot : model.slots) {
      slot.offset = at;
      slot.size_bytes = (options.slot_bytes + unit - 1) / unit * unit;
      at += slot.size_bytes;
    }
    model.runtime = &adapters[k];
    model.arena = arenas_[k].bytes.data();
    model.arena_bytes = options.arena_bytes;
    if (options.shadow) model.shadow_runtime = &shadow_adapters[k];
    model.telemetry = telemetry[k].get();
    models.push_back(model);
  }
  send_buffer.resize(COVEY_SEND_BYTES_MIN);
  receive_buffer.resize(options.receive_bytes);
  config.device_id = "press-07";
  config.device_class = "m4f-256k";
  config.firmware = "bench-1";
  config.runtime = wire::RUNTIME_NATIVE;
  config.operator_set = 0x1122334455667788U;
  config.algorithms = 1U << COVEY_ALGORITHM_ES256 | 1U << COVEY_ALGORITHM_ED25519;
  config.preprocessing_id = 7;
  config.keys = keys.data();
  config.key_count = keys.size();
#if COVEY_ROOT
  config.root = {reinterpret_cast<const uint8_t*>(options.root.data()), options.root.size()};
#endif
  config.models = models.data();
  config.model_count = count;
  config.journal_offset = 0;
  config.journal_bytes = options.journal_bytes;
  config.send_buffer = send_buffer.data();
  config.send_bytes = send_buffer.size();
  config.receive_buffer = receive_buffer.data();
  config.receive_bytes = receive_buffer.size();
  config.port = &port;
  config.retained = &retained;
  config.times = options.times;
  config.app = this;
  config.event = on_event;
  config.permit = permit;
  if (!COVEY_ENROLMENT && provision() != 0) std::abort();
}

int Device::provision() {
  const std::vector<uint8_t> order_key(COVEY_ORDER_KEY_BYTES, 'k');
  const covey_credentials_t credentials{"press-07", "secret", "2a", 1};
  return covey_agent_provision(&port.store, &credentials, order_key.data());
}

Device::~Device() { covey_host_flash_close(&flash); }

bool Device::boot(covey_start_cause_t cause) {
  now_ms = 0;
  connected = false;
  outbox.clear();
  inbox.clear();
  subscriptions.clear();
  new_subscriptions.clear();
  for (FakeRuntime& runtime : runtimes) runtime.model = nullptr;
  for (FakeRuntime& runtime : shadow_runtimes) runtime.model = nullptr;
  running = true;
  int error = covey_config_check(&config);
  if (error == 0) error = covey_agent_init(&agent, &config);
  if (flash.dead) return false;
  if (error != 0) std::abort();
  covey_agent_start(&agent, cause, now_ms);
  return !flash.dead;
}

void Device::connect() {
  connected = true;
  covey_agent_connected(&agent, now_ms);
}

void Device::disconnect() {
  connected = false;
  inbox.clear();
  outbox.clear();
  subscriptions.clear();
  new_subscriptions.clear();
  covey_agent_disconnected(&agent, now_ms);
}

int Device::deliver(const Message& message) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(message.payload.data());
  const size_t total = message.payload.size();
  const size_t piece = options.piece_bytes == 0 ? std::max<size_t>(total, 1) : options.piece_bytes;
  int result = 0;
  for (size_t at = 0; at == 0 || at < total; at += piece) {
    /* Each piece from a buffer of its exact size: a sanitizer sees a read beyond it. */
    const std::vector<uint8_t> copy(bytes + at, bytes + std::min(total, at + piece));
    result = covey_agent_receive(&agent, message.topic.data(), message.topic.size(), copy.data(),
                                 copy.size(), at, total);
  }
  return result;
}

bool Device::infer(size_t model, int16_t feature, uint32_t latency_us) {
  int8_t input[kInputBytes] = {1, 2, 3, 4, 5, 6, 7, 8};
  int8_t output[kOutputBytes];
  const int16_t features[] = {feature, static_cast<int16_t>(-feature)};
  covey_inference_t inference{};
  inference.features = features;
  inference.feature_count = 2;
  inference.latency_us = latency_us;
  inference.failed =
      covey_agent_invoke(&agent, model, input, sizeof input, output, sizeof output) != 0;
  covey_classify(output, inference.failed ? 0 : sizeof output, &inference);
  if (covey_agent_record_inference(&agent, model, &inference) == 0) return false;
  ++inferred;
  return true;
}

covey_model_status_t Device::status(size_t model) const {
  covey_model_status_t status{};
  covey_agent_model_status(&agent, model, &status);
  return status;
}

namespace {
std::string text(const uint8_t* digest) {
  return digest == nullptr ? "" : std::string(reinterpret_cast<const char*>(digest), 32);
}
}  // namespace

std::string Device::active(size_t model) const { return text(status(model).active); }
std::string Device::confirmed(size_t model) const { return text(status(model).confirmed); }

void Bench::bring_up() {
  if (!device.boot()) std::abort();
  device.connect();
  run(1000);
  if (!covey_agent_enrolled(&device.agent)) std::abort();
  device.disconnect();
  device.connect();
  run(1000);
}

bool Bench::run(uint64_t ms, uint64_t infer_ms) {
  const uint64_t end = device.now_ms + ms;
  uint64_t next_infer = device.now_ms + infer_ms;
  for (;;) {
    if (device.flash.dead) return false;
    uint32_t wait = covey_agent_poll(&device.agent, device.now_ms);
    if (device.flash.dead) return false;
    const bool busy = !device.outbox.empty() || !device.new_subscriptions.empty();
    std::vector<Message> sent;
    sent.swap(device.outbox);
    for (const std::string& topic : device.new_subscriptions) {
      const auto found = gateway.retained.find(topic);
      if (found != gateway.retained.end() && cable) device.inbox.push_back({topic, found->second});
    }
    device.new_subscriptions.clear();
    std::deque<Message> answers;
    if (cable && device.connected) gateway.tick(answers);
    for (const Message& message : sent) {
      const bool lost = (lose_every != 0 && ++carried % lose_every == 0) ||
                        (passes != nullptr && !passes(message));
      if (cable && !lost) gateway.handle(message, answers);
    }
    for (Message& answer : answers) {
      const bool lost = lose_every != 0 && ++carried % lose_every == 0;
      if (cable && !lost) answers_due.emplace_back(device.now_ms + answer_ms, std::move(answer));
    }
    while (!answers_due.empty() && answers_due.front().first <= device.now_ms) {
      device.inbox.push_back(std::move(answers_due.front().second));
      answers_due.pop_front();
    }
    bool received = false;
    while (!device.inbox.empty()) {
      const Message message = device.inbox.front();
      const bool chunk = message.topic.find("/down/chunk") != std::string::npos;
      if (chunk && device.now_ms < next_chunk_ms) break;
      if (chunk) next_chunk_ms = device.now_ms + chunk_ms;
      device.inbox.pop_front();
      if (!device.connected || device.subscriptions.count(message.topic) == 0) continue;
      received = true;
      device.deliver(message);
      if (device.flash.dead) return false;
    }
    if (received || busy) continue;
    if (infer_ms != 0 && device.now_ms >= next_infer) {
      for (size_t k = 0; k < device.models.size(); ++k) device.infer(k);
      next_infer += infer_ms;
      continue;
    }
    if (device.now_ms >= end) return true;
    if (wait == 0) continue;
    uint64_t until = std::min<uint64_t>(end, device.now_ms + wait);
    if (infer_ms != 0) until = std::min(until, next_infer);
    if (!answers_due.empty()) until = std::min(until, answers_due.front().first);
    if (!device.inbox.empty()) until = std::min(until, next_chunk_ms);
    device.now_ms = std::max(until, device.now_ms);
  }
}

bool Bench::run_until(covey_phase_t phase, uint64_t ms, uint64_t infer_ms) {
  const uint64_t end = device.now_ms + ms;
  while (device.status().phase != phase) {
    if (device.now_ms >= end || !run(100, infer_ms)) return false;
  }
  return true;
}

bool Bench::reboot(covey_start_cause_t cause) {
  covey_host_flash_power_on(&device.flash);
  if (!device.boot(cause)) return false;
  device.connect();
  return true;
}

bool Bench::deploy(const Release& release, uint32_t attempt) {
  gateway.add(release);
  gateway.want({.candidate = &release, .attempt = attempt});
  const uint64_t end = device.now_ms + 120'000;
  while (device.status().phase != COVEY_PHASE_CONFIRMED || device.status().attempt != attempt) {
    if (device.now_ms >= end || !run(100, 50)) return false;
  }
  return device.active() == release.digest;
}

}  // namespace covey::agent_test
