// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/simulator/control_client.hpp"

#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <istream>

namespace covey::simulator_test {

namespace asio = boost::asio;

bool run_until(asio::io_context& io, std::chrono::seconds limit,
               const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    io.restart();
    io.run_for(std::chrono::milliseconds(20));
  }
  return true;
}

nlohmann::json ControlClient::call(const nlohmann::json& request) {
  const auto failed = [](const char* why) {
    return nlohmann::json{{"ok", false}, {"reason", "TEST"}, {"message", why}};
  };
  asio::local::stream_protocol::socket socket(io_);
  const bool connected = run_until(io_, std::chrono::seconds(10), [&] {
    boost::system::error_code error;
    socket.close(error);
    socket.connect(asio::local::stream_protocol::endpoint(path_), error);
    return !error;
  });
  if (!connected) return failed("covey-sim does not listen");
  asio::write(socket, asio::buffer(request.dump() + "\n"));
  asio::streambuf input;
  bool done = false;
  asio::async_read_until(socket, input, '\n',
                         [&](const boost::system::error_code&, size_t) { done = true; });
  const bool answered = run_until(io_, std::chrono::seconds(90), [&] { return done; });
  if (!answered) {
    socket.close();
    run_until(io_, std::chrono::seconds(1), [&] { return done; });
    return failed("no reply");
  }
  std::istream in(&input);
  std::string line;
  std::getline(in, line);
  const nlohmann::json reply = nlohmann::json::parse(line, nullptr, false);
  return reply.is_discarded() ? failed("the reply is no JSON") : reply;
}

}  // namespace covey::simulator_test
