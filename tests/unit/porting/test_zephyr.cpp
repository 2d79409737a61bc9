// SPDX-License-Identifier: Apache-2.0
// The Zephyr port over a flash area in memory and an MQTT client that notes what it is asked.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "covey/error.h"
#include "covey/port_zephyr.h"
#include "tests/unit/porting/recorded_agent.hpp"

#include <zephyr/drivers/flash.h>
#include <zephyr/drivers/hwinfo.h>

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kDeviceOffset = 2 * kPage;  // of the partition
alignas(16) uint8_t device_memory[8 * kPage];
flash_area area{3, kDeviceOffset, 6 * kPage, nullptr};
int refuse_with = 0;
std::vector<std::string> sent;
std::string payload;
uint32_t reset_cause = 0;
unsigned int interrupts_off = 0;

}  // namespace

extern "C" {
uintptr_t stub_flash_base = reinterpret_cast<uintptr_t>(device_memory);
int64_t k_uptime_get() { return 1234; }
unsigned int irq_lock() { return interrupts_off++ + 40; }
void irq_unlock(unsigned int key) { interrupts_off = key - 40; }

int flash_area_open(uint8_t id, const flash_area** fa) {
  *fa = id == area.fa_id ? &area : nullptr;
  return id == area.fa_id ? 0 : -ENOENT;
}
int flash_area_read(const flash_area* fa, off_t off, void* dst, size_t len) {
  std::memcpy(dst, device_memory + fa->fa_off + off, len);
  return 0;
}
int flash_area_write(const flash_area* fa, off_t off, const void* src, size_t len) {
  if (off % 8 != 0 || len % 8 != 0) return -EINVAL;
  std::memcpy(device_memory + fa->fa_off + off, src, len);
  return 0;
}
int flash_area_erase(const flash_area* fa, off_t off, size_t len) {
  std::memset(device_memory + fa->fa_off + off, 0xff, len);
  return 0;
}
uint32_t flash_area_align(const flash_area* /*fa*/) { return 8; }
uint8_t flash_area_erased_val(const flash_area* /*fa*/) { return 0xff; }
int flash_get_page_info_by_offs(const device* /*dev*/, off_t offset, flash_pages_info* info) {
  *info = {static_cast<off_t>(offset / kPage * kPage), kPage,
           static_cast<uint32_t>(offset / kPage)};
  return 0;
}
int hwinfo_get_reset_cause(uint32_t* cause) {
  *cause = reset_cause;
  return 0;
}
int hwinfo_clear_reset_cause() {
  reset_cause = 0;
  return 0;
}

int mqtt_publish(mqtt_client* /*client*/, const mqtt_publish_param* param) {
  const mqtt_publish_message& message = param->message;
  sent.push_back(
      "publish " +
      std::string(message.topic.topic.utf8, message.topic.topic.utf8 + message.topic.topic.size) +
      " qos " + std::to_string(message.topic.qos) + " " +
      std::string(message.payload.data, message.payload.data + message.payload.len));
  EXPECT_NE(param->message_id, 0);
  return refuse_with;
}
int mqtt_publish_qos1_ack(mqtt_client* /*client*/, const mqtt_puback_param* param) {
  sent.push_back("ack " + std::to_string(param->message_id));
  return 0;
}
int mqtt_subscribe(mqtt_client* /*client*/, const mqtt_subscription_list* param) {
  EXPECT_EQ(param->list_count, 1);
  sent.push_back("subscribe " + std::string(param->list->topic.utf8,
                                            param->list->topic.utf8 + param->list->topic.size));
  return refuse_with;
}
int mqtt_unsubscribe(mqtt_client* /*client*/, const mqtt_subscription_list* param) {
  sent.push_back("unsubscribe " + std::string(param->list->topic.utf8,
                                              param->list->topic.utf8 + param->list->topic.size));
  return refuse_with;
}
// As the real one: whatever there is, not more than asked for.
int mqtt_read_publish_payload_blocking(mqtt_client* /*client*/, void* buffer, size_t length) {
  const size_t n = std::min({length, payload.size(), size_t{100}});
  if (n == 0) return -EIO;
  std::memcpy(buffer, payload.data(), n);
  payload.erase(0, n);
  return static_cast<int>(n);
}
}

namespace covey::porting_test {
namespace {

class ZephyrPort : public ::testing::Test {
 protected:
  void SetUp() override {
    std::memset(device_memory, 0xff, sizeof device_memory);
    refuse_with = 0;
    sent.clear();
    agent_calls().clear();
    ASSERT_EQ(covey_zephyr_open(&zephyr, 3, &client), 0);
  }
  void event(mqtt_evt_type type, int result = 0) {
    mqtt_evt evt{};
    evt.type = type;
    evt.result = result;
    covey_zephyr_event(&zephyr, nullptr, &evt);
  }
  void message(const std::string& topic, const std::string& text, uint8_t qos) {
    mqtt_evt evt{};
    evt.type = MQTT_EVT_PUBLISH;
    evt.param.publish.message.topic.topic = {reinterpret_cast<const uint8_t*>(topic.data()),
                                             static_cast<uint32_t>(topic.size())};
    evt.param.publish.message.topic.qos = qos;
    evt.param.publish.message.payload.len = static_cast<uint32_t>(text.size());
    evt.param.publish.message_id = 77;
    payload = text;
    covey_zephyr_event(&zephyr, nullptr, &evt);
  }
  mqtt_client client{};
  covey_zephyr_t zephyr{};
};

TEST_F(ZephyrPort, FlashIsThePartitionAndModelsAreSeenInPlace) {
  const covey_flash_t& flash = zephyr.port.flash;
  EXPECT_EQ(flash.size_bytes, 6 * kPage);
  EXPECT_EQ(flash.erase_unit_bytes, kPage);
  EXPECT_EQ(flash.write_align_bytes, 8U);
  ASSERT_EQ(flash.write(flash.ctx, 3 * kPage, "8 bytes!", 8), 0);
  EXPECT_EQ(std::memcmp(flash.xip_base + 3 * kPage, "8 bytes!", 8), 0);
  EXPECT_EQ(std::memcmp(device_memory + 5 * kPage, "8 bytes!", 8), 0);
  ASSERT_EQ(flash.erase(flash.ctx, 3 * kPage), 0);
  EXPECT_EQ(flash.xip_base[3 * kPage], 0xff);
}

TEST_F(ZephyrPort, IdentityOutlivesAStart) {
  covey_store_t store = zephyr.port.store;
  ASSERT_EQ(store.write(store.ctx, reinterpret_cast<const uint8_t*>("identity"), 8), 0);
  covey_zephyr_t again{};
  ASSERT_EQ(covey_zephyr_open(&again, 3, &client), 0);
  uint8_t bytes[16];
  EXPECT_EQ(again.port.store.read(again.port.store.ctx, bytes, sizeof bytes), 8);
  EXPECT_EQ(covey_zephyr_open(&again, 9, &client), -ENOENT);
}

TEST_F(ZephyrPort, SendsAndAsksAgain) {
  const covey_link_t& link = zephyr.port.link;
  EXPECT_EQ(link.publish(link.ctx, "up/hello", reinterpret_cast<const uint8_t*>("hi"), 2, 1), 0);
  EXPECT_EQ(link.subscribe(link.ctx, "down/goal", 1), 0);
  EXPECT_EQ(link.unsubscribe(link.ctx, "down/goal"), 0);
  EXPECT_EQ(sent, (std::vector<std::string>{"publish up/hello qos 1 hi", "subscribe down/goal",
                                            "unsubscribe down/goal"}));
  refuse_with = -ENOTCONN;
  EXPECT_EQ(link.subscribe(link.ctx, "down/goal", 1), COVEY_ERROR_AGAIN);
  refuse_with = -ENOMEM;
  EXPECT_EQ(link.publish(link.ctx, "t", nullptr, 0, 0), COVEY_ERROR_MESSAGE_TOO_LARGE);
}

TEST_F(ZephyrPort, EventsReachTheAgent) {
  event(MQTT_EVT_CONNACK, -ECONNREFUSED);
  event(MQTT_EVT_CONNACK);
  event(MQTT_EVT_PUBACK);
  event(MQTT_EVT_DISCONNECT);
  EXPECT_EQ(agent_calls(), (std::vector<std::string>{"connected at 1234", "disconnected at 1234"}));
}

TEST_F(ZephyrPort, MessagesComeInPiecesAndAreAcknowledgedAfterwards) {
  message("down/chunk", std::string(150, 'x'), 0);
  EXPECT_EQ(agent_calls(),
            (std::vector<std::string>{"down/chunk [0/150] " + std::string(100, 'x'),
                                      "down/chunk [100/150] " + std::string(50, 'x')}));
  EXPECT_TRUE(sent.empty());
  agent_calls().clear();
  message("down/goal", "", 1);
  EXPECT_EQ(agent_calls(), (std::vector<std::string>{"down/goal [0/0] "}));
  EXPECT_EQ(sent, (std::vector<std::string>{"ack 77"}));
}

TEST_F(ZephyrPort, AMessageThatBreaksOffIsNotAcknowledged) {
  mqtt_evt evt{};
  evt.type = MQTT_EVT_PUBLISH;
  evt.param.publish.message.payload.len = 50;
  evt.param.publish.message.topic.qos = 1;
  payload = "only this";
  covey_zephyr_event(&zephyr, nullptr, &evt);
  EXPECT_TRUE(sent.empty());
}

TEST_F(ZephyrPort, StartCauses) {
  for (const auto& [bits, cause] :
       {std::pair{RESET_WATCHDOG | RESET_POR, COVEY_START_WATCHDOG},
        std::pair{RESET_CPU_LOCKUP, COVEY_START_FAULT},
        std::pair{RESET_BROWNOUT | RESET_POR, COVEY_START_BROWN_OUT},
        std::pair{RESET_LOW_POWER_WAKE, COVEY_START_SLEEP},
        std::pair{RESET_POR, COVEY_START_POWER_ON}, std::pair{RESET_SOFTWARE, COVEY_START_SOFTWARE},
        std::pair{RESET_PIN, COVEY_START_UNKNOWN}}) {
    reset_cause = static_cast<uint32_t>(bits);
    EXPECT_EQ(covey_zephyr_start_cause(), cause);
    EXPECT_EQ(reset_cause, 0U);
  }
}

TEST_F(ZephyrPort, LockNestsWithInterruptsThatAreOffAlready) {
  const covey_port_t& port = zephyr.port;
  interrupts_off = 1;
  port.lock(port.lock_ctx);
  EXPECT_EQ(interrupts_off, 2U);
  port.unlock(port.lock_ctx);
  EXPECT_EQ(interrupts_off, 1U);
}

}  // namespace
}  // namespace covey::porting_test
