/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication by the order key: the last 18 bytes of a message are the field `mac = 15`. */
#include <string.h>

#include "covey/broken.h"
#include "link.h"

static int mac_of(const covey_agent_t* a, const char* kind, const uint8_t* payload, size_t size,
                  uint8_t mac[COVEY_DIGEST_BYTES]) {
  const covey_crypto_t* crypto = &covey_core_port(a)->crypto;
  covey_bytes_t parts[3];
  parts[0].bytes = (const uint8_t*)kind; /* the terminating zeros are part of it */
  parts[0].size = strlen(kind) + 1;
  parts[1].bytes = (const uint8_t*)a->config->device_id;
  parts[1].size = strlen(a->config->device_id) + 1;
  parts[2].bytes = payload;
  parts[2].size = size;
  return crypto->mac(crypto->ctx, a->order_key, parts, 3, mac);
}

void covey_seal_add(covey_agent_t* a, const char* kind, covey_writer_t* w) {
  uint8_t mac[COVEY_DIGEST_BYTES];
  if (mac_of(a, kind, w->bytes, w->size, mac) != 0) w->overflow = true;
  covey_write_bytes(w, 15, mac, COVEY_MAC_BYTES);
}

/* Whether the message ends with the field that it must; takes that off. */
static bool sealed(const covey_agent_t* a, const char* kind, covey_bytes_t* message) {
  uint8_t expected[COVEY_MAC_FIELD_BYTES - COVEY_MAC_BYTES + COVEY_DIGEST_BYTES];
  const uint8_t* field;
  uint32_t difference = 0;
  size_t i;
  if (message->size < COVEY_MAC_FIELD_BYTES) return false;
  message->size -= COVEY_MAC_FIELD_BYTES;
  if (COVEY_BREAKS(NO_MAC)) return true;
  field = message->bytes + message->size;
  expected[0] = 0x7a;
  expected[1] = COVEY_MAC_BYTES;
  if (mac_of(a, kind, message->bytes, message->size, &expected[2]) != 0) return false;
  for (i = 0; i < COVEY_MAC_FIELD_BYTES; ++i) difference |= (uint32_t)(field[i] ^ expected[i]);
  return difference == 0;
}

int covey_seal_open(covey_agent_t* a, const char* kind, covey_bytes_t* message) {
  if (sealed(a, kind, message)) return COVEY_OK;
  ++a->counters.mac_invalid;
  return COVEY_ERROR_MAC_INVALID;
}
