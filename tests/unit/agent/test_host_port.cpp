// SPDX-License-Identifier: Apache-2.0
// The host port: what it survives, and that its accidents are what they say.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "covey/error.h"
#include "covey/port_host.h"

namespace covey::agent_test {
namespace {

constexpr covey_host_geometry_t kGeometry{8192, 1024, 8, 0xff};

class HostPort : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/covey-port-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder = name;
  }
  void TearDown() override {
    unlink((folder + "/flash").c_str());
    unlink((folder + "/store").c_str());
    rmdir(folder.c_str());
  }
  std::string folder;
};

TEST_F(HostPort, FileKeepsWhatWasWritten) {
  covey_host_flash_t flash;
  const std::string path = folder + "/flash";
  ASSERT_EQ(covey_host_flash_file(&flash, &kGeometry, path.c_str()), 0);
  covey_flash_t port = covey_host_flash_port(&flash);
  ASSERT_EQ(port.write(port.ctx, 1024, "8 bytes!", 8), 0);
  covey_host_flash_close(&flash);
  ASSERT_EQ(covey_host_flash_file(&flash, &kGeometry, path.c_str()), 0);
  EXPECT_EQ(std::memcmp(flash.bytes + 1024, "8 bytes!", 8), 0);
  EXPECT_EQ(flash.bytes[1032], 0xff);
  covey_host_flash_close(&flash);
  covey_host_geometry_t other = kGeometry;
  other.size_bytes = 4096;
  EXPECT_EQ(covey_host_flash_file(&flash, &other, path.c_str()), COVEY_ERROR_CONFIG);
}

TEST_F(HostPort, StoreIsReplacedAsAWhole) {
  covey_host_store_t store;
  const std::string path = folder + "/store";
  ASSERT_EQ(covey_host_store_file(&store, path.c_str()), 0);
  covey_store_t port = covey_host_store_port(&store);
  uint8_t bytes[16];
  EXPECT_EQ(port.read(port.ctx, bytes, sizeof bytes), 0);
  ASSERT_EQ(port.write(port.ctx, reinterpret_cast<const uint8_t*>("first"), 5), 0);
  ASSERT_EQ(port.write(port.ctx, reinterpret_cast<const uint8_t*>("two"), 3), 0);
  ASSERT_EQ(covey_host_store_file(&store, path.c_str()), 0);
  EXPECT_EQ(port.read(port.ctx, bytes, sizeof bytes), 3);
  EXPECT_EQ(std::memcmp(bytes, "two", 3), 0);
}

TEST_F(HostPort, CutsAndFaults) {
  covey_host_flash_t flash;
  ASSERT_EQ(covey_host_flash_memory(&flash, &kGeometry, true), 0);
  covey_flash_t port = covey_host_flash_port(&flash);
  uint8_t ones[64];
  std::memset(ones, 0x11, sizeof ones);
  EXPECT_NE(port.write(port.ctx, 4, ones, 8), 0);
  EXPECT_EQ(flash.misaligned, 1U);
  flash.fail_at = flash.operations + 1;
  EXPECT_NE(port.write(port.ctx, 0, ones, 64), 0);
  EXPECT_EQ(flash.bytes[0], 0xff);
  flash.cut_at = flash.operations + 1;
  flash.tear = COVEY_HOST_TEAR_ERASED;
  EXPECT_NE(port.write(port.ctx, 0, ones, 8), 0);
  EXPECT_TRUE(flash.dead);
  EXPECT_NE(port.read(port.ctx, 0, ones, 8), 0);
  covey_host_flash_power_on(&flash);
  EXPECT_EQ(flash.bytes[0], 0xff);  // reads as erased, but is not
  EXPECT_EQ(port.write(port.ctx, 0, ones, 8), 0);
  EXPECT_EQ(flash.written_twice, 1U);
  flash.drop_from = 1024;
  flash.drop_to = 2048;
  EXPECT_EQ(port.write(port.ctx, 1024, ones, 8), 0);
  EXPECT_EQ(flash.bytes[1024], 0xff);
  flash.unreadable_from = 0;
  flash.unreadable_to = 8;
  EXPECT_NE(port.read(port.ctx, 0, ones, 8), 0);
  covey_host_flash_close(&flash);
}

}  // namespace
}  // namespace covey::agent_test
