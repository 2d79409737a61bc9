/* SPDX-License-Identifier: Apache-2.0 */
#include "port_template.h"

#include <string.h>

#include "covey/error.h"
#include "covey/port_psa.h"

static covey_flash_store_t identity;

/* ---- Flash. A part that reports ECC errors on reading (STM32L5, H7) must return them here instead
 * of faulting: a power cut can leave a word like that. */

static int flash_read(void* ctx, uint32_t offset, void* into, size_t size) {
  (void)ctx;
  memcpy(into, board_flash.address + offset, size);
  return COVEY_OK;
}

static int flash_write(void* ctx, uint32_t offset, const void* from, size_t size) {
  (void)ctx;
  return board_flash_program(board_flash.address + offset, from, size);
}

static int flash_erase(void* ctx, uint32_t offset) {
  (void)ctx;
  return board_flash_erase(board_flash.address + offset);
}

/* ---- Random bytes. Delete this and keep PSA's where your Mbed TLS has an entropy source. */

static int random_bytes(void* ctx, void* into, size_t size) {
  (void)ctx;
  return board_random(into, size) == 0 ? COVEY_OK : COVEY_ERROR_CRYPTO;
}

/* ---- Link */

static int result_of(int error) { return error == 0 ? COVEY_OK : COVEY_ERROR_AGAIN; }

static int publish(void* ctx, const char* topic, const uint8_t* payload, size_t size, uint8_t qos) {
  (void)ctx;
  return result_of(board_mqtt_publish(topic, payload, size, qos));
}

static int subscribe(void* ctx, const char* topic, uint8_t qos) {
  (void)ctx;
  return result_of(board_mqtt_subscribe(topic, qos));
}

static int unsubscribe(void* ctx, const char* topic) {
  (void)ctx;
  return result_of(board_mqtt_unsubscribe(topic));
}

int port_open(covey_port_t* port) {
  int error;
  memset(port, 0, sizeof *port);
  port->flash.size_bytes = board_flash.size_bytes;
  port->flash.erase_unit_bytes = board_flash.erase_unit_bytes;
  port->flash.write_align_bytes = board_flash.write_align_bytes;
  port->flash.erased_value = 0xff; /* STM32L0 and L1: 0x00 */
  port->flash.xip_base = board_flash.address;
  port->flash.read = flash_read;
  port->flash.write = flash_write;
  port->flash.erase = flash_erase;
  error = covey_flash_store_open(&identity, &port->flash, 0, port->flash.erase_unit_bytes);
  if (error == 0) error = covey_psa_crypto(&port->crypto);
  if (error != 0) return error;
  port->crypto.random = random_bytes;
  port->store = covey_flash_store_port(&identity);
  port->link.publish = publish;
  port->link.subscribe = subscribe;
  port->link.unsubscribe = unsubscribe;
  /* lock and unlock only where covey_agent_record_inference is called from several ISRs or threads,
   * or on another core; ports/cortex_m has a pair. */
  return COVEY_OK;
}
