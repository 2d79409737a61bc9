// SPDX-License-Identifier: Apache-2.0
// The ESP-IDF port over a partition in memory, an esp-mqtt that notes what it is asked and a
// message buffer of bounded size.
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "covey/error.h"
#include "covey/port_esp_idf.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "tests/unit/porting/recorded_agent.hpp"

struct stub_message_buffer {
  size_t capacity = 0;
  size_t used = 0;
  std::deque<std::string> messages;
};

namespace {

constexpr uint32_t kUnit = 4096;
alignas(16) uint8_t memory[8 * kUnit];
esp_partition_t partition{ESP_PARTITION_TYPE_DATA,
                          ESP_PARTITION_SUBTYPE_ANY,
                          0x110000,
                          sizeof memory,
                          kUnit,
                          "covey",
                          false};
esp_event_handler_t handler = nullptr;
void* handler_context = nullptr;
std::vector<std::string> sent;
int answer = 0;
esp_reset_reason_t reset_reason = ESP_RST_UNKNOWN;
stub_message_buffer buffer;
int locked = 0;

}  // namespace

extern "C" {
int64_t esp_timer_get_time() { return 5'000'000; }
esp_reset_reason_t esp_reset_reason() { return reset_reason; }
void stub_enter_critical(portMUX_TYPE* mux) {
  EXPECT_EQ(mux->owner, 0xB33FFFFFU);
  locked++;
}
void stub_exit_critical(portMUX_TYPE* /*mux*/) { locked--; }

const esp_partition_t* esp_partition_find_first(esp_partition_type_t type,
                                                esp_partition_subtype_t /*subtype*/,
                                                const char* label) {
  return type == partition.type && std::string(label) == partition.label ? &partition : nullptr;
}
esp_err_t esp_partition_read(const esp_partition_t* /*p*/, size_t offset, void* into, size_t size) {
  if (offset + size > sizeof memory) return ESP_ERR_INVALID_ARG;
  std::memcpy(into, memory + offset, size);
  return ESP_OK;
}
esp_err_t esp_partition_write(const esp_partition_t* /*p*/, size_t offset, const void* from,
                              size_t size) {
  if (offset + size > sizeof memory) return ESP_ERR_INVALID_ARG;
  for (size_t i = 0; i < size; i++) memory[offset + i] &= static_cast<const uint8_t*>(from)[i];
  return ESP_OK;
}
esp_err_t esp_partition_erase_range(const esp_partition_t* /*p*/, size_t offset, size_t size) {
  if (offset % kUnit != 0 || size % kUnit != 0) return ESP_ERR_INVALID_ARG;
  std::memset(memory + offset, 0xff, size);
  return ESP_OK;
}
esp_err_t esp_partition_mmap(const esp_partition_t* /*p*/, size_t offset, size_t size,
                             esp_partition_mmap_memory_t kind, const void** out,
                             esp_partition_mmap_handle_t* handle) {
  EXPECT_EQ(kind, ESP_PARTITION_MMAP_DATA);
  EXPECT_EQ(size, sizeof memory);
  *out = memory + offset;
  *handle = 1;
  return ESP_OK;
}

int esp_mqtt_client_subscribe_single(esp_mqtt_client_handle_t /*client*/, const char* topic,
                                     int qos) {
  sent.push_back("subscribe " + std::string(topic) + " qos " + std::to_string(qos));
  return answer;
}
int esp_mqtt_client_unsubscribe(esp_mqtt_client_handle_t /*client*/, const char* topic) {
  sent.push_back("unsubscribe " + std::string(topic));
  return answer;
}
int esp_mqtt_client_enqueue(esp_mqtt_client_handle_t /*client*/, const char* topic,
                            const char* data, int len, int qos, int retain, bool store) {
  EXPECT_EQ(retain, 0);
  EXPECT_TRUE(store);
  sent.push_back("publish " + std::string(topic) + " qos " + std::to_string(qos) + " " +
                 std::string(data, static_cast<size_t>(len)));
  return answer;
}
esp_err_t esp_mqtt_client_register_event(esp_mqtt_client_handle_t /*client*/,
                                         esp_mqtt_event_id_t event, esp_event_handler_t function,
                                         void* context) {
  EXPECT_EQ(event, MQTT_EVENT_ANY);
  handler = function;
  handler_context = context;
  return ESP_OK;
}

MessageBufferHandle_t xMessageBufferCreate(size_t size) {
  buffer = {};
  buffer.capacity = size;
  return &buffer;
}
size_t xMessageBufferSend(MessageBufferHandle_t to, const void* data, size_t size,
                          TickType_t /*t*/) {
  if (to->used + size + 4 > to->capacity) return 0;  // each message has its length before it
  to->used += size + 4;
  to->messages.emplace_back(static_cast<const char*>(data), size);
  return size;
}
size_t xMessageBufferReceive(MessageBufferHandle_t from, void* data, size_t size,
                             TickType_t /*t*/) {
  if (from->messages.empty()) return 0;
  const std::string message = from->messages.front();
  if (message.size() > size) return 0;
  from->messages.pop_front();
  from->used -= message.size() + 4;
  std::memcpy(data, message.data(), message.size());
  return message.size();
}
}

namespace covey::porting_test {
namespace {

class EspIdfPort : public ::testing::Test {
 protected:
  void SetUp() override {
    std::memset(memory, 0xff, sizeof memory);
    partition.encrypted = false;
    answer = 0;
    sent.clear();
    agent_calls().clear();
    ASSERT_EQ(covey_esp_idf_open(&esp, "covey", nullptr), 0);
  }
  void message(const std::string& topic, std::string data, int offset, int total) {
    esp_mqtt_event_t event{};
    std::string name = topic;
    event.topic = name.data();
    event.topic_len = static_cast<int>(name.size());
    event.data = data.data();
    event.data_len = static_cast<int>(data.size());
    event.current_data_offset = offset;
    event.total_data_len = total;
    handler(handler_context, "MQTT_EVENTS", MQTT_EVENT_DATA, &event);
  }
  // What the agent's task hears until the queue is empty, polls left out.
  std::vector<std::string> heard() {
    while (!buffer.messages.empty()) covey_esp_idf_step(&esp, nullptr);
    std::vector<std::string> calls;
    for (const std::string& call : agent_calls()) {
      if (call != "poll at 5000") calls.push_back(call);
    }
    agent_calls().clear();
    return calls;
  }
  covey_esp_idf_t esp{};
};

TEST_F(EspIdfPort, FlashIsThePartitionMapped) {
  const covey_flash_t& flash = esp.port.flash;
  EXPECT_EQ(flash.size_bytes, sizeof memory);
  EXPECT_EQ(flash.erase_unit_bytes, kUnit);
  ASSERT_EQ(flash.write(flash.ctx, 3 * kUnit, "four", 4), 0);
  EXPECT_EQ(std::memcmp(flash.xip_base + 3 * kUnit, "four", 4), 0);
  ASSERT_EQ(flash.erase(flash.ctx, 3 * kUnit), 0);
  EXPECT_EQ(flash.xip_base[3 * kUnit], 0xff);
  uint8_t byte;
  EXPECT_EQ(flash.read(flash.ctx, sizeof memory, &byte, 1), COVEY_ERROR_FLASH_READ);
}

TEST_F(EspIdfPort, RefusesAPartitionThatIsMissingOrEncrypted) {
  EXPECT_EQ(covey_esp_idf_open(&esp, "other", nullptr), COVEY_ERROR_FLASH_GEOMETRY);
  partition.encrypted = true;
  EXPECT_EQ(covey_esp_idf_open(&esp, "covey", nullptr), COVEY_ERROR_FLASH_GEOMETRY);
}

TEST_F(EspIdfPort, IdentityOutlivesAStart) {
  covey_store_t store = esp.port.store;
  ASSERT_EQ(store.write(store.ctx, reinterpret_cast<const uint8_t*>("identity"), 8), 0);
  ASSERT_EQ(covey_esp_idf_open(&esp, "covey", nullptr), 0);
  uint8_t bytes[16];
  EXPECT_EQ(esp.port.store.read(esp.port.store.ctx, bytes, sizeof bytes), 8);
}

TEST_F(EspIdfPort, SendsAndAsksAgainWhenTheOutboxIsFull) {
  const covey_link_t& link = esp.port.link;
  EXPECT_EQ(link.publish(link.ctx, "up/hello", reinterpret_cast<const uint8_t*>("hi"), 2, 1), 0);
  EXPECT_EQ(link.subscribe(link.ctx, "down/goal", 1), 0);
  EXPECT_EQ(link.unsubscribe(link.ctx, "down/goal"), 0);
  EXPECT_EQ(sent, (std::vector<std::string>{"publish up/hello qos 1 hi",
                                            "subscribe down/goal qos 1", "unsubscribe down/goal"}));
  answer = -2;
  EXPECT_EQ(link.publish(link.ctx, "t", reinterpret_cast<const uint8_t*>("x"), 1, 0),
            COVEY_ERROR_AGAIN);
}

TEST_F(EspIdfPort, WhatEspMqttReceivesReachesTheAgentInItsOwnTask) {
  handler(handler_context, "MQTT_EVENTS", MQTT_EVENT_CONNECTED, nullptr);
  message("down/goal", "goal", 0, 4);
  message("down/chunk", "first,", 0, 12);
  message("", "second", 6, 12);
  EXPECT_TRUE(agent_calls().empty()) << "the agent must not be called in esp-mqtt's task";
  EXPECT_EQ(heard(),
            (std::vector<std::string>{"connected at 5000", "down/goal [0/4] goal",
                                      "down/chunk [0/12] first,", "down/chunk [6/12] second"}));
}

TEST_F(EspIdfPort, ConnectionsAreToldInOrderAlsoWhenTheQueueIsFull) {
  const auto connection = [](esp_mqtt_event_id_t id) {
    handler(handler_context, "MQTT_EVENTS", id, nullptr);
  };
  connection(MQTT_EVENT_CONNECTED);
  EXPECT_EQ(heard(), (std::vector<std::string>{"connected at 5000"}));
  for (int i = 0; i < 20; i++) message("t", std::string(1000, 'x'), 0, 1000);
  connection(MQTT_EVENT_DISCONNECTED);
  const std::vector<std::string> calls = heard();
  ASSERT_FALSE(calls.empty());
  EXPECT_EQ(calls.front(), "disconnected at 5000");
  connection(MQTT_EVENT_CONNECTED);
  connection(MQTT_EVENT_DISCONNECTED);
  connection(MQTT_EVENT_CONNECTED);
  EXPECT_EQ(heard(), (std::vector<std::string>{"connected at 5000"}));
  connection(MQTT_EVENT_DISCONNECTED);
  connection(MQTT_EVENT_CONNECTED);
  EXPECT_EQ(heard(), (std::vector<std::string>{"disconnected at 5000", "connected at 5000"}));
}

TEST_F(EspIdfPort, TopicsThatAreTooLongAndPiecesThatAreTooLargeAreLeftOut) {
  message(std::string(COVEY_TOPIC_BYTES_MAX, 't'), "x", 0, 2);
  message("", "y", 1, 2);
  message("down/chunk", std::string(COVEY_ESP_IDF_PIECE_BYTES + 1, 'x'), 0,
          COVEY_ESP_IDF_PIECE_BYTES + 1);
  EXPECT_TRUE(heard().empty());
}

TEST_F(EspIdfPort, AFullQueueDropsAndCounts) {
  for (int i = 0; i < 20; i++) message("down/chunk", std::string(1000, 'x'), 0, 1000);
  EXPECT_GT(esp.dropped, 0U);
  EXPECT_EQ(heard().size(), 20 - esp.dropped);
  message("down/goal", "goal", 0, 4);
  EXPECT_EQ(heard(), (std::vector<std::string>{"down/goal [0/4] goal"}));
}

TEST_F(EspIdfPort, StartCauses) {
  for (const auto& [reason, cause] : {std::pair{ESP_RST_POWERON, COVEY_START_POWER_ON},
                                      std::pair{ESP_RST_PANIC, COVEY_START_FAULT},
                                      std::pair{ESP_RST_TASK_WDT, COVEY_START_WATCHDOG},
                                      std::pair{ESP_RST_SW, COVEY_START_SOFTWARE},
                                      std::pair{ESP_RST_BROWNOUT, COVEY_START_BROWN_OUT},
                                      std::pair{ESP_RST_DEEPSLEEP, COVEY_START_SLEEP},
                                      std::pair{ESP_RST_EXT, COVEY_START_UNKNOWN}}) {
    reset_reason = reason;
    EXPECT_EQ(covey_esp_idf_start_cause(), cause);
  }
}

TEST_F(EspIdfPort, Lock) {
  esp.port.lock(esp.port.lock_ctx);
  EXPECT_EQ(locked, 1);
  esp.port.unlock(esp.port.lock_ctx);
  EXPECT_EQ(locked, 0);
}

}  // namespace
}  // namespace covey::porting_test
