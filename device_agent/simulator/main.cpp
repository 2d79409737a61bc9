// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <csignal>

#include "device_agent/simulator/options.hpp"
#include "device_agent/simulator/simulator.hpp"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that may have been closed
  covey::simulator::ParsedOptions parsed = covey::simulator::parse_options(argc, argv);
  if (!parsed.options) return parsed.exit_code;
  covey::simulator::Simulator simulator(*std::move(parsed.options));
  const covey::Status started = simulator.start();
  if (!started) {
    fmt::print(stderr, "covey-sim: {}: {}\n", started.error().reason, started.error().message);
    return 1;
  }
  return simulator.run();
}
