/* SPDX-License-Identifier: Apache-2.0 */
/* Proves a port on the bench: what the agent relies on, function by function, with known answers.
 * Not for the field: it writes to the last slot of the last model. */
#include <string.h>

#include "../flash/flash.h"
#include "../link/link.h"

#define PATTERN_BYTES (2 * COVEY_ROW_BYTES)

/* Each step: 0, or an error. */
typedef int (*step_t)(const covey_agent_config_t* config);

static int hash_step(const covey_agent_config_t* config) {
  /* FIPS 180-2, appendix B.1: "abc" */
  static const uint8_t expected[COVEY_DIGEST_BYTES] = {
      0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
      0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
      0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
  const covey_crypto_t* crypto = &config->port->crypto;
  covey_hash_t abandoned;
  covey_hash_t hash;
  uint8_t digest[COVEY_DIGEST_BYTES];
  /* Two at a time, one never finished, in pieces of which one is empty. */
  crypto->hash_begin(crypto->ctx, &abandoned);
  crypto->hash_update(crypto->ctx, &abandoned, "x", 1);
  crypto->hash_begin(crypto->ctx, &hash);
  crypto->hash_update(crypto->ctx, &hash, "a", 1);
  crypto->hash_update(crypto->ctx, &hash, "", 0);
  crypto->hash_update(crypto->ctx, &hash, "bc", 2);
  crypto->hash_finish(crypto->ctx, &hash, digest);
  return covey_bytes_same_digest(digest, expected) ? COVEY_OK : COVEY_ERROR_CRYPTO;
}

static int mac_step(const covey_agent_config_t* config) {
  /* HMAC-SHA-256 of "Hi There" under 32 times 0x0b */
  static const uint8_t expected[COVEY_DIGEST_BYTES] = {
      0x19, 0x8a, 0x60, 0x7e, 0xb4, 0x4b, 0xfb, 0xc6, 0x99, 0x03, 0xa0,
      0xf1, 0xcf, 0x2b, 0xbd, 0xc5, 0xba, 0x0a, 0xa3, 0xf3, 0xd9, 0xae,
      0x3c, 0x1c, 0x7a, 0x3b, 0x16, 0x96, 0xa0, 0xb6, 0x8c, 0xf7};
  const covey_crypto_t* crypto = &config->port->crypto;
  const covey_bytes_t parts[3] = {
      {(const uint8_t*)"Hi ", 3}, {(const uint8_t*)"", 0}, {(const uint8_t*)"There", 5}};
  uint8_t key[COVEY_ORDER_KEY_BYTES];
  uint8_t mac[COVEY_DIGEST_BYTES];
  memset(key, 0x0b, sizeof key);
  if (crypto->mac(crypto->ctx, key, parts, 3, mac) != 0) return COVEY_ERROR_CRYPTO;
  return covey_bytes_same_digest(mac, expected) ? COVEY_OK : COVEY_ERROR_CRYPTO;
}

static int verify_step(const covey_agent_config_t* config) {
  /* RFC 6979, A.2.5: P-256, SHA-256, message "sample" */
  static const uint8_t point[COVEY_PUBLIC_KEY_BYTES_MAX] = {
      0x04, 0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb, 0x74,
      0xc6, 0x35, 0x6d, 0x68, 0xc0, 0x49, 0xb8, 0x92, 0x3b, 0x61, 0xfa, 0x6c, 0xe6,
      0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f, 0xb6, 0x79, 0x03, 0xfe, 0x10, 0x08, 0xb8,
      0xbc, 0x99, 0xa4, 0x1a, 0xe9, 0xe9, 0x56, 0x28, 0xbc, 0x64, 0xf2, 0xf1, 0xb2,
      0x0c, 0x2d, 0x7e, 0x9f, 0x51, 0x77, 0xa3, 0xc2, 0x94, 0xd4, 0x46, 0x22, 0x99};
  static const uint8_t signature[COVEY_SIGNATURE_BYTES] = {
      0xef, 0xd4, 0x8b, 0x2a, 0xac, 0xb6, 0xa8, 0xfd, 0x11, 0x40, 0xdd, 0x9c, 0xd4,
      0x5e, 0x81, 0xd6, 0x9d, 0x2c, 0x87, 0x7b, 0x56, 0xaa, 0xf9, 0x91, 0xc3, 0x4d,
      0x0e, 0xa8, 0x4e, 0xaf, 0x37, 0x16, 0xf7, 0xcb, 0x1c, 0x94, 0x2d, 0x65, 0x7c,
      0x41, 0xd4, 0x36, 0xc7, 0xa1, 0xb6, 0xe2, 0x9f, 0x65, 0xf3, 0xe9, 0x00, 0xdb,
      0xb9, 0xaf, 0xf4, 0x06, 0x4d, 0xc4, 0xab, 0x2f, 0x84, 0x3a, 0xcd, 0xa8};
  static const uint8_t digest[COVEY_DIGEST_BYTES] = {
      0xaf, 0x2b, 0xdb, 0xe1, 0xaa, 0x9b, 0x6e, 0xc1, 0xe2, 0xad, 0xe1,
      0xd6, 0x94, 0xf4, 0x1f, 0xc7, 0x1a, 0x83, 0x1d, 0x02, 0x68, 0xe9,
      0x89, 0x15, 0x62, 0x11, 0x3d, 0x8a, 0x62, 0xad, 0xd1, 0xbf};
  const covey_crypto_t* crypto = &config->port->crypto;
  covey_public_key_t key;
  uint8_t bytes[COVEY_SIGNATURE_BYTES];
  uint32_t i;
  memset(&key, 0, sizeof key);
  key.algorithm = COVEY_ALGORITHM_ES256;
  key.key = point;
  key.key_size = sizeof point;
  if ((config->algorithms >> COVEY_ALGORITHM_ES256 & 1) == 0 ||
      crypto->verify(crypto->ctx, &key, digest, signature) != 0) {
    return COVEY_ERROR_ALGORITHM_UNSUPPORTED; /* the least that a device can do */
  }
  for (i = 0; i < sizeof bytes; i += 21) { /* in r and in s */
    memcpy(bytes, signature, sizeof bytes);
    bytes[i] ^= 1;
    if (crypto->verify(crypto->ctx, &key, digest, bytes) == 0) {
      return COVEY_ERROR_SIGNATURE_INVALID; /* accepts a forgery */
    }
  }
  memset(bytes, 0, sizeof bytes); /* r = s = 0: a well-known way to fool a careless verifier */
  return crypto->verify(crypto->ctx, &key, digest, bytes) == 0 ? COVEY_ERROR_SIGNATURE_INVALID
                                                               : COVEY_OK;
}

static int random_step(const covey_agent_config_t* config) {
  const covey_crypto_t* crypto = &config->port->crypto;
  uint64_t drawn[8];
  size_t i;
  size_t k;
  for (i = 0; i < 8; ++i) {
    if (crypto->random(crypto->ctx, &drawn[i], sizeof drawn[i]) != 0) return COVEY_ERROR_CRYPTO;
    if (drawn[i] == 0 || drawn[i] == UINT64_MAX) return COVEY_ERROR_CRYPTO;
    for (k = 0; k < i; ++k) {
      if (drawn[k] == drawn[i]) return COVEY_ERROR_CRYPTO; /* boot ids would repeat */
    }
  }
  return COVEY_OK;
}

/* What is stored comes back, whole and no longer than it was; then the old record again. */
static int store_step(const covey_agent_config_t* config) {
  const covey_store_t* store = &config->port->store;
  uint8_t before[COVEY_STORE_BYTES_MAX];
  uint8_t pattern[COVEY_STORE_BYTES_MAX];
  uint8_t check[COVEY_STORE_BYTES_MAX];
  const int size = store->read(store->ctx, before, sizeof before);
  const size_t sizes[] = {sizeof pattern, 100, 0};
  size_t i;
  int error = size < 0 ? COVEY_ERROR_STORE : COVEY_OK;
  for (i = 0; i < sizeof pattern; ++i) pattern[i] = (uint8_t)(i * 7 + 1);
  for (i = 0; i < sizeof sizes / sizeof sizes[0] && error == 0; ++i) {
    if (store->write(store->ctx, pattern, sizes[i]) != 0 ||
        store->read(store->ctx, check, sizeof check) != (int)sizes[i] ||
        memcmp(pattern, check, sizes[i]) != 0) {
      error = COVEY_ERROR_STORE;
    }
  }
  if (size >= 0 && store->write(store->ctx, before, (size_t)size) != 0) error = COVEY_ERROR_STORE;
  return error;
}

static uint8_t pattern_byte(size_t i) { return (uint8_t)(i * 7 + i / 251 + 1); }

/* Each place takes the longest record, and is empty in the end. */
static int outbox_step(const covey_agent_config_t* config) {
  static const size_t sizes[] = {COVEY_OUTBOX_BYTES_MAX, 100, 0};
  uint8_t* bytes = config->send_buffer;
  size_t i;
  size_t k;
  for (i = 0; i < config->port->outbox_places * (sizeof sizes / sizeof sizes[0]); ++i) {
    const covey_store_t* store = &config->port->outbox[i / (sizeof sizes / sizeof sizes[0])];
    const size_t size = sizes[i % (sizeof sizes / sizeof sizes[0])];
    for (k = 0; k < size; ++k) bytes[k] = pattern_byte(k);
    if (store->write(store->ctx, bytes, size) != 0) return COVEY_ERROR_STORE;
    memset(bytes, 0, COVEY_OUTBOX_BYTES_MAX);
    if (store->read(store->ctx, bytes, config->send_bytes) != (int)size) return COVEY_ERROR_STORE;
    for (k = 0; k < size; ++k) {
      if (bytes[k] != pattern_byte(k)) return COVEY_ERROR_STORE;
    }
  }
  return COVEY_OK;
}

/* Whether `size` bytes read as `expected` (NULL: erased), by read and where the processor sees
 * them. */
static bool reads_as(const covey_flash_t* flash, uint32_t offset, const uint8_t* expected,
                     uint32_t size) {
  uint32_t i;
  for (i = 0; i < size; ++i) {
    const uint8_t wanted = expected != NULL ? expected[i] : flash->erased_value;
    uint8_t byte = (uint8_t)~wanted;
    if (flash->read(flash->ctx, offset + i, &byte, 1) != 0 || byte != wanted ||
        flash->xip_base[offset + i] != wanted) {
      return false;
    }
  }
  return true;
}

static int flash_step(const covey_agent_config_t* config) {
  const covey_flash_t* flash = &config->port->flash;
  const covey_model_config_t* m = &config->models[config->model_count - 1];
  const uint32_t unit = flash->erase_unit_bytes;
  const uint32_t align = flash->write_align_bytes;
  const uint32_t begin = m->slots[m->slot_count - 1].offset;
  uint8_t pattern[PATTERN_BYTES];
  uint32_t i;
  for (i = 0; i < PATTERN_BYTES; ++i) pattern[i] = (uint8_t)(i * 151 + 3);
  for (i = 0; i < 2; ++i) {
    if (flash->erase(flash->ctx, begin + i * unit) != 0) return COVEY_ERROR_FLASH_ERASE;
    if (!reads_as(flash, begin + i * unit, NULL, unit)) return COVEY_ERROR_FLASH_ERASE;
  }
  /* One write unit alone, the rest of two rows at once, the last row of the erase unit, a row of
   * the next. */
  if (flash->write(flash->ctx, begin, pattern, align) != 0 ||
      !reads_as(flash, begin, pattern, align) ||
      !reads_as(flash, begin + align, NULL, unit - align) ||
      flash->write(flash->ctx, begin + align, pattern + align, PATTERN_BYTES - align) != 0 ||
      flash->write(flash->ctx, begin + unit - COVEY_ROW_BYTES, pattern, COVEY_ROW_BYTES) != 0 ||
      flash->write(flash->ctx, begin + unit, pattern, COVEY_ROW_BYTES) != 0 ||
      !reads_as(flash, begin, pattern, PATTERN_BYTES) ||
      !reads_as(flash, begin + PATTERN_BYTES, NULL, unit - PATTERN_BYTES - COVEY_ROW_BYTES) ||
      !reads_as(flash, begin + unit - COVEY_ROW_BYTES, pattern, COVEY_ROW_BYTES)) {
    return COVEY_ERROR_FLASH_WRITE;
  }
  /* An erase takes its own unit and nothing else. */
  if (flash->erase(flash->ctx, begin) != 0 || !reads_as(flash, begin, NULL, unit) ||
      !reads_as(flash, begin + unit, pattern, COVEY_ROW_BYTES) ||
      flash->erase(flash->ctx, begin + unit) != 0) {
    return COVEY_ERROR_FLASH_ERASE;
  }
  return COVEY_OK;
}

int covey_port_selftest(const covey_agent_config_t* config, const char** what) {
  static const struct {
    const char* name;
    step_t run;
  } steps[] = {{"config", covey_config_check}, {"hash", hash_step},     {"mac", mac_step},
               {"verify", verify_step},        {"random", random_step}, {"store", store_step},
               {"outbox", outbox_step},        {"flash", flash_step}};
  size_t i;
  for (i = 0; i < sizeof steps / sizeof steps[0]; ++i) {
    const int error = steps[i].run(config);
    if (what != NULL) *what = steps[i].name;
    if (error != 0) return error;
  }
  if (what != NULL) *what = NULL;
  return COVEY_OK;
}
