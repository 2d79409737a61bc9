/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's port on ESP-IDF (5.1 and later): a data partition, mapped for models and also holding
 * the identity; crypto by PSA (ports/psa), the link over esp-mqtt.
 *
 *   static covey_esp_idf_t esp;
 *   covey_esp_idf_open(&esp, "covey", client);     // after esp_mqtt_client_init
 *   config.port = &esp.port;
 *   for (;;) covey_esp_idf_step(&esp, &agent);     // in the agent's own task
 *
 * Threads: esp-mqtt has a task of its own. What it receives goes through a queue to the task that
 * calls covey_esp_idf_step, the only one that may call the agent; sending only fills esp-mqtt's
 * outbox. A message that finds no room in the queue is dropped and counted: the agent asks again.
 * Not tried on hardware: this was compiled against headers of the API only. */
#ifndef COVEY_PORT_ESP_IDF_H
#define COVEY_PORT_ESP_IDF_H

#include "covey/agent.h"
#include "covey/flash_store.h"
#include "esp_partition.h"
#include "freertos/FreeRTOS.h"
#include "freertos/message_buffer.h"
#include "mqtt_client.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the partition begins with; journal and slots follow. */
#define COVEY_ESP_IDF_IDENTITY_UNITS 2

/* The largest piece that esp-mqtt hands over: its buffer.size must not be larger. */
#ifndef COVEY_ESP_IDF_PIECE_BYTES
#define COVEY_ESP_IDF_PIECE_BYTES 1024
#endif

typedef struct covey_esp_idf_piece {
  uint32_t kind; /* internal */
  uint32_t offset;
  uint32_t total;
  uint32_t size;
  char topic[COVEY_TOPIC_BYTES_MAX]; /* of the message, also in its later pieces */
  uint8_t bytes[COVEY_ESP_IDF_PIECE_BYTES];
} covey_esp_idf_piece_t;

typedef struct covey_esp_idf {
  covey_port_t port;
  const esp_partition_t* partition;
  esp_partition_mmap_handle_t mapping;
  covey_flash_store_t identity;
  esp_mqtt_client_handle_t client;
  MessageBufferHandle_t queue;
  covey_esp_idf_piece_t incoming; /* esp-mqtt's task */
  covey_esp_idf_piece_t received; /* the agent's task */
  volatile uint32_t connections;  /* written by esp-mqtt's task */
  volatile bool up;
  uint32_t told_connections; /* what the agent knows of that */
  bool told_up;
  uint32_t dropped; /* pieces that found no room in the queue */
  portMUX_TYPE lock;
} covey_esp_idf_t;

/* `client` must have a clean session and no automatic subscriptions; start it afterwards. Errors:
 * FLASH_GEOMETRY (no such partition), FLASH_READ, CRYPTO, CONFIG (no memory), or an esp_err_t. */
int covey_esp_idf_open(covey_esp_idf_t* esp, const char* partition,
                       esp_mqtt_client_handle_t client);

/* Waits for a message, at most as long as the agent wants, hands it over and polls the agent. */
void covey_esp_idf_step(covey_esp_idf_t* esp, covey_agent_t* agent);

/* Why the processor started. */
covey_start_cause_t covey_esp_idf_start_cause(void);

/* In memory that a reset leaves alone, for covey_agent_config_t.retained. */
covey_retained_t* covey_esp_idf_retained(void);

#ifdef __cplusplus
}
#endif

#endif
