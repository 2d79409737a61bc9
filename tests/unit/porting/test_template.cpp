// SPDX-License-Identifier: Apache-2.0
// The template's port and examples/minimal_firmware on a board in memory: they start, ask to enrol
// and keep their identity.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "covey/error.h"
#include "device_agent/ports/template/port_template.h"
#include "examples/minimal_firmware/app.h"

namespace {

constexpr size_t kUnit = 4096;
alignas(16) uint8_t memory[64 * kUnit];
uint64_t now_ms = 0;
int mqtt_answer = 0;
std::vector<std::string> sent;
int programmed_twice = 0;

}  // namespace

extern "C" {
extern const board_flash_t board_flash = {memory, sizeof memory, kUnit, 8};

int board_flash_erase(const uint8_t* address) {
  EXPECT_EQ((address - memory) % static_cast<ptrdiff_t>(kUnit), 0);
  std::memset(memory + (address - memory), 0xff, kUnit);
  return 0;
}
int board_flash_program(const uint8_t* address, const void* from, size_t size) {
  EXPECT_EQ((address - memory) % 8, 0);
  EXPECT_EQ(size % 8, 0U);
  for (size_t i = 0; i < size; i++) programmed_twice += address[i] != 0xff ? 1 : 0;
  std::memcpy(memory + (address - memory), from, size);
  return 0;
}
int board_random(void* into, size_t size) {
  static uint8_t next = 1;
  for (size_t i = 0; i < size; i++) static_cast<uint8_t*>(into)[i] = next++;
  return 0;
}
uint64_t board_now_ms() { return now_ms; }
int board_mqtt_publish(const char* topic, const uint8_t* /*payload*/, size_t size, uint8_t qos) {
  if (mqtt_answer == 0) {
    EXPECT_GT(size, 0U);
    sent.push_back("publish " + std::string(topic) + " qos " + std::to_string(qos));
  }
  return mqtt_answer;
}
int board_mqtt_subscribe(const char* topic, uint8_t /*qos*/) {
  if (mqtt_answer == 0) sent.push_back("subscribe " + std::string(topic));
  return mqtt_answer;
}
int board_mqtt_unsubscribe(const char* /*topic*/) { return mqtt_answer; }
bool app_read_sensor(int8_t* /*input*/, size_t /*size*/, int16_t* /*features*/) { return false; }
uint32_t app_now_us() { return 0; }
}

namespace covey::porting_test {
namespace {

class Template : public ::testing::Test {
 protected:
  void SetUp() override {
    std::memset(memory, 0xff, sizeof memory);
    sent.clear();
    now_ms = 0;
    mqtt_answer = 0;
    programmed_twice = 0;
  }
  void TearDown() override { EXPECT_EQ(programmed_twice, 0); }
  static void run(int steps) {
    for (int i = 0; i < steps; i++) now_ms += app_step();
  }
};

TEST_F(Template, FlashAndStore) {
  covey_port_t port;
  ASSERT_EQ(port_open(&port), 0);
  EXPECT_EQ(port.flash.xip_base, memory);
  ASSERT_EQ(port.flash.write(port.flash.ctx, 5 * kUnit, "8 bytes!", 8), 0);
  char bytes[8];
  ASSERT_EQ(port.flash.read(port.flash.ctx, 5 * kUnit, bytes, 8), 0);
  EXPECT_EQ(std::memcmp(bytes, "8 bytes!", 8), 0);
  ASSERT_EQ(port.flash.erase(port.flash.ctx, 5 * kUnit), 0);
  ASSERT_EQ(port.store.write(port.store.ctx, reinterpret_cast<const uint8_t*>("id"), 2), 0);
  ASSERT_EQ(port_open(&port), 0);
  uint8_t record[8];
  EXPECT_EQ(port.store.read(port.store.ctx, record, sizeof record), 2);
}

TEST_F(Template, TheApplicationAsksToEnrol) {
  ASSERT_EQ(app_start(COVEY_START_POWER_ON), 0);
  covey_credentials_t credentials;
  EXPECT_FALSE(app_credentials(&credentials));
  run(5);
  EXPECT_TRUE(sent.empty()) << "nothing is connected yet";
  app_connected();
  mqtt_answer = -1;  // no room at first
  run(5);
  EXPECT_TRUE(sent.empty());
  mqtt_answer = 0;
  run(50);
  ASSERT_GE(sent.size(), 2U);
  EXPECT_EQ(sent[0], "subscribe covey/v1/enroll/press-17/down");
  EXPECT_EQ(sent[1], "publish covey/v1/enroll/press-17/up qos 1");
  app_disconnected();
  sent.clear();
  run(5);
  EXPECT_TRUE(sent.empty());
}

TEST_F(Template, MessagesThatMakeNoSenseDoNoHarm) {
  ASSERT_EQ(app_start(COVEY_START_WATCHDOG), 0);
  app_connected();
  run(3);
  const std::string noise(300, '\x7f');
  for (const char* topic : {"", "covey/v1/site", "covey/v1/enroll/press-17/down", "other"}) {
    app_message(topic, reinterpret_cast<const uint8_t*>(noise.data()), noise.size());
    app_message(topic, nullptr, 0);
  }
  run(3);
}

}  // namespace
}  // namespace covey::porting_test
