/* SPDX-License-Identifier: Apache-2.0 */
/* The port: what the agent needs from your board. This header is the porting guide.
 *
 * Fill in one covey_port_t; it must outlive the agent. Every function gets the `ctx` of its own
 * group, so that e.g. flash, crypto and network can be written (or taken from ports/) apart.
 * All are called from the thread that calls the agent, never from an ISR, and must not call the
 * agent back. Results: 0, or a negative number; a number of yours is passed on to the gateway as
 * `port_code`. Nothing may block for long: flash operations take what they take, publish and
 * subscribe only queue.
 *
 * An afternoon's order: 1. flash, with ports/host as the model; 2. crypto: ports/openssl shows what
 * each function does in a few lines; 3. store; 4. link, over the MQTT client that you have. */
#ifndef COVEY_PORT_H
#define COVEY_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "covey/sizes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Flash. One address space of bytes, from 0: a partition, an external chip, a file.
 *
 * The agent keeps to what real parts demand: it writes only whole, aligned write units, each at
 * most once between two erases (ECC flash), erases one unit at a time and never both halves of its
 * journal. It reads back what matters. A power cut may tear any operation. */
typedef struct covey_flash {
  void* ctx;
  uint32_t size_bytes;
  uint32_t erase_unit_bytes;  /* power of two */
  uint32_t write_align_bytes; /* 1, 2, 4, 8, 16, 32 or 64 */
  uint8_t erased_value;       /* of a byte after erase: 0xff nearly everywhere */
  /* Where the processor sees byte 0: models are used in place. External flash that is not mapped
   * can hold the journal, but no models. */
  const uint8_t* xip_base;
  /* Must report an ECC error instead of faulting, if the part can. */
  int (*read)(void* ctx, uint32_t offset, void* into, size_t size);
  /* offset and size are multiples of write_align_bytes. */
  int (*write)(void* ctx, uint32_t offset, const void* from, size_t size);
  /* One erase unit. */
  int (*erase)(void* ctx, uint32_t offset);
} covey_flash_t;

/* ---- Crypto. */
typedef struct covey_bytes {
  const uint8_t* bytes;
  size_t size;
} covey_bytes_t;

enum covey_algorithm {
  COVEY_ALGORITHM_ES256 = 1,  /* ECDSA P-256; signature r | s */
  COVEY_ALGORITHM_ED25519 = 2 /* over the 32 bytes of the digest */
};

/* A trust anchor: who may sign models. Lives in firmware. */
typedef struct covey_public_key {
  uint32_t algorithm;
  uint8_t key_id[COVEY_KEY_ID_BYTES]; /* first 8 bytes of SHA-256(key) */
  const uint8_t* key;                 /* 65-byte uncompressed point, or 32 bytes Ed25519 */
  size_t key_size;
} covey_public_key_t;

/* State of a running SHA-256, in the agent's memory. A hash may be abandoned without finish, so no
 * port may keep a resource per hash. */
typedef struct covey_hash {
  uint64_t opaque[16];
} covey_hash_t;

typedef struct covey_crypto {
  void* ctx;
  void (*hash_begin)(void* ctx, covey_hash_t* hash);
  void (*hash_update)(void* ctx, covey_hash_t* hash, const void* bytes, size_t size);
  void (*hash_finish)(void* ctx, covey_hash_t* hash, uint8_t digest[COVEY_DIGEST_BYTES]);
  /* 0 only if the signature of the digest is this key's; else negative. */
  int (*verify)(void* ctx, const covey_public_key_t* key, const uint8_t digest[COVEY_DIGEST_BYTES],
                const uint8_t signature[COVEY_SIGNATURE_BYTES]);
  /* HMAC-SHA-256 over the parts, one after the other. */
  int (*mac)(void* ctx, const uint8_t key[COVEY_ORDER_KEY_BYTES], const covey_bytes_t* parts,
             size_t count, uint8_t mac[COVEY_DIGEST_BYTES]);
  /* Unpredictable bytes: boot ids and nonces depend on it. */
  int (*random)(void* ctx, void* into, size_t size);
} covey_crypto_t;

/* ---- Store: one record that survives everything and is replaced as a whole (a key-value store, an
 * EEPROM, a file, ports/flash_store): after a power cut it is the old one or the new one.
 * `store` holds the identity that enrolment gave, is small, and written only at enrolment. */
#define COVEY_STORE_BYTES_MAX 224

typedef struct covey_store {
  void* ctx;
  /* Returns the size of the record, 0 if there is none or it is empty, or a negative number. */
  int (*read)(void* ctx, uint8_t* into, size_t capacity);
  int (*write)(void* ctx, const uint8_t* from, size_t size);
} covey_store_t;

/* ---- The device's own key, with COVEY_DEVICE_KEY 1: of P-256, made on the device (or in its
 * secure element), and never told. ports/openssl and ports/psa have it. */
typedef struct covey_device_key {
  void* ctx;
  /* 4 | x | y (SEC 1, section 2.3.3). */
  int (*public_key)(void* ctx, uint8_t point[COVEY_POINT_BYTES]);
  /* ECDSA of a digest: r | s. */
  int (*sign)(void* ctx, const uint8_t digest[COVEY_DIGEST_BYTES],
              uint8_t signature[COVEY_SIGNATURE_BYTES]);
  /* ECDH: the x coordinate. A point that is not on the curve must be refused. */
  int (*agree)(void* ctx, const uint8_t point[COVEY_POINT_BYTES],
               uint8_t secret[COVEY_DIGEST_BYTES]);
  /* AES-128-GCM without associated data: `size` bytes and behind them a tag of 16; negative when
   * the tag is wrong. */
  int (*decrypt)(void* ctx, const uint8_t key[16], const uint8_t nonce[12], const uint8_t* sealed,
                 size_t size, uint8_t* plain);
  /* Where its certificate is kept: a record of COVEY_CERTIFICATE_BYTES_MAX, as a store's; X.509 in
   * DER, for your TLS. NULL: this device wants none. */
  const covey_store_t* certificate;
  /* What the production line has put there for this key, with the device's id as name (CN): X.509
   * in DER, COVEY_MANUFACTURER_CERTIFICATE_BYTES at most. NULL: nothing. */
  const uint8_t* manufacturer_certificate;
  size_t manufacturer_certificate_size;
} covey_device_key_t;

/* ---- Link: an MQTT 3.1.1 client, yours or device_agent/mqtt. Clean sessions. Call
 * covey_agent_connected/disconnected when the connection changes and covey_agent_receive for every
 * message. COVEY_ERROR_AGAIN: no room now; the agent asks again a little later. Topic and payload
 * are valid only during the call. */
typedef struct covey_link {
  void* ctx;
  int (*publish)(void* ctx, const char* topic, const uint8_t* payload, size_t size, uint8_t qos);
  int (*subscribe)(void* ctx, const char* topic, uint8_t qos);
  int (*unsubscribe)(void* ctx, const char* topic);
} covey_link_t;

typedef struct covey_port {
  covey_flash_t flash;
  covey_crypto_t crypto;
  covey_store_t store;
  covey_link_t link;
  /* The outbox, with COVEY_OUTBOX 1: so many more records, of COVEY_OUTBOX_BYTES_MAX at most, for
   * telemetry that is not acknowledged when the power goes; COVEY_OUTBOX_PLACES_MAX at most. One
   * boot of an outage takes up to COVEY_WINDOWS_IN_FLIGHT + 1 for each model until it is delivered;
   * what finds no place dies with the RAM. Written when an acknowledgement is late, at most every
   * keep_ms, and by covey_agent_flush. Memory that a reset leaves alone will do, too: what is torn
   * is noticed. */
  const covey_store_t* outbox;
  uint32_t outbox_places;
  /* With COVEY_DEVICE_KEY 1; NULL: it has none. */
  const covey_device_key_t* device_key;
  /* Only where covey_agent_record_inference is called from several threads or ISRs, or on another
   * core than poll: e.g. a mutex or a spin lock. Held for the time of copying one window. NULL: not
   * needed; one ISR, or one thread on poll's core, records without. */
  void* lock_ctx;
  void (*lock)(void* ctx);
  void (*unlock)(void* ctx);
} covey_port_t;

#ifdef __cplusplus
}
#endif

#endif
