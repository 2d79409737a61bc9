/* SPDX-License-Identifier: Apache-2.0 */
/* A covey_store_t in flash, for boards without a key-value store, EEPROM or file system: one
 * record, replaced as a whole. Two areas of whole erase units; a new record is appended behind the
 * last one, and only when an area is full the other one is erased. A power cut leaves the old
 * record or the new one, no word is programmed twice, and wear is spread over a whole area.
 *
 * Record: {magic u32, generation u32, size u16, 2 zero bytes, payload, crc32} little-endian, padded
 * to the flash's write unit. Thread: the agent's. */
#ifndef COVEY_FLASH_STORE_H
#define COVEY_FLASH_STORE_H

#include "covey/port.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct covey_flash_store {
  const covey_flash_t* flash;
  uint32_t offset;     /* of the first area; the second one follows */
  uint32_t area_bytes; /* of each */
  uint32_t generation; /* of the newest record, 0: none */
  uint32_t at;         /* the newest record */
  uint32_t next;       /* where the next one goes; 0: into the other area */
} covey_flash_store_t;

/* Bytes in flash of a record with so many bytes of payload. */
uint32_t covey_flash_store_record_bytes(const covey_flash_t* flash, uint32_t size);

/* Finds the newest record. `offset` and `area_bytes` are multiples of the erase unit; an area must
 * hold the longest record: one of COVEY_STORE_BYTES_MAX bytes for an identity, of
 * COVEY_OUTBOX_BYTES_MAX for a place of the outbox. The flash must outlive the store. Errors:
 * FLASH_GEOMETRY. */
int covey_flash_store_open(covey_flash_store_t* store, const covey_flash_t* flash, uint32_t offset,
                           uint32_t area_bytes);

covey_store_t covey_flash_store_port(covey_flash_store_t* store);

#ifdef __cplusplus
}
#endif

#endif
