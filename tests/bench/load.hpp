// SPDX-License-Identifier: Apache-2.0
// A fleet's reports over one epoll loop: at a steady rate, or as fast as they are acknowledged.
// What it measures it keeps apart from what it costs: no allocation and no crypto while it sends.
// One thread. Errors: a Result with what to do; a device whose connection ends, ends the run.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/load_connection.hpp"
#include "tests/bench/premade.hpp"

namespace covey::bench {

struct LoadOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  SSL_CTX* tls = nullptr;      // null: plaintext; outlives the run
  double rate = 0;             // reports per second and device; 0: as fast as acknowledged
  uint32_t outstanding = 128;  // of a device, not acknowledged
  double warm_up_s = 2;
  double seconds = 10;  // that are measured
  bool gateway = true;  // answers a hello and seals what it says; the bare loop does neither
  std::vector<std::pair<std::string, pid_t>> watched;  // whose processor time is taken
};

struct LoadFigures {
  double seconds = 0;  // measured: the two counts and the processor time are of these
  uint64_t sent = 0;
  uint64_t acknowledged = 0;
  std::vector<float> latencies_ms;  // of those acknowledged then, since they were due or sent
  double late_max_ms = 0;           // a report behind its time: the generator had no processor
  uint64_t acks = 0;                // messages
  uint64_t resent = 0;              // in the whole run
  uint64_t payload_bytes = 0;       // of all reports that were made, MQTT's head included
  uint64_t unacknowledged = 0;      // at the end, although it waited
  std::vector<std::pair<std::string, double>> processor_s;
};

Result<LoadFigures> run_load(const LoadOptions& options,
                             const std::vector<std::unique_ptr<PremadeDevice>>& devices);

}  // namespace covey::bench
