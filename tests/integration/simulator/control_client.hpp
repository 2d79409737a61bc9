// SPDX-License-Identifier: Apache-2.0
// The test's end of covey-sim's control channel. Runs the io_context while it waits, so that the
// played gateway goes on answering. One thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace covey::simulator_test {

// Runs the loop until the condition holds; false when time ran out.
bool run_until(boost::asio::io_context& io, std::chrono::seconds limit,
               const std::function<bool()>& condition);

class ControlClient {
 public:
  ControlClient(boost::asio::io_context& io, std::string path) : io_(io), path_(std::move(path)) {}

  // The reply; {"ok": false} with a reason when there is none in time.
  nlohmann::json call(const nlohmann::json& request);

 private:
  boost::asio::io_context& io_;
  std::string path_;
};

}  // namespace covey::simulator_test
