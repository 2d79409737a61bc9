/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this device takes a signed manifest: all that is asked before flash is touched. */
#include "covey/broken.h"
#include "parts.h"

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

/* One signature: 0 only if it is good and by a trusted key. */
static int verify_one(const covey_agent_config_t* config, covey_bytes_t message,
                      const uint8_t* digest) {
  const covey_crypto_t* crypto = &config->port->crypto;
  const covey_public_key_t* key = config->keys;
  size_t left;
  signature_t s;
  if (!covey_read_members(message, signature_members, &s) || s.key_id == NULL ||
      s.bytes.size != COVEY_SIGNATURE_BYTES) {
    return COVEY_ERROR_SIGNATURE_INVALID;
  }
  if (s.algorithm > 31 || (config->algorithms >> s.algorithm & 1) == 0) {
    return COVEY_ERROR_ALGORITHM_UNSUPPORTED;
  }
  for (left = config->key_count; left > 0; --left) {
    if (key->algorithm == s.algorithm && covey_bytes_same_prefix(key->key_id, s.key_id)) {
      return crypto->verify(crypto->ctx, key, digest, s.bytes.bytes) == 0
                 ? COVEY_OK
                 : COVEY_ERROR_SIGNATURE_INVALID;
    }
    ++key;
  }
  return COVEY_ERROR_KEY_UNKNOWN;
}

/* Any good signature of a trusted key will do; else the worst news is told. */
static int verify_signatures(const covey_agent_config_t* config, covey_bytes_t message,
                             const uint8_t* digest) {
  covey_bytes_t signature;
  unsigned count;
  int worst = COVEY_ERROR_ALGORITHM_UNSUPPORTED; /* -201 is worse than -202, and that than -203 */
  if (COVEY_BREAKS(SKIP_SIGNATURE)) return COVEY_OK;
  for (count = 0; count < COVEY_SIGNATURES_MAX && covey_read_next(&message, 2, &signature);
       ++count) {
    const int error = verify_one(config, signature, digest);
    if (error == 0) return COVEY_OK;
    if (error > worst) worst = error;
  }
  return count == 0 ? COVEY_ERROR_SIGNATURE_INVALID : worst;
}

static bool class_matches(const covey_agent_config_t* config, covey_bytes_t manifest) {
  covey_bytes_t name;
  while (covey_read_next(&manifest, 8, &name)) {
    if (covey_bytes_are_text(config->device_class, name.bytes, name.size)) return true;
  }
  return false;
}

int covey_accept_manifest(covey_agent_t* a, const covey_model_t* model, uint8_t slot,
                          const covey_bytes_t* message) {
  const covey_agent_config_t* config = a->config;
  covey_slot_view_t view;
  const covey_manifest_t* m = &view.manifest;
  covey_bytes_t manifest;
  uint8_t digest[COVEY_DIGEST_BYTES];
  int error = covey_manifest_open(*message, &manifest);
  if (error != 0) return error;
  covey_digest_of(a, manifest.bytes, manifest.size, digest);
  if (!covey_bytes_same_digest(digest, model->goal.work.candidate))
    return COVEY_ERROR_MANIFEST_DIGEST;
  error = covey_manifest_parse(manifest, &view.manifest);
  if (error != 0) return error;
  if (!covey_bytes_are_text(model->config->name, m->model.bytes, m->model.size)) {
    return COVEY_ERROR_MODEL_MISMATCH;
  }
  if (!class_matches(config, manifest)) return COVEY_ERROR_CLASS_MISMATCH;
  if (m->security_version < model->goal.security_floor) return COVEY_ERROR_BELOW_SECURITY_FLOOR;
  error = covey_manifest_fits(config, m);
  if (error != 0) return error;
  if (m->arena_bytes > model->config->arena_bytes) return COVEY_ERROR_ARENA_TOO_SMALL;
  error = covey_slot_layout(a, model, slot, &view);
  if (error != 0) return error;
  if (m->chunk_size > config->receive_bytes - COVEY_CHUNK_OVERHEAD_BYTES) {
    return COVEY_ERROR_MESSAGE_TOO_LARGE;
  }
  /* The self-test's output goes through the send buffer. */
  if (m->output_bytes > config->send_bytes) return COVEY_ERROR_SELFTEST_INVALID;
  if ((m->chunk_size & (config->port->flash.write_align_bytes - 1)) != 0) { /* a power of two */
    return COVEY_ERROR_FLASH_GEOMETRY;
  }
  return verify_signatures(config, *message, digest);
}
