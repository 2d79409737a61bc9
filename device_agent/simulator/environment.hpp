// SPDX-License-Identifier: Apache-2.0
// What all devices of one covey-sim share: the loop, the command line, the truth, the brokers.
// Owner thread: the io_context's only one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "covey/port.h"
#include "device_agent/simulator/keys/manufacturer.hpp"
#include "device_agent/simulator/link/tls_stream.hpp"
#include "device_agent/simulator/options.hpp"
#include "device_agent/simulator/truth.hpp"

namespace covey::simulator {

struct FleetCounters {
  uint64_t connects = 0;
  uint64_t connections_lost = 0;
  uint64_t connects_refused = 0;
  std::string last_connect_error;  // of a connection that ended or did not come about
  uint64_t messages_out = 0;
  uint64_t messages_in = 0;
  uint64_t bytes_out = 0;
  uint64_t bytes_in = 0;
  uint64_t reboots = 0;
  uint64_t power_cuts = 0;
  uint64_t inferences_failed = 0;
  uint64_t reports_swallowed = 0;  // by --break reports
};

struct Environment {
  boost::asio::io_context& io;
  const Options& options;
  Truth& truth;
  boost::asio::ip::tcp::endpoint broker{};
  boost::asio::ip::tcp::endpoint enroll_broker{};
  boost::asio::ip::tcp::endpoint certificate_broker{};
  std::string enroll_user = "enroll";
  std::string enroll_token{};
  std::vector<uint8_t> claim_secret{};                 // empty: devices prove nothing
  std::shared_ptr<const Manufacturer> manufacturer{};  // null: nobody says who they are
  std::shared_ptr<const TlsTrust> trust{};             // null: plaintext
  std::vector<covey_public_key_t> keys{};
  std::string root{};                  // covey.device.v1.SignedRoot; empty: keys count
  std::vector<uint8_t> send_buffer{};  // scratch of every agent: they share the thread
  Sabotage sabotage = Sabotage::kNone;
  bool inference_paused = false;  // by quiesce
  FleetCounters counters{};
  // Something that no simulation can go on with, e.g. a full disk under the truth.
  std::function<void(const Error&)> fail{};
};

}  // namespace covey::simulator
