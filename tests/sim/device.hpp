// SPDX-License-Identifier: Apache-2.0
// The real C agent on simulated flash, radio and power, in virtual time. What it infers and what it
// confirmed is noted as the truth that the gateway is held against.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "covey/agent.h"
#include "covey/port_host.h"
#include "deploy/signing/keys.hpp"
#include "tests/sim/manners.hpp"
#include "tests/sim/network.hpp"

namespace covey::sim {

// The simulator's own model format: 16 bytes and padding. Behaviour is a byte, so that a release
// can be made that fails where it should.
enum class Behaviour : uint8_t { kGood = 0, kWrongOutput = 1, kInvokeFails = 2, kLoadFails = 3 };
Bytes make_model(Behaviour behaviour, uint32_t salt, size_t size);
inline constexpr uint32_t kArenaBytes = 64;

struct DeviceTruth {
  std::map<Digest, uint64_t> inferences;  // counted ones, by manifest, while power was kept
  std::map<Digest, uint64_t> forgotten;   // of these at most: lost with the memory at power cuts
  uint64_t starts = 0;
  uint64_t resets = 0;
  uint64_t power_cuts = 0;
  uint64_t chunks = 0;  // written, until the last stop
};

struct DeviceSetup {
  DeviceId id;
  std::string device_class = "sim";
  uint32_t slot_bytes = 16'384;
  std::vector<PublicKey> trusted;
  Millis inference_interval{1000};
};

class Device {
 public:
  Device(Schedule& schedule, Random& random, Network& network, DeviceSetup setup);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Told of each inference that was recorded: boot id, its number, manifest, class.
  std::function<void(uint64_t, uint32_t, const Digest&, uint32_t)> on_inference;

  void power_on();
  void power_off();                          // all at once; memory is lost
  void reset(Millis downtime);               // the firmware's own: what waits is in the outbox
  void cut_at_flash_operation(uint64_t in);  // power fails within one of the next operations
  void disconnect(Millis downtime);
  void set_inferring(bool inferring) { inferring_ = inferring; }
  void flush();

  const DeviceId& id() const { return setup_.id; }
  bool powered() const { return powered_; }
  bool quiet() const;
  uint64_t chunks_fetched() const;
  std::string unsettled() const;  // why it is not quiet
  std::optional<Digest> confirmed() const;
  std::optional<Digest> active() const;
  bool runnable() const;  // a model is loaded and answers
  const DeviceTruth& truth() const { return truth_; }
  // What it showed as confirmed and did not find again after a start; empty: all of it.
  const std::string& lost() const { return lost_; }
  const std::string& rude() const { return manners_.violation(); }
  uint64_t boot_id() const;
  uint64_t goal_counter() const;  // highest goal accepted
  const covey_host_flash_t& flash() const { return flash_; }

 private:
  struct Memory;  // what a power cut forgets
  void poll(uint64_t life);
  void infer(uint64_t life);
  void connect();
  void after_call();
  void forget();  // books what is neither acknowledged nor in the outbox
  void stop();
  uint64_t uptime_ms() const;

  Schedule& schedule_;
  Random& random_;
  Network& network_;
  const DeviceSetup setup_;
  covey_host_flash_t flash_{};
  covey_host_store_t store_{};
  std::array<covey_host_store_t, COVEY_OUTBOX_PLACES_MAX> places_{};
  std::array<covey_store_t, COVEY_OUTBOX_PLACES_MAX> outbox_{};
  std::unique_ptr<Memory> memory_;
  std::vector<covey_public_key_t> keys_;
  bool powered_ = false;
  bool inferring_ = true;
  bool connected_ = false;
  bool credentials_changed_ = false;
  Millis blocked_until_{0};
  Millis booted_{0};
  uint64_t life_ = 0;
  // What was confirmed after the last call; not known where flash failed within it: what was being
  // journaled may be whole.
  std::optional<Digest> shown_;
  bool shown_known_ = true;
  std::string lost_;
  Manners manners_;
  uint64_t poll_number_ = 0;
  uint64_t infer_number_ = 0;
  DeviceTruth truth_;

  friend struct DeviceCallbacks;
};

}  // namespace covey::sim
