/* SPDX-License-Identifier: Apache-2.0 */
/* Flash and store of the agent's port on a host: in memory or in a file, with the geometry of any
 * part, and with the accidents that real parts have: power cuts with torn words and erases, failing
 * operations, writes that are silently lost. For simulators, tests and Linux devices.
 *
 * File-backed flash is mapped shared: what was written survives a kill -9 of the process.
 * Threads: one thread per object. Errors: 0 or a negative COVEY_ERROR_*; errno tells more. */
#ifndef COVEY_PORT_HOST_H
#define COVEY_PORT_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "covey/port.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct covey_host_geometry {
  uint32_t size_bytes;
  uint32_t erase_unit_bytes;
  uint32_t write_align_bytes;
  uint8_t erased_value; /* 0x00 lets memory that was never written cost nothing */
} covey_host_geometry_t;

/* What the operation in which power fails leaves behind. */
typedef enum covey_host_tear {
  COVEY_HOST_TEAR_NOTHING = 0, /* it did not begin */
  COVEY_HOST_TEAR_ALL,         /* it was just complete */
  COVEY_HOST_TEAR_PREFIX,      /* whole write units (or bytes of an erase), then nothing */
  COVEY_HOST_TEAR_BITS,        /* a prefix, then a unit with some of its bits */
  COVEY_HOST_TEAR_ERASED,      /* a unit was touched, but reads as erased */
  COVEY_HOST_TEAR_ECC          /* units were touched, and cannot be read until they are erased */
} covey_host_tear_t;

typedef struct covey_host_flash {
  covey_host_geometry_t geometry;
  uint8_t* bytes;
  uint8_t*
      touched; /* per write unit: 1 programmed since its erase, 2 unreadable; NULL: not watched */

  uint64_t operations; /* writes and erases begun */
  uint64_t erases;
  uint64_t cut_at; /* power fails in this operation (first: 1); 0: never */
  covey_host_tear_t tear;
  uint32_t seed; /* where a prefix ends, which bits */
  bool dead;     /* power is off: nothing has an effect, everything fails */

  uint64_t fail_at;         /* this operation fails without power being lost; 0: never */
  uint32_t drop_from;       /* writes and erases in [drop_from, drop_to) pretend to succeed */
  uint32_t drop_to;         /* ... and do nothing: the sabotage of a journal */
  uint32_t unreadable_from; /* reads in [unreadable_from, unreadable_to) fail: ECC */
  uint32_t unreadable_to;
  uint64_t written_twice; /* write units programmed twice between erases: must stay 0 */
  uint32_t written_twice_at;
  uint64_t misaligned; /* calls that no real part would accept: must stay 0 */
} covey_host_flash_t;

/* Erased flash in memory. `watch`: count units that are written twice. */
int covey_host_flash_memory(covey_host_flash_t* flash, const covey_host_geometry_t* geometry,
                            bool watch);
/* Opens or makes the file; one of another size is refused (CONFIG). */
int covey_host_flash_file(covey_host_flash_t* flash, const covey_host_geometry_t* geometry,
                          const char* path);
void covey_host_flash_close(covey_host_flash_t* flash);
/* After a cut: power is back, no cut is planned. */
void covey_host_flash_power_on(covey_host_flash_t* flash);
/* The group for covey_port_t. */
covey_flash_t covey_host_flash_port(covey_host_flash_t* flash);

typedef struct covey_host_store {
  uint8_t bytes[COVEY_SEND_BYTES_MIN]; /* room for a place of the outbox */
  size_t size;
  char path[512]; /* empty: memory */
  bool dead;
} covey_host_store_t;

void covey_host_store_memory(covey_host_store_t* store);
/* Reads the file if there is one; every write replaces it by rename. */
int covey_host_store_file(covey_host_store_t* store, const char* path);
covey_store_t covey_host_store_port(covey_host_store_t* store);

#ifdef __cplusplus
}
#endif

#endif
