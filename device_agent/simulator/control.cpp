// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/control.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <istream>

namespace covey::simulator {
namespace {

namespace asio = boost::asio;
using Stream = asio::local::stream_protocol;
using boost::system::error_code;

constexpr size_t kLineBytesMax = 65536;

}  // namespace

std::string reply_line(const Result<nlohmann::json>& result) {
  nlohmann::json json;
  if (result) {
    json = *result;
    json["ok"] = true;
  } else {
    json = {{"ok", false}, {"reason", result.error().reason}, {"message", result.error().message}};
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

class ControlServer::Client : public std::enable_shared_from_this<Client> {
 public:
  Client(Stream::socket socket, std::shared_ptr<const Handler> handler)
      : socket_(std::move(socket)), handler_(std::move(handler)), input_(kLineBytesMax) {}

  void read() {
    asio::async_read_until(socket_, input_, '\n',
                           [self = shared_from_this()](const error_code& error, size_t) {
                             if (!error) return self->on_line();
                             if (error == asio::error::not_found) {
                               self->last_ = true;
                               self->write(invalid("LINE_TOO_LONG",
                                                   "a command is one line of at "
                                                   "most 64 KiB"));
                             }
                           });
  }

 private:
  void on_line() {
    std::istream in(&input_);
    std::string line;
    std::getline(in, line);
    const nlohmann::json request = nlohmann::json::parse(line, nullptr, false);
    if (!request.is_object() || !request.contains("command") || !request["command"].is_string()) {
      return write(invalid("BAD_COMMAND",
                           "send one JSON object per line, e.g. "
                           "{\"command\": \"status\"}"));
    }
    (*handler_)(request, [self = shared_from_this()](const Result<nlohmann::json>& result) {
      self->write(result);
    });
  }

  void write(const Result<nlohmann::json>& result) {
    output_ = reply_line(result);
    asio::async_write(socket_, asio::buffer(output_),
                      [self = shared_from_this()](const error_code& error, size_t) {
                        if (!error && !self->last_) self->read();
                      });
  }

  Stream::socket socket_;
  std::shared_ptr<const Handler> handler_;
  asio::streambuf input_;
  std::string output_;
  bool last_ = false;
};

ControlServer::ControlServer(asio::io_context& io, std::string path, Handler handler)
    : path_(std::move(path)),
      handler_(std::make_shared<const Handler>(std::move(handler))),
      acceptor_(io) {}

ControlServer::~ControlServer() {
  if (acceptor_.is_open()) unlink(path_.c_str());
}

Result<std::unique_ptr<ControlServer>> ControlServer::listen(asio::io_context& io,
                                                             const std::string& path,
                                                             Handler handler) {
  const auto failed = [&](std::string_view why) {
    return Error{Code::kUnavailable, "CONTROL_SOCKET", fmt::format("--control {}: {}", path, why)};
  };
  if (path.empty() || path.size() > 100) return failed("the path must have 1 to 100 characters");
  const Stream::endpoint endpoint(path);
  error_code error;
  Stream::socket probe(io);
  probe.connect(endpoint, error);
  if (!error) return failed("another covey-sim listens there");
  struct stat found {};
  if (lstat(path.c_str(), &found) == 0) {  // left behind by one that was killed
    if (!S_ISSOCK(found.st_mode)) return failed("exists and is no socket");
    unlink(path.c_str());
  }
  auto server = std::make_unique<ControlServer>(io, path, std::move(handler));
  server->acceptor_.open(endpoint.protocol(), error);
  const mode_t mask = umask(0177);
  if (!error) server->acceptor_.bind(endpoint, error);
  umask(mask);
  if (!error) server->acceptor_.listen(8, error);
  if (error) {
    error_code ignored;
    server->acceptor_.close(ignored);
    return failed(error.message());
  }
  server->accept();
  return server;
}

void ControlServer::accept() {
  acceptor_.async_accept([this](const error_code& error, Stream::socket socket) {
    if (error) return;  // closed
    std::make_shared<Client>(std::move(socket), handler_)->read();
    accept();
  });
}

}  // namespace covey::simulator
