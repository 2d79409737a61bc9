// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/device.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/assert.hpp"
#include "covey/port_openssl.h"

namespace covey::sim {
namespace {

constexpr std::array<uint8_t, 4> kMagic{'S', 'I', 'M', '1'};
constexpr uint32_t kEraseUnit = 1024;
constexpr uint32_t kJournalBytes = 8 * kEraseUnit;

Digest digest_at(const uint8_t* bytes) { return *digest_from_bytes(ByteView(bytes, 32)); }

// ---- a runtime of "your own C function" (docs/design/agent.md, "Runtimes"): the simulator's model
// format

struct SimRuntime {
  const uint8_t* model = nullptr;
};

SimRuntime* self(void* ctx) { return static_cast<SimRuntime*>(ctx); }

bool is_model(const uint8_t* model, size_t size) {
  return size >= 16 && std::memcmp(model, kMagic.data(), kMagic.size()) == 0;
}

int arena_required(void*, const uint8_t* model, size_t size, size_t* arena_bytes) {
  if (!is_model(model, size)) return COVEY_RUNTIME_NOT_TFLITE;
  *arena_bytes = kArenaBytes;
  return 0;
}

int load(void* ctx, const uint8_t* model, size_t size, uint8_t*, size_t arena_size) {
  if (!is_model(model, size)) return COVEY_RUNTIME_NOT_TFLITE;
  if (arena_size < kArenaBytes) return COVEY_RUNTIME_ARENA_TOO_SMALL;
  if (model[4] == static_cast<uint8_t>(Behaviour::kLoadFails)) return COVEY_RUNTIME_MODEL_CORRUPT;
  self(ctx)->model = model;
  return 0;
}

int describe(void* ctx, covey_model_format_t* format) {
  if (self(ctx)->model == nullptr) return COVEY_RUNTIME_NOT_LOADED;
  *format = {{2, 1 << 30, 0, 0}, {2, 1 << 30, 0, 0}};
  return 0;
}

int invoke(void* ctx, const int8_t* input, size_t input_size, int8_t* output, size_t output_size) {
  const uint8_t* model = self(ctx)->model;
  if (model == nullptr) return COVEY_RUNTIME_NOT_LOADED;
  if (input_size != 2 || output_size != 2) return COVEY_RUNTIME_INPUT_SIZE;
  const auto behaviour = static_cast<Behaviour>(model[4]);
  if (behaviour == Behaviour::kInvokeFails) return COVEY_RUNTIME_INVOKE_FAILED;
  const bool second = input[0] > input[1];
  output[0] = second ? -100 : 100;
  output[1] = second ? 100 : -100;
  if (behaviour == Behaviour::kWrongOutput) std::swap(output[0], output[1]);
  return 0;
}

void unload(void* ctx) { self(ctx)->model = nullptr; }

}  // namespace

Bytes make_model(Behaviour behaviour, uint32_t salt, size_t size) {
  Bytes model(std::max<size_t>(size, 16));
  std::copy(kMagic.begin(), kMagic.end(), model.begin());
  model[4] = static_cast<uint8_t>(behaviour);
  Random filler(salt);
  for (size_t i = 8; i < model.size(); ++i) model[i] = static_cast<uint8_t>(filler.next());
  return model;
}

struct Device::Memory {
  covey_agent_t agent{};
  covey_agent_config_t config{};
  covey_model_config_t model{};
  covey_telemetry_t telemetry{};
  covey_retained_t retained{};
  covey_port_t port{};
  covey_runtime_t runtime{};
  SimRuntime runtime_state;
  alignas(COVEY_ARENA_ALIGN) std::array<uint8_t, 1024> arena{};
  std::array<uint8_t, COVEY_SEND_BYTES_MIN> send{};
  std::array<uint8_t, 8192> receive{};
};

struct DeviceCallbacks {
  static Device& device(void* ctx) { return *static_cast<Device*>(ctx); }
  static int publish(void* ctx, const char* topic, const uint8_t* payload, size_t size, uint8_t) {
    Device& d = device(ctx);
    d.manners_.said(topic, d.schedule_.now());
    d.network_.publish(d.id().str(), topic, Bytes(payload, payload + size), false);
    return 0;
  }
  static int subscribe(void* ctx, const char* topic, uint8_t) {
    Device& d = device(ctx);
    d.network_.subscribe(d.id().str(), topic);
    return 0;
  }
  static int unsubscribe(void* ctx, const char* topic) {
    Device& d = device(ctx);
    d.network_.unsubscribe(d.id().str(), topic);
    return 0;
  }
  static int random(void* ctx, void* into, size_t size) {
    auto* bytes = static_cast<uint8_t*>(into);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(device(ctx).random_.next());
    return 0;
  }
  static void event(void* ctx, covey_event_t event, size_t) {
    if (event == COVEY_EVENT_CREDENTIALS) device(ctx).credentials_changed_ = true;
  }
};

Device::Device(Schedule& schedule, Random& random, Network& network, DeviceSetup setup)
    : schedule_(schedule), random_(random), network_(network), setup_(std::move(setup)) {
  const covey_host_geometry_t geometry{.size_bytes = kJournalBytes + 2 * setup_.slot_bytes,
                                       .erase_unit_bytes = kEraseUnit,
                                       .write_align_bytes = 8,
                                       .erased_value = 0xff};
  COVEY_ASSERT(covey_host_flash_memory(&flash_, &geometry, true) == 0);
  covey_host_store_memory(&store_);
  for (size_t i = 0; i < places_.size(); ++i) {
    covey_host_store_memory(&places_[i]);
    outbox_[i] = covey_host_store_port(&places_[i]);
  }
  for (const PublicKey& key : setup_.trusted) {
    keys_.push_back(covey_openssl_public_key(static_cast<uint32_t>(key.algorithm()),
                                             key.raw().data(), key.raw().size()));
  }
}

Device::~Device() { covey_host_flash_close(&flash_); }

uint64_t Device::uptime_ms() const {
  return static_cast<uint64_t>((schedule_.now() - booted_).count());
}

void Device::power_on() {
  if (powered_) return;
  covey_host_flash_power_on(&flash_);
  store_.dead = false;
  for (covey_host_store_t& place : places_) place.dead = false;
  powered_ = true;
  connected_ = false;
  credentials_changed_ = false;
  booted_ = schedule_.now();
  ++life_;
  ++truth_.starts;
  memory_ = std::make_unique<Memory>();
  Memory& m = *memory_;
  m.runtime = {.ctx = &m.runtime_state,
               .name = "sim",
               .arena_required = arena_required,
               .load = load,
               .describe = describe,
               .invoke = invoke,
               .unload = unload};
  m.port.flash = covey_host_flash_port(&flash_);
  m.port.crypto = covey_openssl_crypto();
  // Randomness is the seed's, so that a run can be repeated.
  m.port.crypto.ctx = this;
  m.port.crypto.random = DeviceCallbacks::random;
  m.port.store = covey_host_store_port(&store_);
  m.port.outbox = outbox_.data();
  m.port.outbox_places = static_cast<uint32_t>(outbox_.size());
  m.port.link = {.ctx = this,
                 .publish = DeviceCallbacks::publish,
                 .subscribe = DeviceCallbacks::subscribe,
                 .unsubscribe = DeviceCallbacks::unsubscribe};
  m.model.name = "sim-model";
  m.model.slots[0] = {kJournalBytes, setup_.slot_bytes};
  m.model.slots[1] = {kJournalBytes + setup_.slot_bytes, setup_.slot_bytes};
  m.model.slot_count = 2;
  m.model.runtime = &m.runtime;
  m.model.arena = m.arena.data();
  m.model.arena_bytes = static_cast<uint32_t>(m.arena.size());
  m.model.telemetry = &m.telemetry;
  m.config.device_id = setup_.id.str().c_str();
  m.config.device_class = setup_.device_class.c_str();
  m.config.firmware = "sim-1";
  m.config.runtime = 2;
  m.config.algorithms = 1U << COVEY_ALGORITHM_ES256 | 1U << COVEY_ALGORITHM_ED25519;
  m.config.keys = keys_.data();
  m.config.key_count = keys_.size();
  m.config.models = &m.model;
  m.config.model_count = 1;
  m.config.journal_offset = 0;
  m.config.journal_bytes = kJournalBytes;
  m.config.send_buffer = m.send.data();
  m.config.send_bytes = m.send.size();
  m.config.receive_buffer = m.receive.data();
  m.config.receive_bytes = m.receive.size();
  m.config.port = &m.port;
  m.config.retained = &m.retained;
  m.config.times = {.report_interval_ms = 10'000,
                    .probation_inferences = 5,
                    .probation_ms = 60'000,
                    .grant_ms = 120'000,
                    .retry_min_ms = 1'000,
                    .retry_max_ms = 20'000,
                    .progress_ms = 2'000,
                    .keep_ms = 30'000};
  m.config.app = this;
  m.config.event = DeviceCallbacks::event;
  const uint64_t life = life_;
  // A cut may come in the middle of either call.
  int status = covey_config_check(&m.config);
  if (status == 0) status = covey_agent_init(&m.agent, &m.config);
  if (!flash_.dead) COVEY_ASSERT(status == 0);
  if (status == 0) status = covey_agent_start(&m.agent, COVEY_START_POWER_ON, 0);
  if (!flash_.dead) COVEY_ASSERT(status == 0);
  if (!flash_.dead && shown_known_ && confirmed() != shown_) {
    lost_ = "showed " + (shown_ ? to_hex(*shown_) : "nothing") + " as confirmed, and starts with " +
            (confirmed() ? to_hex(*confirmed()) : "nothing");
  }
  after_call();
  if (life != life_ || !powered_) return;
  poll(life);
  infer(life);
}

void Device::power_off() {
  if (!powered_) return;
  ++truth_.power_cuts;
  forget();
  stop();
}

void Device::reset(Millis downtime) {
  if (!powered_) return;
  covey_agent_flush(&memory_->agent, uptime_ms());
  after_call();
  if (!powered_) return;
  ++truth_.resets;
  forget();
  stop();
  schedule_.after(downtime, [this] { power_on(); });
}

void Device::stop() {
  truth_.chunks = chunks_fetched();
  powered_ = false;
  ++life_;
  network_.disconnect(id().str(), false);
  connected_ = false;
  memory_.reset();
}

void Device::forget() {
  const covey_telemetry_t& t = memory_->telemetry;
  const auto add = [&](uint8_t stream, uint64_t inferences) {
    if (inferences == 0) return;
    for (const auto& [manifest, made] : truth_.inferences) {
      if (std::memcmp(manifest.bytes.data(), t.streams[stream].manifest, COVEY_PREFIX_BYTES) == 0) {
        truth_.forgotten[manifest] += inferences;
      }
    }
  };
  for (const covey_open_window_t& open : t.open) {
    if (t.stream != COVEY_NO_STREAM) add(t.stream, open.tally.inferences);
  }
  for (const covey_window_t& window : t.windows) {
    if (window.merged != 0 && !window.kept) add(window.stream, window.tally.inferences);
  }
}

void Device::cut_at_flash_operation(uint64_t in) {
  if (!powered_) return;
  flash_.cut_at = flash_.operations + 1 + in;
  flash_.tear = static_cast<covey_host_tear_t>(random_.below(5));
  flash_.seed = static_cast<uint32_t>(random_.next());
}

void Device::after_call() {
  if (powered_) {
    shown_known_ = !flash_.dead;
    shown_ = confirmed();
  }
  if (powered_ && flash_.dead) {
    store_.dead = true;
    for (covey_host_store_t& place : places_) place.dead = true;
    power_off();
    schedule_.after(random_.between(100ms, 5s), [this] { power_on(); });
  }
}

void Device::disconnect(Millis downtime) {
  blocked_until_ = std::max(blocked_until_, schedule_.now() + downtime);
  network_.disconnect(id().str(), false);
  if (connected_ && powered_) {
    connected_ = false;
    covey_agent_disconnected(&memory_->agent, uptime_ms());
    after_call();
  }
}

void Device::connect() {
  if (connected_ || !network_.up() || schedule_.now() < blocked_until_) return;
  const uint64_t life = life_;
  const bool accepted = network_.connect(
      id().str(), {.message =
                       [this, life](const std::string& topic, const Bytes& payload) {
                         if (life != life_ || !powered_) return;
                         manners_.heard(topic);
                         const uint64_t start_id = memory_->agent.gateway_start_id;
                         (void)covey_agent_receive(&memory_->agent, topic.data(), topic.size(),
                                                   payload.data(), payload.size(), 0,
                                                   payload.size());
                         if (memory_->agent.gateway_start_id != start_id) manners_.begin();
                         after_call();
                         if (life == life_ && powered_) poll(life);
                       },
                   .disconnected =
                       [this, life] {
                         if (life != life_ || !powered_) return;
                         connected_ = false;
                         covey_agent_disconnected(&memory_->agent, uptime_ms());
                       }});
  if (!accepted) return;
  std::array<char, COVEY_TOPIC_BYTES_MAX> topic{};
  std::array<uint8_t, COVEY_BYE_BYTES_MAX> will{};
  const size_t size =
      covey_agent_will(&memory_->agent, topic.data(), topic.size(), will.data(), will.size());
  if (size > 0)
    network_.set_will(id().str(), topic.data(),
                      Bytes(will.begin(), will.begin() + static_cast<std::ptrdiff_t>(size)));
  connected_ = true;
  manners_.begin();
  credentials_changed_ = false;
  covey_agent_connected(&memory_->agent, uptime_ms());
}

void Device::poll(uint64_t life) {
  if (life != life_ || !powered_) return;
  if (credentials_changed_ && connected_) disconnect(Millis{0});
  if (!powered_) return;
  connect();
  uint32_t wait = 0;
  // Bounded: an agent that always has more to do would be a bug.
  for (int i = 0; i < 1000 && wait == 0; ++i) {
    wait = covey_agent_poll(&memory_->agent, uptime_ms());
    after_call();
    if (life != life_ || !powered_) return;
  }
  const uint64_t number = ++poll_number_;
  const Millis next = std::clamp<Millis>(Millis{wait}, 1ms, 1s);
  schedule_.after(next, [this, life, number] {
    if (number == poll_number_) poll(life);
  });
}

void Device::infer(uint64_t life) {
  if (life != life_ || !powered_) return;
  covey_model_view_t view{};
  if (inferring_ && covey_agent_model(&memory_->agent, 0, &view) == 0 && view.model != nullptr) {
    const std::array<int8_t, 2> input{static_cast<int8_t>(random_.below(200)),
                                      static_cast<int8_t>(random_.below(200))};
    std::array<int8_t, 2> output{};
    const Digest manifest = digest_at(view.manifest);
    const int status = covey_agent_invoke(&memory_->agent, 0, input.data(), input.size(),
                                          output.data(), output.size());
    const std::array<int16_t, 2> features{input[0], input[1]};
    covey_inference_t inference{};
    inference.features = features.data();
    inference.feature_count = 2;
    inference.latency_us = 100;
    inference.failed = status != 0;
    if (status == 0) covey_classify(output.data(), output.size(), &inference);
    const uint32_t id = covey_agent_record_inference(&memory_->agent, 0, &inference);
    if (id != 0) {
      ++truth_.inferences[manifest];
      if (on_inference) on_inference(boot_id(), id, manifest, inference.class_index);
    }
    after_call();
  }
  if (life != life_ || !powered_) return;
  const uint64_t number = ++infer_number_;
  schedule_.after(setup_.inference_interval, [this, life, number] {
    if (number == infer_number_) infer(life);
  });
}

void Device::flush() {
  if (!powered_) return;
  covey_agent_flush(&memory_->agent, uptime_ms());
  poll(life_);
}

uint64_t Device::chunks_fetched() const {
  return truth_.chunks +
         (powered_ ? covey_agent_counters(&memory_->agent)->chunks_fetched : uint64_t{0});
}

bool Device::quiet() const { return powered_ && covey_agent_quiet(&memory_->agent); }

std::string Device::unsettled() const {
  if (!powered_) return "no power";
  const covey_agent_t& a = memory_->agent;
  return std::string(connected_ ? "connected" : "not connected") +
         (a.site_seen ? "" : ", no site message") + (a.hello_due ? ", hello not answered" : "") +
         ", status " + std::to_string(a.status_acked) + " of " + std::to_string(a.status_number) +
         ", " + std::to_string(covey_agent_unacknowledged(&a, 0)) + " inferences unacknowledged, " +
         std::to_string(a.counters.mac_invalid) + " bad macs, " +
         std::to_string(a.counters.malformed) + " malformed, " + std::to_string(a.counters.bugs) +
         " bugs";
}

std::optional<Digest> Device::confirmed() const {
  if (!powered_) return std::nullopt;
  covey_model_status_t status{};
  if (covey_agent_model_status(&memory_->agent, 0, &status) != 0 || status.confirmed == nullptr) {
    return std::nullopt;
  }
  return digest_at(status.confirmed);
}

std::optional<Digest> Device::active() const {
  if (!powered_) return std::nullopt;
  covey_model_status_t status{};
  if (covey_agent_model_status(&memory_->agent, 0, &status) != 0 || status.active == nullptr) {
    return std::nullopt;
  }
  return digest_at(status.active);
}

bool Device::runnable() const {
  if (!powered_) return false;
  covey_model_view_t view{};
  return covey_agent_model(&memory_->agent, 0, &view) == 0 && view.model != nullptr;
}

uint64_t Device::goal_counter() const {
  return powered_ ? covey_agent_goal_counter(&memory_->agent) : 0;
}

uint64_t Device::boot_id() const { return powered_ ? covey_agent_boot_id(&memory_->agent) : 0; }

}  // namespace covey::sim
