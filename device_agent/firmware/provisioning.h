/* SPDX-License-Identifier: Apache-2.0 */
/* What a unit is given at the factory: the first page of its flash, written by provision.py and
 * never by the firmware. Everything else in flash is the agent's.
 *
 * The page is this structure, little-endian, packed as it stands (all offsets are natural), and a
 * CRC-32 (IEEE 802.3) over the bytes before it. Texts end with NUL.
 *
 * `seed` stands in for a TRNG, which the emulated board does not have: see entropy.h. */
#ifndef COVEY_FIRMWARE_PROVISIONING_H
#define COVEY_FIRMWARE_PROVISIONING_H

#include "covey/port.h"

#define PROVISIONING_AUTHORITY_BYTES 560U
#define PROVISIONING_KEY_BYTES 32U
#define PROVISIONING_MAGIC 0x31505643U /* "CVP1" */

typedef struct provisioning {
  uint32_t magic;
  uint32_t size; /* of this structure */
  uint8_t seed[32];
  uint8_t trusted_key[COVEY_PUBLIC_KEY_BYTES_MAX]; /* who may sign models: a P-256 point */
  uint8_t certificate; /* 1: it asks the site for one, and comes in by that (tls_stream.c) */
  uint8_t reserved[2];
  char device_id[COVEY_DEVICE_ID_BYTES_MAX + 1];
  char device_class[COVEY_DEVICE_CLASS_BYTES_MAX + 1];
  char enroll_token[COVEY_PASSWORD_BYTES_MAX + 1];
  uint32_t report_interval_ms;    /* 0: the agent's default */
  uint32_t inference_interval_ms; /* 0: 1 s */
  uint32_t probation_inferences;  /* 0: the agent's default */
  /* For images that speak TLS (tls_stream.c): whom to trust, or a key in its place. */
  char gateway_name[64];                           /* in the gateway's certificate */
  uint32_t authority_size;                         /* 0: none */
  uint8_t authority[PROVISIONING_AUTHORITY_BYTES]; /* the site's certificate, DER */
  uint32_t pre_shared_key_size;                    /* 0: none */
  uint8_t pre_shared_key[PROVISIONING_KEY_BYTES];
  uint32_t crc;
} provisioning_t;

/* NULL when the page is not one. */
const provisioning_t* provisioning_read(const covey_flash_t* flash);

#endif
