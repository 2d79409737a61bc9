// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/endpoints.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "gateway/config/durable_file.hpp"

namespace covey::config {
namespace {

class EndpointsFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "covey-endpoints-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(EndpointsFile, ReadsWhatWasWritten) {
  const Endpoints endpoints{.pid = 42,
                            .grpc = "127.0.0.1:1",
                            .grpc_unix = "/d/covey.sock",
                            .http = "127.0.0.1:2",
                            .mqtt = "127.0.0.1:3",
                            .enroll = "127.0.0.1:4",
                            .enroll_token_file = "/d/enroll.token"};
  ASSERT_TRUE(write_endpoints(folder_, endpoints).ok());
  const Result<Endpoints> read = read_endpoints(folder_);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, endpoints);
  remove_endpoints(folder_);
  EXPECT_EQ(read_endpoints(folder_).error().reason, "NOT_RUNNING");
}

TEST_F(EndpointsFile, RefusesAnotherShape) {
  for (const char* text :
       {"", "[]", "{\"pid\": \"x\"}", "{\"pid\": 1}", "{\"pid\": 1, \"grpc\": 2}"}) {
    std::ofstream(endpoints_path(folder_)) << text;
    EXPECT_EQ(read_endpoints(folder_).error().reason, "ENDPOINTS_INVALID") << text;
  }
}

TEST_F(EndpointsFile, DurableFilesKeepTheirMode) {
  const std::string path = folder_ + "/secret";
  std::ofstream(path + ".new") << "left over by a crash";
  ASSERT_TRUE(write_file_durably(path, "one", 0600).ok());
  ASSERT_TRUE(write_file_durably(path, "two", 0600).ok());
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  EXPECT_EQ(*read_file_bounded(path, 3), "two");
  EXPECT_EQ(read_file_bounded(path, 2).error().reason, "FILE_TOO_LARGE");
  EXPECT_EQ(write_file_durably(folder_ + "/no/such", "x", 0600).error().reason, "FILE_WRITE");
}

}  // namespace
}  // namespace covey::config
