// SPDX-License-Identifier: Apache-2.0
// The control channel: a Unix socket on which the demo and the tests send one JSON object per line
// and get one line back. A command may answer later; others on the same client wait for it.
//
// Only the owner may connect (mode 0600). Owner thread: the io_context's only one. Errors:
// CONTROL_SOCKET when the path cannot be bound or another covey-sim listens there.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/result.hpp"

namespace covey::simulator {

class ControlServer {
 public:
  using Reply = std::function<void(Result<nlohmann::json>)>;
  // Replies exactly once, now or later; a reply after the client has gone is dropped.
  using Handler = std::function<void(const nlohmann::json& request, Reply reply)>;

  static Result<std::unique_ptr<ControlServer>> listen(boost::asio::io_context& io,
                                                       const std::string& path, Handler handler);
  // Call listen() instead: it opens the socket.
  ControlServer(boost::asio::io_context& io, std::string path, Handler handler);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  class Client;

  void accept();

  std::string path_;
  std::shared_ptr<const Handler> handler_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
};

// {"ok": true, ...value} or {"ok": false, "reason", "message"}, one line.
std::string reply_line(const Result<nlohmann::json>& result);

}  // namespace covey::simulator
