// SPDX-License-Identifier: Apache-2.0
// One simulated device: the real agent on its hardware, its MQTT session, its sensor, its
// inference. All that is decided about messages, slots and counts is decided by the agent; this
// class only does what firmware does around it, plus the accidents.
//
// Owner thread: the io_context's only one. Nothing here blocks. Errors: what the agent refuses is
// in its own counters; what the simulation cannot go on with goes to Environment::fail.
#pragma once

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "covey/agent.h"
#include "device_agent/simulator/environment.hpp"
#include "device_agent/simulator/hardware.hpp"
#include "device_agent/simulator/link/connection.hpp"
#include "device_agent/simulator/random.hpp"
#include "device_agent/simulator/scenario.hpp"
#include "device_agent/simulator/sensor.hpp"

namespace covey::simulator {

class Device final : private ConnectionListener {
 public:
  // `directory`: where flash and identity persist; empty: in memory. Off until power_on().
  static Result<std::unique_ptr<Device>> build(Environment& environment, const DeviceSpec& spec,
                                               const std::string& directory);

  // Call build() instead: it opens the files.
  Device(Environment& environment, const DeviceSpec& spec, std::unique_ptr<Hardware> hardware);

  const DeviceSpec& spec() const { return spec_; }

  // `connect_after`: the share of the jitter that this device waits.
  Status power_on(covey_start_cause_t cause, std::chrono::milliseconds connect_after);
  void apply(const Action& action);
  void disconnect();      // a lost link; it comes back by itself
  void reboot();          // as firmware does it: what waits goes to the outbox
  void plan_power_cut();  // in one of the next flash operations, or soon without one
  // Ends it for good: books what RAM alone still held.
  void shut_down();

  void inference_changed();  // Environment::inference_paused did
  void sabotage_changed();
  void flush();
  // Nothing is on its way and every inference is acknowledged.
  bool settled() const;
  uint64_t unacknowledged() const;

  bool powered() const { return powered_; }
  bool offline() const { return offline_; }
  bool online() const { return connection_.connected() && on_device_listener_; }
  bool enrolled() const { return powered_ && covey_agent_enrolled(&agent_); }
  bool has_model() const;
  covey_phase_t phase() const;
  nlohmann::json slots() const;
  const covey_counters_t& agent_counters() const { return agent_.counters; }

 private:
  using Clock = std::chrono::steady_clock;
  using TimePoint = Clock::time_point;

  void configure();
  uint64_t at_risk() const;  // inferences neither acknowledged nor in the outbox
  void on_connected() override;
  void on_message(const char* topic, std::span<const uint8_t> piece, size_t offset,
                  size_t total) override;
  void on_published() override {}  // only the gateway's own acknowledgements count
  void on_closed(std::string_view reason) override;

  int publish(const char* topic, std::span<const uint8_t> payload, uint8_t qos);
  void on_event(covey_event_t event);

  uint64_t uptime_ms() const;
  void run();
  void after_agent();  // after every call into the agent
  void schedule();
  void connect();
  void infer();
  void retry_connect();
  bool use_certificate(ConnectionOptions& options) const;
  // Everything in RAM is gone. `booked`: the truth says so.
  void power_off(bool booked, bool power_lost, covey_start_cause_t next_cause);
  void leave();  // ends the connection and tells the agent

  Environment& environment_;
  DeviceSpec spec_;
  std::unique_ptr<Hardware> hardware_;
  covey_port_t port_{};
  covey_agent_config_t config_{};
  std::vector<uint8_t> receive_buffer_;
  std::array<uint8_t, COVEY_CLAIM_PROOF_BYTES> claim_proof_{};
  covey_agent_t agent_{};
  Sensor sensor_;
  Random random_;
  Connection connection_;
  boost::asio::steady_timer timer_;

  TimePoint boot_at_{};
  TimePoint power_on_at_ = TimePoint::max();
  TimePoint poll_at_ = TimePoint::max();
  TimePoint connect_at_ = TimePoint::max();
  TimePoint infer_at_ = TimePoint::max();
  TimePoint cut_at_ = TimePoint::max();  // a planned power cut happens by then at the latest
  covey_start_cause_t next_cause_ = COVEY_START_POWER_ON;
  uint32_t connect_tries_ = 0;
  uint32_t refusals_ = 0;  // of its certificate or password, in a row
  uint32_t reports_sent_ = 0;
  bool powered_ = false;
  bool ended_ = false;
  bool offline_ = false;
  bool on_device_listener_ = false;
  bool paused_ = false;           // by scenario
  bool credentials_new_ = false;  // set by the agent's callback, acted on after its call
  bool swallow_ = false;          // --break reports: RAM is lost after this call
};

}  // namespace covey::simulator
