/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef COVEY_SRC_SESSION_PARTS_H
#define COVEY_SRC_SESSION_PARTS_H

#include <string.h>

#include "../flash/flash.h"
#include "../life/life.h"
#include "../link/link.h"
#include "../telemetry/telemetry.h"
#include "session.h"

/* ---- identity.c */
typedef struct covey_identity {
  uint64_t nonce;
  uint32_t magic;
  uint32_t site_epoch;
  uint8_t order_key[COVEY_ORDER_KEY_BYTES];
  char username[COVEY_USERNAME_BYTES_MAX + 1];
  char password[COVEY_PASSWORD_BYTES_MAX + 1];
  char shard[COVEY_SHARD_BYTES + 1];
  uint8_t enrolled;
  uint32_t crc; /* of all before it */
} covey_identity_t;
/* Into the store, then into force. Errors: STORE. */
int covey_identity_keep(covey_agent_t* a, covey_identity_t* id);

/* ---- say.c */
/* The message of the timer ENROLL, HELLO or STATUS, when it is due; it is repeated until the timer
 * is left alone. */
int covey_say(covey_agent_t* a, enum covey_timer_name name);

/* ---- certificate.c, request.c, unseal.c: the device's own key */
#if COVEY_DEVICE_KEY
static inline const covey_device_key_t* covey_parts_own_key(const covey_agent_t* a) {
  return covey_core_port(a)->device_key;
}
/* What the port's store has of it. */
void covey_certificate_load(covey_agent_t* a);
/* Into that store. Errors: STORE, MESSAGE_MALFORMED. */
int covey_certificate_keep(covey_agent_t* a, covey_bytes_t certificate);
/* The fields of an EnrollRequest that name the key, or ask for a certificate. Errors: CRYPTO. */
int covey_request_write(const covey_agent_t* a, covey_writer_t* w);
/* What was sealed for the device's own key, into the send buffer. Errors: MAC_INVALID, CRYPTO,
 * MESSAGE_MALFORMED. */
int covey_unseal(const covey_agent_t* a, covey_bytes_t sealed, covey_bytes_t* plain);
#endif

#endif
