// SPDX-License-Identifier: Apache-2.0
// The port's self-test passes on good ports of any geometry and finds each thing that can be wrong.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

// What of a port is broken, on top of the real one.
struct Sabotage {
  covey_port_t real;
};

class PortSelftest : public ::testing::Test {
 protected:
  // The name of the step that fails with this port in place of the real one; "" when all pass.
  std::string run(const covey_port_t& tried) {
    device.config.port = &tried;
    const char* what = nullptr;
    error = covey_port_selftest(&device.config, &what);
    EXPECT_EQ(error == 0, what == nullptr);
    return what == nullptr ? "" : what;
  }

  Device device;
  Sabotage sabotage{device.port};
  covey_port_t port = device.port;
  int error = 0;
};

TEST_F(PortSelftest, GoodPortsPassAndTheStoreIsPutBack) {
  const uint8_t record[] = {1, 2, 3};
  ASSERT_EQ(port.store.write(port.store.ctx, record, sizeof record), 0);
  EXPECT_EQ(run(port), "");
  uint8_t check[COVEY_STORE_BYTES_MAX];
  ASSERT_EQ(port.store.read(port.store.ctx, check, sizeof check), 3);
  EXPECT_EQ(std::memcmp(record, check, 3), 0);
  for (const covey_host_geometry_t geometry : {covey_host_geometry_t{64U << 10U, 512, 4, 0xff},
                                               covey_host_geometry_t{64U << 10U, 4096, 64, 0xff},
                                               covey_host_geometry_t{64U << 10U, 256, 1, 0x00}}) {
    DeviceOptions options;
    options.geometry = geometry;
    options.journal_bytes = 2 * std::max<uint32_t>(1024, geometry.erase_unit_bytes);
    Device other(options);
    const char* what = nullptr;
    EXPECT_EQ(covey_port_selftest(&other.config, &what), 0) << what;
    EXPECT_EQ(other.flash.written_twice, 0U);
    EXPECT_EQ(other.flash.misaligned, 0U);
  }
}

TEST_F(PortSelftest, Config) {
  device.config.send_bytes = 1;
  EXPECT_EQ(run(port), "config");
  EXPECT_EQ(error, COVEY_ERROR_CONFIG);
}

TEST_F(PortSelftest, HashThatForgetsPieces) {
  port.crypto.hash_update = [](void*, covey_hash_t*, const void*, size_t) {};
  EXPECT_EQ(run(port), "hash");
}

TEST_F(PortSelftest, MacOfTheFirstPartOnly) {
  port.crypto.ctx = &sabotage;
  port.crypto.mac = [](void* ctx, const uint8_t* key, const covey_bytes_t* parts, size_t,
                       uint8_t* mac) {
    const covey_crypto_t& real = static_cast<Sabotage*>(ctx)->real.crypto;
    return real.mac(real.ctx, key, parts, 1, mac);
  };
  EXPECT_EQ(run(port), "mac");
}

TEST_F(PortSelftest, VerifierThatSaysYesOrNoToAll) {
  port.crypto.verify = [](void*, const covey_public_key_t*, const uint8_t*, const uint8_t*) {
    return 0;
  };
  EXPECT_EQ(run(port), "verify");
  EXPECT_EQ(error, COVEY_ERROR_SIGNATURE_INVALID);
  port.crypto.verify = [](void*, const covey_public_key_t*, const uint8_t*, const uint8_t*) {
    return -1;
  };
  EXPECT_EQ(run(port), "verify");
  EXPECT_EQ(error, COVEY_ERROR_ALGORITHM_UNSUPPORTED);
}

TEST_F(PortSelftest, RandomThatRepeats) {
  port.crypto.random = [](void*, void* into, size_t size) {
    std::memset(into, 0x5a, size);
    return 0;
  };
  EXPECT_EQ(run(port), "random");
}

TEST_F(PortSelftest, StoreThatCuts) {
  port.store.ctx = &sabotage;
  port.store.read = [](void* ctx, uint8_t* into, size_t capacity) {
    const covey_store_t& real = static_cast<Sabotage*>(ctx)->real.store;
    return real.read(real.ctx, into, capacity);
  };
  port.store.write = [](void* ctx, const uint8_t* from, size_t size) {
    const covey_store_t& real = static_cast<Sabotage*>(ctx)->real.store;
    return real.write(real.ctx, from, std::min<size_t>(size, 128));
  };
  EXPECT_EQ(run(port), "store");
}

TEST_F(PortSelftest, FlashThatDoesNothingOrTooMuch) {
  port.flash.ctx = &sabotage;
  const auto read = [](void* ctx, uint32_t offset, void* into, size_t size) {
    const covey_flash_t& real = static_cast<Sabotage*>(ctx)->real.flash;
    return real.read(real.ctx, offset, into, size);
  };
  const auto write = [](void* ctx, uint32_t offset, const void* from, size_t size) {
    const covey_flash_t& real = static_cast<Sabotage*>(ctx)->real.flash;
    return real.write(real.ctx, offset, from, size);
  };
  const auto erase = [](void* ctx, uint32_t offset) {
    const covey_flash_t& real = static_cast<Sabotage*>(ctx)->real.flash;
    return real.erase(real.ctx, offset);
  };
  port.flash.read = read;
  port.flash.write = write;
  port.flash.erase = erase;
  EXPECT_EQ(run(port), "");
  // Writes that are lost.
  port.flash.write = [](void*, uint32_t, const void*, size_t) { return 0; };
  EXPECT_EQ(run(port), "flash");
  EXPECT_EQ(error, COVEY_ERROR_FLASH_WRITE);
  port.flash.write = write;
  // An erase that takes the next unit with it.
  port.flash.erase = [](void* ctx, uint32_t offset) {
    const covey_flash_t& real = static_cast<Sabotage*>(ctx)->real.flash;
    const int code = real.erase(real.ctx, offset);
    return code != 0 ? code : real.erase(real.ctx, offset + real.erase_unit_bytes);
  };
  EXPECT_EQ(run(port), "flash");
  EXPECT_EQ(error, COVEY_ERROR_FLASH_ERASE);
  port.flash.erase = erase;
  // A window of the processor that shows something else.
  alignas(16) static std::array<uint8_t, 64U << 10U> elsewhere;
  elsewhere.fill(0xff);
  port.flash.xip_base = elsewhere.data();
  EXPECT_EQ(run(port), "flash");
  EXPECT_EQ(error, COVEY_ERROR_FLASH_WRITE);
}

}  // namespace
}  // namespace covey::agent_test
