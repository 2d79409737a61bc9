// SPDX-License-Identifier: Apache-2.0
// Devices that covey-sim left enrolled and with a confirmed model, and all they will say: every
// byte is made beforehand by the device agent and its MQTT client, so that sending costs nothing
// but a system call. The agent lives in a time of its own: poll() after poll(), a window each.
// Errors: a Result with what to do. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/result.hpp"
#include "device_agent/simulator/fleet.hpp"

namespace covey::bench {

struct PremadeOptions {
  std::string state_dir;  // covey-sim's --state, of a fleet that has ended
  std::string id_prefix;
  std::string classes;          // as covey-sim's --classes
  std::string model;            // that every device has confirmed
  uint32_t devices = 0;         // the first so many of the fleet
  uint32_t reports = 0;         // of each device
  uint32_t interval_ms = 1000;  // of uptime between two reports
  uint32_t inferences = 10;     // in each
};

// What one StreamAck covers.
struct Acknowledgement {
  bool answers_hello = false;
  bool of_stream = false;
  uint32_t backoff_ms = 0;
  uint32_t cumulative = 0;
  uint64_t bitmap = 0;

  bool covers(uint32_t sequence) const;
};

class PremadeDevice {
 public:
  struct Made;  // the agent and all around it

  // Enough to know its credentials; say() makes the messages.
  static Result<std::unique_ptr<PremadeDevice>> open(const PremadeOptions& options,
                                                     const simulator::DeviceSpec& spec);
  PremadeDevice();
  ~PremadeDevice();

  Status say(const PremadeOptions& options);

  const std::string& id() const;
  std::string password() const;
  // Whole MQTT packets.
  const Bytes& connect() const { return connect_; }
  const Bytes& subscribe() const { return subscribe_; }
  const Bytes& hello() const { return hello_; }  // and the first status
  uint32_t subscriptions() const { return subscriptions_; }
  uint32_t reports() const { return static_cast<uint32_t>(ends_.size()); }
  // Those with sequences first to last, 1 is the first: one after the other.
  ByteView reports(uint32_t first, uint32_t last) const;

  // What the gateway says in down/ack; the MAC is checked where it has one (`sealed`).
  // Errors: ACK with what is wrong.
  Result<Acknowledgement> read_ack(ByteView payload, bool sealed) const;

 private:
  friend struct Made;
  std::unique_ptr<Made> made_;
  Bytes connect_;
  Bytes subscribe_;
  Bytes hello_;
  Bytes reports_;
  std::vector<size_t> ends_;  // in reports_, by sequence - 1
  uint32_t subscriptions_ = 0;
};

// The first `options.devices` of the fleet.
Result<std::vector<std::unique_ptr<PremadeDevice>>> open_devices(const PremadeOptions& options);

}  // namespace covey::bench
