/* SPDX-License-Identifier: Apache-2.0 */
/* What was sealed for the device's own key: hybrid public key encryption (RFC 9180), base mode,
 * DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, info "covey enrolment". All of its HKDF
 * steps are HMACs with keys of 32 bytes: the port's mac does them. */
#include "parts.h"

#if COVEY_DEVICE_KEY

enum { TAG_BYTES = 16, KEY_BYTES = 16, NONCE_BYTES = 12 };

/* Section 5.1, KeySchedule: mode_base | psk_id_hash | info_hash, which are the same in every
 * message of this kind. tests/unit/agent/test_own_key.cpp makes them anew. */
static const uint8_t context[1 + 2 * COVEY_DIGEST_BYTES] = {
    0x00, 0xb8, 0x8d, 0x4e, 0x6d, 0x91, 0x75, 0x9e, 0x65, 0xe8, 0x7c, 0x47, 0x0e,
    0x8b, 0x91, 0x41, 0x11, 0x3e, 0x9a, 0xd5, 0xf0, 0xc8, 0xce, 0xef, 0xc1, 0xe0,
    0x88, 0xc8, 0x2e, 0x69, 0x80, 0x50, 0x07, 0xfd, 0xc5, 0xe2, 0x9c, 0xbe, 0x53,
    0x29, 0x20, 0x7d, 0xeb, 0x14, 0x6d, 0x7a, 0xc0, 0x27, 0x28, 0x2b, 0x66, 0xd1,
    0x98, 0x14, 0xfa, 0x32, 0x61, 0xba, 0x66, 0x19, 0x9b, 0x9f, 0xac, 0xbd, 0x60};

/* Sections 4.1 and 5.1: "HPKE-v1" and the suite; its first five are those of the KEM. */
static const char hpke_suite[] = "HPKE-v1HPKE\x00\x10\x00\x01\x00\x01";
static const char kem_suite[] = "HPKE-v1KEM\x00\x10";

typedef struct step {
  const covey_agent_t* a;
  bool kem;
} step_t;

static void part_of(covey_bytes_t* part, const void* bytes, size_t size) {
  part->bytes = (const uint8_t*)bytes;
  part->size = size;
}

/* LabeledExtract, and LabeledExpand to `size` bytes of at most one block. size 0: extract. */
static int derive(const step_t* step, const uint8_t* key, const char* label, covey_bytes_t input,
                  covey_bytes_t more, size_t size, uint8_t out[COVEY_DIGEST_BYTES]) {
  const covey_crypto_t* crypto = &covey_core_port(step->a)->crypto;
  static const uint8_t block = 1;
  covey_bytes_t parts[6];
  uint8_t length[2];
  length[0] = 0;
  length[1] = (uint8_t)size;
  part_of(&parts[0], length, size == 0 ? 0 : sizeof length);
  if (step->kem) {
    part_of(&parts[1], kem_suite, sizeof kem_suite - 1);
  } else {
    part_of(&parts[1], hpke_suite, sizeof hpke_suite - 1);
  }
  part_of(&parts[2], label, strlen(label));
  parts[3] = input;
  parts[4] = more;
  part_of(&parts[5], &block, size == 0 ? 0 : 1);
  return crypto->mac(crypto->ctx, key, parts, 6, out) == 0 ? COVEY_OK : COVEY_ERROR_CRYPTO;
}

/* Section 4.1, Decap. */
static int decapsulate(const covey_agent_t* a, covey_bytes_t enc,
                       uint8_t shared[COVEY_DIGEST_BYTES]) {
  const covey_device_key_t* own = covey_parts_own_key(a);
  const step_t step = {a, true};
  const covey_bytes_t none = {NULL, 0};
  uint8_t own_point[COVEY_POINT_BYTES];
  uint8_t secret[COVEY_DIGEST_BYTES];
  uint8_t no_salt[COVEY_DIGEST_BYTES]; /* zeros: RFC 5869, section 2.2 */
  uint8_t prk[COVEY_DIGEST_BYTES];
  covey_bytes_t input;
  covey_bytes_t recipient;
  int error;
  if (own->public_key(own->ctx, own_point) != 0 || own->agree(own->ctx, enc.bytes, secret) != 0) {
    return COVEY_ERROR_CRYPTO;
  }
  part_of(&input, secret, sizeof secret);
  part_of(&recipient, own_point, sizeof own_point);
  memset(no_salt, 0, sizeof no_salt);
  error = derive(&step, no_salt, "eae_prk", input, none, 0, prk);
  if (error != 0) return error;
  return derive(&step, prk, "shared_secret", enc, recipient, COVEY_DIGEST_BYTES, shared);
}

int covey_unseal(const covey_agent_t* a, covey_bytes_t sealed, covey_bytes_t* plain) {
  const covey_device_key_t* own = covey_parts_own_key(a);
  const step_t step = {a, false};
  const covey_bytes_t none = {NULL, 0};
  uint8_t shared[COVEY_DIGEST_BYTES];
  uint8_t secret[COVEY_DIGEST_BYTES];
  uint8_t key[COVEY_DIGEST_BYTES];
  uint8_t nonce[COVEY_DIGEST_BYTES];
  covey_bytes_t enc;
  covey_bytes_t schedule;
  int error;
  if (sealed.size < COVEY_POINT_BYTES + TAG_BYTES ||
      sealed.size > COVEY_POINT_BYTES + TAG_BYTES + a->config->send_bytes) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  part_of(&enc, sealed.bytes, COVEY_POINT_BYTES);
  part_of(&schedule, context, sizeof context);
  error = decapsulate(a, enc, shared);
  if (error == 0) error = derive(&step, shared, "secret", none, none, 0, secret);
  if (error == 0) error = derive(&step, secret, "key", schedule, none, KEY_BYTES, key);
  if (error == 0) error = derive(&step, secret, "base_nonce", schedule, none, NONCE_BYTES, nonce);
  if (error != 0) return error;
  plain->bytes = a->config->send_buffer;
  plain->size = sealed.size - COVEY_POINT_BYTES - TAG_BYTES;
  if (own->decrypt(own->ctx, key, nonce, sealed.bytes + COVEY_POINT_BYTES, plain->size,
                   a->config->send_buffer) != 0) {
    return COVEY_ERROR_MAC_INVALID;
  }
  return COVEY_OK;
}

#endif
