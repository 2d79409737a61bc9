/* SPDX-License-Identifier: Apache-2.0 */
/* A port to start from: copy the two files, write the eight functions below (most are one call of
 * your vendor's library), delete what your board has better. device_agent/PORTING.md is the walk
 * through it.
 *
 * Thread: everything runs in the one that calls the agent. */
#ifndef PORT_TEMPLATE_H
#define PORT_TEMPLATE_H

#include "covey/flash_store.h"
#include "covey/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Yours */

/* Your part, by its reference manual: a region of flash that nothing else uses. */
typedef struct board_flash {
  const uint8_t* address; /* where the processor sees it */
  uint32_t size_bytes;
  uint32_t erase_unit_bytes;  /* "page" or "sector" */
  uint32_t write_align_bytes; /* "double word": 8; "flash word": 16 or 32 */
} board_flash_t;
extern const board_flash_t board_flash;

/* 0, or a number of yours that the gateway will show. Interrupts off, unlock, lock, caches: here.
 */
int board_flash_erase(const uint8_t* address); /* one erase unit */
int board_flash_program(const uint8_t* address, const void* from, size_t size);

/* From the TRNG, never from a clock or a serial number. 0, or negative. */
int board_random(void* into, size_t size);

/* Milliseconds since the start, sleep included; never goes back. */
uint64_t board_now_ms(void);

/* Your MQTT 3.1.1 client: only queue, and copy what you queue. 0; negative when there is no room
 * now, the agent then asks again. */
int board_mqtt_publish(const char* topic, const uint8_t* payload, size_t size, uint8_t qos);
int board_mqtt_subscribe(const char* topic, uint8_t qos);
int board_mqtt_unsubscribe(const char* topic);

/* ---- The port */

/* Flash as above; the identity in its first two erase units (journal and slots follow); crypto by
 * PSA. The port's memory is static. Errors: FLASH_GEOMETRY, FLASH_READ, CRYPTO. */
int port_open(covey_port_t* port);

#ifdef __cplusplus
}
#endif

#endif
