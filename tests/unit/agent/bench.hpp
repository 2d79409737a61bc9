// SPDX-License-Identifier: Apache-2.0
// One device on the bench: the real agent over host flash, with a fake runtime, in virtual time.
// Tests drive it with Bench::run(), which carries messages between it and the test's gateway.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "covey/agent.h"
#include "covey/port_host.h"
#include "tests/unit/agent/artifacts.hpp"
#include "tests/unit/agent/fake_runtime.hpp"

namespace covey::agent_test {

struct Message {
  std::string topic;
  Bytes payload;
};

struct DeviceOptions {
  covey_host_geometry_t geometry{64U << 10U, 1024, 8, 0xff};
  std::vector<std::string> models = {"bearing"};
  uint32_t slot_bytes = 14U << 10U;
  uint32_t journal_bytes = 2048;
  uint32_t receive_bytes = 2048;
  std::vector<covey_public_key_t> keys;  // empty: author()
  Bytes root;                            // covey.device.v1.SignedRoot; empty: none
  bool shadow = false;                   // a second runtime for candidates
  uint32_t arena_bytes = 1024;
  size_t piece_bytes = 0;  // deliver messages in pieces; 0: whole
  uint32_t outbox_places = 0;
  covey_times_t times{};
};

class Device {
 public:
  explicit Device(const DeviceOptions& options = {});
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // What the bench's gateway would grant, by the production line.
  int provision();
  // Init and start; the flash must have power. False: power failed on the way.
  bool boot(covey_start_cause_t cause = COVEY_START_POWER_ON);
  void connect();
  void disconnect();
  int deliver(const Message& message);
  void publish_again() { publish_fails = false; }

  // One inference of the active model with made-up features; false: no model, or it failed.
  bool infer(size_t model = 0, int16_t feature = 10, uint32_t latency_us = 1000);

  covey_model_status_t status(size_t model = 0) const;
  std::string active(size_t model = 0) const;     // digest, "" none
  std::string confirmed(size_t model = 0) const;  // digest, "" none
  const covey_counters_t& counters() const { return *covey_agent_counters(&agent); }

  DeviceOptions options;
  covey_host_flash_t flash{};
  covey_host_store_t store{};
  std::vector<covey_host_store_t> places;  // of the port's outbox
  std::vector<covey_store_t> place_ports;
  covey_port_t port{};
  covey_retained_t retained{};
  std::vector<FakeRuntime> runtimes;
  std::vector<FakeRuntime> shadow_runtimes;
  std::vector<covey_runtime_t> adapters;
  std::vector<covey_runtime_t> shadow_adapters;
  std::vector<covey_model_config_t> models;
  std::vector<std::unique_ptr<covey_telemetry_t>> telemetry;
  std::vector<covey_public_key_t> keys;
  std::vector<uint8_t> send_buffer, receive_buffer;
  covey_agent_config_t config{};
  covey_agent_t agent{};

  uint64_t now_ms = 0;  // uptime
  bool running = false;
  bool connected = false;
  bool publish_fails = false;
  std::set<std::string> subscriptions;
  std::vector<std::string> new_subscriptions;  // whose retained messages are not delivered yet
  std::vector<Message> outbox;
  std::deque<Message> inbox;
  std::vector<covey_event_t> events;
  uint32_t permit_answer = 0;  // reason
  uint64_t inferred = 0;       // good and recorded, over all boots

 private:
  struct alignas(16) Arena {
    std::array<uint8_t, 1024> bytes;
  };
  std::vector<Arena> arenas_;
};

// What a device in the field was told: the gateway of docs/design/device-wire.md, as far as a
// device can see it.
class Gateway {
 public:
  Gateway();

  void add(const Release& release);
  // A goal in answer to the device's last hello. `mode` 0: no candidate.
  struct Want {
    std::string model = "bearing";
    const Release* candidate = nullptr;
    wire::GoalMode mode = wire::GOAL_MODE_ACTIVE;
    bool may_confirm = false;
    uint32_t attempt = 1;
    uint32_t security_floor = 0;
    uint32_t shadow_one_in = 0;
  };
  void want(const Want& want, uint32_t lease_s = 3600);
  void want(const std::vector<Want>& wants, uint32_t lease_s = 3600);
  // The goal message with the wanted contents and a counter of one's own choice.
  wire::Goal goal(uint64_t counter) const;
  Message sealed(const std::string& kind, std::string payload) const;

  // Reacts to a message of the device; answers go to `to`.
  void handle(const Message& message, std::deque<Message>& to);
  Message site() const;
  // What the gateway says of its own accord: a goal that changed, to a device that said hello.
  void tick(std::deque<Message>& to);

  const wire::ModelState* state(const std::string& model = "bearing") const;

  std::map<std::string, Bytes> retained;
  Bytes order_key;
  std::string device_id = "press-07";
  uint32_t site_epoch = 1;
  uint64_t counter = 0;
  uint64_t start_id = 77;

  // behaviour
  bool grant = true;  // confirm what reports PROBATION_OK
  bool ack_reports = true;
  bool ack_statuses = true;
  bool answer_hello = true;
  int64_t chunks_left = -1;  // serves that many, then none; -1: all
  wire::ChunkResult chunk_result = wire::CHUNK_RESULT_OK;
  uint32_t busy_ms = 500;
  int corrupt_chunks = 0;  // that many come damaged
  wire::EnrollState enroll_state = wire::ENROLL_STATE_ACCEPTED;

  std::optional<wire::Settings> settings;  // of every goal

  // what was seen
  std::optional<wire::Hello> hello;
  std::optional<wire::DeviceStatus> status;
  std::vector<wire::Fetch> fetches;
  std::vector<std::string> phases;  // of the first model, without repetition
  uint64_t chunks_sent = 0;
  uint64_t hellos = 0;
  int bad_macs = 0;

  // telemetry: windows by (boot, manifest prefix), sequence
  struct Stream {
    std::map<uint32_t, Bytes> windows;
    uint64_t inferences = 0;
    uint64_t errors = 0;
  };
  std::map<std::pair<uint64_t, Bytes>, Stream> streams;
  int changed_windows = 0;  // resent with other bytes: must stay 0
  uint64_t inferences() const;

 private:
  void publish_goal(std::deque<Message>& to);
  void send_ack(uint64_t boot_id, std::deque<Message>& to);
  bool unseal(const std::string& kind, const Bytes& payload);
  void on_states(const google::protobuf::RepeatedPtrField<wire::ModelState>& states,
                 std::deque<Message>& to);
  void on_fetch(const wire::Fetch& fetch, std::deque<Message>& to);
  void on_report(const Bytes& payload, std::deque<Message>& to);

  std::map<Bytes, Release> releases_;
  std::vector<Want> wants_;
  uint32_t lease_s_ = 0;
  bool goal_due_ = false;
  std::map<std::string, wire::ModelState> states_;
};

// A device and its gateway, with a network between them.
struct Bench {
  explicit Bench(const DeviceOptions& options = {}) : device(options) {}

  // Enrols, connects and says hello.
  void bring_up();
  // Lets virtual time pass; an inference of every model each `infer_ms` (0: none). Returns false
  // when power failed.
  bool run(uint64_t ms, uint64_t infer_ms = 0);
  // Until the model's phase is this one; false: not within `ms`.
  bool run_until(covey_phase_t phase, uint64_t ms = 120000, uint64_t infer_ms = 50);
  // Power off and on again.
  bool reboot(covey_start_cause_t cause = COVEY_START_POWER_ON);
  // From nothing to CONFIRMED.
  bool deploy(const Release& release, uint32_t attempt = 1);

  Device device;
  Gateway gateway;
  bool cable = true;        // false: the network carries nothing
  uint32_t lose_every = 0;  // every n-th message is lost
  uint32_t chunk_ms = 0;    // a slow link: so long from one chunk to the next
  uint64_t answer_ms = 0;   // until the gateway answers
  uint64_t next_chunk_ms = 0;
  std::deque<std::pair<uint64_t, Message>> answers_due;
  uint64_t carried = 0;
  std::function<bool(const Message&)> passes;  // false: this message to the gateway is lost
};

}  // namespace covey::agent_test
