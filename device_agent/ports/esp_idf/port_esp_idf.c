/* SPDX-License-Identifier: Apache-2.0 */
#include "covey/port_esp_idf.h"

#include <string.h>

#include "covey/error.h"
#include "covey/port_psa.h"
#include "esp_attr.h"
#include "esp_system.h"
#include "esp_timer.h"

enum { KIND_WAKE = 0, KIND_MESSAGE = 1 };

#define PIECE_HEAD_BYTES offsetof(covey_esp_idf_piece_t, bytes)
#define QUEUE_PIECES 4U
#define WAIT_MS_MAX 1000U
#define ROOM_WAIT_MS 200U

static __NOINIT_ATTR covey_retained_t retained;

covey_retained_t* covey_esp_idf_retained(void) { return &retained; }

covey_start_cause_t covey_esp_idf_start_cause(void) {
  switch (esp_reset_reason()) {
    case ESP_RST_POWERON:
      return COVEY_START_POWER_ON;
    case ESP_RST_BROWNOUT:
      return COVEY_START_BROWN_OUT;
    case ESP_RST_SW:
      return COVEY_START_SOFTWARE;
    case ESP_RST_DEEPSLEEP:
      return COVEY_START_SLEEP;
    case ESP_RST_INT_WDT:
    case ESP_RST_TASK_WDT:
    case ESP_RST_WDT:
      return COVEY_START_WATCHDOG;
    case ESP_RST_PANIC:
      return COVEY_START_FAULT;
    default: /* versions of ESP-IDF differ in what else there is */
      return COVEY_START_UNKNOWN;
  }
}

static uint64_t now_ms(void) { return (uint64_t)esp_timer_get_time() / 1000U; }

/* ---- Flash */

static int flash_read(void* ctx, uint32_t offset, void* into, size_t size) {
  const covey_esp_idf_t* esp = (const covey_esp_idf_t*)ctx;
  return esp_partition_read(esp->partition, offset, into, size) == ESP_OK ? COVEY_OK
                                                                          : COVEY_ERROR_FLASH_READ;
}

static int flash_write(void* ctx, uint32_t offset, const void* from, size_t size) {
  const covey_esp_idf_t* esp = (const covey_esp_idf_t*)ctx;
  return esp_partition_write(esp->partition, offset, from, size) == ESP_OK
             ? COVEY_OK
             : COVEY_ERROR_FLASH_WRITE;
}

static int flash_erase(void* ctx, uint32_t offset) {
  const covey_esp_idf_t* esp = (const covey_esp_idf_t*)ctx;
  return esp_partition_erase_range(esp->partition, offset, esp->partition->erase_size) == ESP_OK
             ? COVEY_OK
             : COVEY_ERROR_FLASH_ERASE;
}

static int open_flash(covey_esp_idf_t* esp, const char* label) {
  covey_flash_t* flash = &esp->port.flash;
  const void* mapped = NULL;
  esp_err_t error;
  esp->partition =
      esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, label);
  /* An encrypted partition cannot be written in two steps to one block, and reads of what is erased
   * are not ones: the agent's flash must be plain. */
  if (esp->partition == NULL || esp->partition->encrypted) return COVEY_ERROR_FLASH_GEOMETRY;
  error = esp_partition_mmap(esp->partition, 0, esp->partition->size, ESP_PARTITION_MMAP_DATA,
                             &mapped, &esp->mapping);
  if (error != ESP_OK) return error;
  flash->ctx = esp;
  flash->size_bytes = esp->partition->size;
  flash->erase_unit_bytes = esp->partition->erase_size;
  flash->write_align_bytes = 4;
  flash->erased_value = 0xff;
  flash->xip_base = (const uint8_t*)mapped;
  flash->read = flash_read;
  flash->write = flash_write;
  flash->erase = flash_erase;
  return COVEY_OK;
}

/* ---- Link */

/* -2: the outbox is full. The agent asks again, and hears of a lost connection by its event. */
static int result_of(int message_id) { return message_id < 0 ? COVEY_ERROR_AGAIN : COVEY_OK; }

static int publish(void* ctx, const char* topic, const uint8_t* payload, size_t size, uint8_t qos) {
  const covey_esp_idf_t* esp = (const covey_esp_idf_t*)ctx;
  return result_of(
      esp_mqtt_client_enqueue(esp->client, topic, (const char*)payload, (int)size, qos, 0, true));
}

static int subscribe(void* ctx, const char* topic, uint8_t qos) {
  const covey_esp_idf_t* esp = (const covey_esp_idf_t*)ctx;
  return result_of(esp_mqtt_client_subscribe_single(esp->client, topic, qos));
}

static int unsubscribe(void* ctx, const char* topic) {
  const covey_esp_idf_t* esp = (const covey_esp_idf_t*)ctx;
  return result_of(esp_mqtt_client_unsubscribe(esp->client, topic));
}

/* esp-mqtt's task holds a lock here that publish wants too: it must not wait for the agent long. */
static void enqueue(covey_esp_idf_t* esp) {
  const size_t size = PIECE_HEAD_BYTES + esp->incoming.size;
  if (xMessageBufferSend(esp->queue, &esp->incoming, size, pdMS_TO_TICKS(ROOM_WAIT_MS)) != size) {
    ++esp->dropped;
  }
}

static void on_data(covey_esp_idf_t* esp, const esp_mqtt_event_t* event) {
  covey_esp_idf_piece_t* piece = &esp->incoming;
  if (event->current_data_offset == 0) { /* only the first piece of a message has the topic */
    const size_t size = (size_t)event->topic_len;
    memset(piece->topic, 0, sizeof piece->topic);
    if (size < sizeof piece->topic) memcpy(piece->topic, event->topic, size);
  }
  /* Of a topic that is too long for any of ours, or a piece larger than configured: not for us. */
  if (piece->topic[0] == '\0' || (size_t)event->data_len > sizeof piece->bytes) return;
  piece->kind = KIND_MESSAGE;
  piece->offset = (uint32_t)event->current_data_offset;
  piece->total = (uint32_t)event->total_data_len;
  piece->size = (uint32_t)event->data_len;
  if (piece->size != 0) memcpy(piece->bytes, event->data, piece->size);
  enqueue(esp);
}

static void on_event(void* context, esp_event_base_t base, int32_t id, void* data) {
  covey_esp_idf_t* esp = (covey_esp_idf_t*)context;
  (void)base;
  if (id == MQTT_EVENT_DATA) {
    on_data(esp, (const esp_mqtt_event_t*)data);
  } else if (id == MQTT_EVENT_CONNECTED || id == MQTT_EVENT_DISCONNECTED) {
    /* Not through the queue, which may be full. */
    if (id == MQTT_EVENT_CONNECTED) ++esp->connections;
    esp->up = id == MQTT_EVENT_CONNECTED;
    esp->incoming.kind = KIND_WAKE;
    (void)xMessageBufferSend(esp->queue, &esp->incoming, PIECE_HEAD_BYTES, 0);
  }
}

/* A connection may have ended and another begun since the last look. */
static void tell_connection(covey_esp_idf_t* esp, covey_agent_t* agent) {
  const uint32_t connections = esp->connections;
  const bool up = esp->up;
  if (esp->told_up && (!up || connections != esp->told_connections)) {
    covey_agent_disconnected(agent, now_ms());
    esp->told_up = false;
  }
  if (up && !esp->told_up) {
    covey_agent_connected(agent, now_ms());
    esp->told_up = true;
    esp->told_connections = connections;
  }
}

void covey_esp_idf_step(covey_esp_idf_t* esp, covey_agent_t* agent) {
  const covey_esp_idf_piece_t* piece = &esp->received;
  uint32_t wait_ms;
  size_t size;
  tell_connection(esp, agent);
  wait_ms = covey_agent_poll(agent, now_ms());
  if (wait_ms > WAIT_MS_MAX) wait_ms = WAIT_MS_MAX;
  size = xMessageBufferReceive(esp->queue, &esp->received, sizeof esp->received,
                               pdMS_TO_TICKS(wait_ms));
  if (size < PIECE_HEAD_BYTES || piece->kind != KIND_MESSAGE) return;
  tell_connection(esp, agent);
  (void)covey_agent_receive(agent, piece->topic, strlen(piece->topic), piece->bytes, piece->size,
                            piece->offset, piece->total);
}

/* ---- Lock */

static void lock(void* ctx) { portENTER_CRITICAL(&((covey_esp_idf_t*)ctx)->lock); }

static void unlock(void* ctx) { portEXIT_CRITICAL(&((covey_esp_idf_t*)ctx)->lock); }

int covey_esp_idf_open(covey_esp_idf_t* esp, const char* partition,
                       esp_mqtt_client_handle_t client) {
  const portMUX_TYPE unlocked = portMUX_INITIALIZER_UNLOCKED;
  covey_port_t* port = &esp->port;
  int error;
  memset(esp, 0, sizeof *esp);
  esp->client = client;
  esp->lock = unlocked;
  error = open_flash(esp, partition);
  if (error == 0)
    error = covey_flash_store_open(&esp->identity, &port->flash, 0, port->flash.erase_unit_bytes);
  if (error == 0) error = covey_psa_crypto(&port->crypto);
  if (error != 0) return error;
  esp->queue = xMessageBufferCreate(QUEUE_PIECES * sizeof esp->incoming);
  if (esp->queue == NULL) return COVEY_ERROR_CONFIG;
  port->store = covey_flash_store_port(&esp->identity);
  port->link.ctx = esp;
  port->link.publish = publish;
  port->link.subscribe = subscribe;
  port->link.unsubscribe = unsubscribe;
  port->lock_ctx = esp;
  port->lock = lock;
  port->unlock = unlock;
  return esp_mqtt_client_register_event(client, MQTT_EVENT_ANY, on_event, esp);
}
