/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of a manifest or a root document, against the keys that may sign it. */
#include "flash.h"

/* covey.device.v1.Signature */
typedef struct signature {
  covey_bytes_t bytes;
  const uint8_t* key_id;
  uint32_t algorithm;
} signature_t;

static const covey_member_t signature_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_U32, signature_t, algorithm),
    COVEY_MEMBER(2, COVEY_MEMBER_PREFIX, signature_t, key_id),
    COVEY_MEMBER(3, COVEY_MEMBER_BYTES, signature_t, bytes), COVEY_MEMBERS_END(signature_t)};

COVEY_STATIC_ASSERT(COVEY_KEY_ID_BYTES == COVEY_PREFIX_BYTES);

#if COVEY_ROOT
#define KEYS , const covey_public_key_t *keys, size_t count
#else
#define KEYS
#endif

/* The number of the key whose good signature it is; or an error. */
static int verify_one(const covey_agent_config_t* config, covey_bytes_t message,
                      const uint8_t* digest KEYS) {
  const covey_crypto_t* crypto = &config->port->crypto;
#if !COVEY_ROOT
  const covey_public_key_t* const keys = config->keys;
  const size_t count = config->key_count;
#endif
  const covey_public_key_t* key = keys;
  size_t left;
  signature_t s;
  if (!covey_read_members(message, signature_members, &s) || s.key_id == NULL ||
      s.bytes.size != COVEY_SIGNATURE_BYTES) {
    return COVEY_ERROR_SIGNATURE_INVALID;
  }
  if (s.algorithm > 31 || (config->algorithms >> s.algorithm & 1) == 0) {
    return COVEY_ERROR_ALGORITHM_UNSUPPORTED;
  }
  for (left = count; left > 0; --left) {
    if (key->algorithm == s.algorithm && covey_bytes_same_prefix(key->key_id, s.key_id)) {
      return crypto->verify(crypto->ctx, key, digest, s.bytes.bytes) == 0
                 ? (COVEY_ROOT ? (int)(key - keys) : COVEY_OK)
                 : COVEY_ERROR_SIGNATURE_INVALID;
    }
    ++key;
  }
  return COVEY_ERROR_KEY_UNKNOWN;
}

#if COVEY_ROOT
int covey_signature_check(const covey_agent_config_t* config, covey_bytes_t message,
                          const uint8_t* digest, const covey_keyring_t* ring, unsigned most) {
  covey_bytes_t signature;
  uint32_t signers = 0; /* bit: key of the ring */
  uint32_t distinct = 0;
  unsigned n;
  int worst = COVEY_ERROR_ALGORITHM_UNSUPPORTED;
  for (n = 0; n < most && covey_read_next(&message, 2, &signature); ++n) {
    const int k = verify_one(config, signature, digest, ring->keys, ring->count);
    if (k < 0) {
      if (k > worst) worst = k;
    } else if ((signers >> (unsigned)k & 1U) == 0) {
      signers |= 1U << (unsigned)k;
      if (++distinct == ring->threshold) return COVEY_OK;
    }
  }
  if (distinct != 0 && worst != COVEY_ERROR_SIGNATURE_INVALID) {
    return COVEY_ERROR_SIGNATURES_TOO_FEW;
  }
  return n == 0 ? COVEY_ERROR_SIGNATURE_INVALID : worst;
}
#define FIRMWARE_KEYS , config->keys, config->key_count
#else
#define FIRMWARE_KEYS
#endif

int covey_signature_any(const covey_agent_config_t* config, covey_bytes_t message,
                        const uint8_t* digest) {
  covey_bytes_t signature;
  unsigned count;
  int worst = COVEY_ERROR_SIGNATURE_INVALID; /* where there is none; -201 is worse than -202 */
  for (count = 0; count < COVEY_SIGNATURES_MAX && covey_read_next(&message, 2, &signature);
       ++count) {
    const int error = verify_one(config, signature, digest FIRMWARE_KEYS);
    if (error >= 0) return COVEY_OK;
    if (count == 0 || error > worst) worst = error;
  }
  return worst;
}
