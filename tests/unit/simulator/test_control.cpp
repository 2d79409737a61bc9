// SPDX-License-Identifier: Apache-2.0
// The control channel: lines in, lines out, late replies, hostile lines.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fstream>

#include "device_agent/simulator/control.hpp"

namespace covey::simulator {
namespace {

namespace asio = boost::asio;
using Json = nlohmann::json;

class ControlTest : public testing::Test {
 protected:
  ControlTest() {
    std::string pattern = testing::TempDir() + "covey-control-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/control";
  }
  ~ControlTest() override {
    server_.reset();
    io_.poll();
    std::filesystem::remove_all(directory_);
  }

  Status listen() {
    auto server =
        ControlServer::listen(io_, path_, [this](const Json& request, ControlServer::Reply reply) {
          if (request["command"] == "echo") return reply(Json{{"text", request["text"]}});
          if (request["command"] == "fail") return reply(precondition("NOT_NOW", "later"));
          waiting_ = std::move(reply);
        });
    if (!server) return server.error();
    server_ = *std::move(server);
    return {};
  }

  asio::local::stream_protocol::socket connect() {
    asio::local::stream_protocol::socket socket(io_);
    socket.connect(asio::local::stream_protocol::endpoint(path_));
    return socket;
  }

  // One line; "" at the end of the stream. Runs the server meanwhile.
  std::string read_line(asio::local::stream_protocol::socket& socket) {
    std::string line;
    char c = 0;
    while (true) {
      boost::system::error_code error;
      socket.non_blocking(true);
      if (socket.read_some(asio::buffer(&c, 1), error) == 1) {
        if (c == '\n') return line;
        line.push_back(c);
        continue;
      }
      if (error != asio::error::would_block) return line;
      io_.run_one();
    }
  }

  std::string directory_;
  std::string path_;
  asio::io_context io_;
  std::unique_ptr<ControlServer> server_;
  ControlServer::Reply waiting_;
};

TEST_F(ControlTest, CommandsAreAnsweredInOrderOneLineEach) {
  ASSERT_TRUE(listen().ok());
  auto client = connect();
  asio::write(client, asio::buffer(std::string("{\"command\": \"echo\", \"text\": \"a\\nb\"}\n"
                                               "{\"command\": \"fail\"}\n")));
  EXPECT_EQ(Json::parse(read_line(client)), (Json{{"ok", true}, {"text", "a\nb"}}));
  EXPECT_EQ(Json::parse(read_line(client)),
            (Json{{"ok", false}, {"reason", "NOT_NOW"}, {"message", "later"}}));
}

TEST_F(ControlTest, AReplyMayComeLaterOrFindNobody) {
  ASSERT_TRUE(listen().ok());
  auto client = connect();
  asio::write(client, asio::buffer(std::string("{\"command\": \"wait\"}\n")));
  while (!waiting_) io_.run_one();
  waiting_(Json{{"n", 1}});
  waiting_ = nullptr;
  EXPECT_EQ(Json::parse(read_line(client))["n"], 1);
  {
    auto gone = connect();
    asio::write(gone, asio::buffer(std::string("{\"command\": \"wait\"}\n")));
    while (!waiting_) io_.run_one();
  }
  waiting_(Json{{"n", 2}});
  waiting_ = nullptr;
  io_.poll();
}

TEST_F(ControlTest, LinesThatAreNoCommandGetAnError) {
  ASSERT_TRUE(listen().ok());
  auto client = connect();
  for (const char* line : {"nonsense\n", "[]\n", "{}\n", "{\"command\": 3}\n", "\n"}) {
    asio::write(client, asio::buffer(std::string(line)));
    EXPECT_EQ(Json::parse(read_line(client))["reason"], "BAD_COMMAND") << line;
  }
}

TEST_F(ControlTest, AnEndlessLineIsCutOff) {
  ASSERT_TRUE(listen().ok());
  auto client = connect();
  asio::write(client, asio::buffer(std::string(65536, 'x')));
  EXPECT_EQ(Json::parse(read_line(client))["reason"], "LINE_TOO_LONG");
  EXPECT_EQ(read_line(client), "");
}

TEST_F(ControlTest, OnlyTheOwnerMayConnectAndOnlyOneServerListens) {
  ASSERT_TRUE(listen().ok());
  struct stat found {};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  EXPECT_EQ(ControlServer::listen(io_, path_, {}).error().reason, "CONTROL_SOCKET");
}

TEST_F(ControlTest, ASocketLeftBehindIsReplacedAFileIsNot) {
  ASSERT_TRUE(listen().ok());
  std::filesystem::rename(path_, path_ + ".kept");
  server_.reset();
  std::filesystem::rename(path_ + ".kept", path_);  // as after kill -9
  EXPECT_TRUE(listen().ok());
  server_.reset();
  std::ofstream(path_) << "precious";
  EXPECT_FALSE(listen().ok());
  EXPECT_TRUE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace covey::simulator
