// SPDX-License-Identifier: Apache-2.0
// The gateway's side of the wire in its simplest form, over a real broker: accepts every device,
// offers one release to all, grants every probation, serves chunks, acknowledges reports and counts
// them. What it says is built with libprotobuf, so that the agent's own codec meets another one.
// One thread, that of the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "covey/device/v1/device.pb.h"
#include "device_agent/simulator/link/connection.hpp"
#include "tests/integration/simulator/release.hpp"

namespace covey::simulator_test {

namespace wire = covey::device::v1;

class PlayedGateway final : private simulator::ConnectionListener {
 public:
  struct Device {
    std::string order_key;
    uint64_t boot = 0;
    uint64_t nonce = 0;
    uint64_t counter = 0;
    wire::ModelState state;
    wire::DeviceFacts facts;
    bool granted = false;
    int hellos = 0;
  };

  PlayedGateway(boost::asio::io_context& io, uint16_t port);

  bool connected() const { return connection_.connected(); }
  // The release becomes every device's goal, also of those that come later.
  void offer(const Release& release);

  const std::map<std::string, Device>& devices() const { return devices_; }
  // Devices that proved to run the release confirmed.
  size_t confirmed_on(const Release& release) const;
  // As (device, boot, manifest prefix in hex) -> inferences, each window once.
  std::map<std::tuple<std::string, std::string, std::string>, uint64_t> counted() const;
  uint64_t counted_total() const;

  int bad_macs = 0;
  int unparsable = 0;
  int byes = 0;
  int gaps = 0;  // reports whose running total is not the sum of what came before

 private:
  void on_connected() override;
  void on_message(const char* topic, std::span<const uint8_t> piece, size_t offset,
                  size_t total) override;
  void on_published() override { pump(); }
  void on_closed(std::string_view reason) override;

  void handle(const std::string& topic, const std::string& payload);
  void on_enroll(const std::string& id, const std::string& payload);
  void on_hello(const std::string& id, const std::string& payload);
  void on_status(const std::string& id, const std::string& payload);
  void on_report(const std::string& id, const std::string& payload);
  void on_fetch(const std::string& id, const std::string& payload);
  void on_model_state(const std::string& id, const wire::ModelState& state);
  void send_goal(const std::string& id);
  void send_ack(const std::string& id, uint64_t boot, uint32_t status_number,
                const std::string& stream);
  void send(const std::string& id, const std::string& kind, std::string payload, bool with_mac,
            uint8_t qos);
  void publish(const std::string& topic, std::string_view payload, uint8_t qos);
  void pump();
  bool mac_good(const std::string& id, const std::string& kind, const std::string& payload);

  boost::asio::io_context& io_;
  uint16_t port_;
  simulator::Connection connection_;
  std::string incoming_;
  struct Outgoing {
    std::string topic;
    std::string payload;
    uint8_t qos;
  };
  std::vector<Outgoing> waiting_;  // for room in the connection
  std::map<std::string, Device> devices_;
  std::vector<Release> releases_;  // the last one is offered
  // (device, boot, manifest) -> sequence -> inferences
  std::map<std::tuple<std::string, uint64_t, std::string>, std::map<uint32_t, uint64_t>> windows_;
};

}  // namespace covey::simulator_test
