/* The signed manifest: what an author said, and whether this device takes it. Parsed in place:
 * digests and texts point into the message. */
#include "internal.h"

#define MANIFEST(number, kind, member) COVEY_MEMBER(number, kind, covey_manifest_t, member)
static const covey_member_t manifest_members[] = {
    MANIFEST(1, COVEY_MEMBER_U32, format),
    MANIFEST(2, COVEY_MEMBER_BYTES, model),
    MANIFEST(4, COVEY_MEMBER_DIGEST, artifact_digest),
    MANIFEST(5, COVEY_MEMBER_U32, image_size),
    MANIFEST(6, COVEY_MEMBER_U32, chunk_size),
    MANIFEST(7, COVEY_MEMBER_DIGEST, chunk_table_digest),
    MANIFEST(9, COVEY_MEMBER_U32, runtime),
    MANIFEST(10, COVEY_MEMBER_F64, operator_set),
    MANIFEST(11, COVEY_MEMBER_U32, arena_bytes),
    MANIFEST(12, COVEY_MEMBER_U32, input_bytes),
    MANIFEST(13, COVEY_MEMBER_U32, output_bytes),
    MANIFEST(14, COVEY_MEMBER_U32, model_size),
    MANIFEST(15, COVEY_MEMBER_U32, preprocessing_size),
    MANIFEST(16, COVEY_MEMBER_U32, selftest_size),
    MANIFEST(17, COVEY_MEMBER_DIGEST, preprocessing_digest),
    MANIFEST(18, COVEY_MEMBER_DIGEST, selftest_digest),
    MANIFEST(19, COVEY_MEMBER_DIGEST, tables_digest),
    MANIFEST(21, COVEY_MEMBER_U32, security_version),
    MANIFEST(22, COVEY_MEMBER_U32, preprocessing_id),
    COVEY_MEMBERS_END(covey_manifest_t)};

bool covey_text_equal(const char* text, const void* bytes, size_t size) {
  return strlen(text) == size && memcmp(text, bytes, size) == 0;
}

int covey_manifest_parse(covey_bytes_t bytes, covey_manifest_t* out) {
  uint32_t sections;
  if (!covey_read_members(bytes, manifest_members, out)) {
    return COVEY_ERROR_MANIFEST_MALFORMED;
  }
  if (out->format != 1) return COVEY_ERROR_UNSUPPORTED;
  /* Each below 2^30, so that no sum overflows. */
  if ((out->model_size | out->preprocessing_size | out->selftest_size) >> 30 != 0) {
    return COVEY_ERROR_MANIFEST_MALFORMED;
  }
  sections = covey_align(out->model_size, 16) + covey_align(out->preprocessing_size, 16) +
             covey_align(out->selftest_size, 16);
  if (out->artifact_digest == NULL || out->chunk_table_digest == NULL ||
      out->preprocessing_digest == NULL || out->selftest_digest == NULL ||
      out->tables_digest == NULL || out->model.size == 0 || out->model_size == 0 ||
      out->selftest_size == 0 || out->chunk_size == 0 || out->chunk_size % 16 != 0 ||
      sections != out->image_size) {
    return COVEY_ERROR_MANIFEST_MALFORMED;
  }
  out->chunk_count = (out->image_size - 1) / out->chunk_size + 1;
  return COVEY_OK;
}

int covey_signed_manifest_open(covey_bytes_t message, covey_bytes_t* manifest) {
  static const covey_member_t members[] = {{1 << 3 | COVEY_BYTES, 0},
                                           COVEY_MEMBERS_END(covey_bytes_t)};
  if (!covey_read_members(message, members, manifest) || manifest->size == 0 ||
      manifest->size > COVEY_MANIFEST_BYTES_MAX) {
    return COVEY_ERROR_MANIFEST_MALFORMED;
  }
  return COVEY_OK;
}

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

/* A reason as on the wire, positive: what fits in a byte is loaded by the shortest instruction. */
#define REASON(name) (-COVEY_ERROR_##name)

/* One signature: 0 only if it is good and by a trusted key. */
static int verify_one(const covey_agent_config_t* config, covey_bytes_t message,
                      const uint8_t* digest) {
  const covey_crypto_t* crypto = &config->port->crypto;
  const covey_public_key_t* key = config->keys;
  size_t left;
  signature_t s;
  if (!covey_read_members(message, signature_members, &s) || s.key_id == NULL ||
      s.bytes.size != COVEY_SIGNATURE_BYTES) {
    return REASON(SIGNATURE_INVALID);
  }
  if (s.algorithm > 31 || (config->algorithms >> s.algorithm & 1) == 0) {
    return REASON(ALGORITHM_UNSUPPORTED);
  }
  for (left = config->key_count; left > 0; --left) {
    if (key->algorithm == s.algorithm && memcmp(key->key_id, s.key_id, COVEY_KEY_ID_BYTES) == 0) {
      return crypto->verify(crypto->ctx, key, digest, s.bytes.bytes) == 0
                 ? COVEY_OK
                 : REASON(SIGNATURE_INVALID);
    }
    ++key;
  }
  return REASON(KEY_UNKNOWN);
}

/* Any good signature of a trusted key will do; else the worst news is told. */
static int verify_signatures(const covey_agent_config_t* config, covey_bytes_t message,
                             const uint8_t* digest) {
  covey_bytes_t signature;
  unsigned count;
  int worst = REASON(ALGORITHM_UNSUPPORTED); /* 201 before 202 before 203 */
  if (COVEY_BREAKS(SKIP_SIGNATURE)) return COVEY_OK;
  for (count = 0; count < COVEY_SIGNATURES_MAX && covey_read_next(&message, 2, &signature);
       ++count) {
    const int reason = verify_one(config, signature, digest);
    if (reason == 0) return COVEY_OK;
    if (reason < worst) worst = reason;
  }
  return count == 0 ? REASON(SIGNATURE_INVALID) : worst;
}

static bool class_matches(const covey_agent_config_t* config, covey_bytes_t manifest) {
  covey_bytes_t name;
  while (covey_read_next(&manifest, 8, &name)) {
    if (covey_text_equal(config->device_class, name.bytes, name.size)) return true;
  }
  return false;
}

int covey_manifest_fits(const covey_agent_config_t* config, const covey_manifest_t* m) {
  if (m->runtime != config->runtime || (m->operator_set != 0 && config->operator_set != 0 &&
                                        m->operator_set != config->operator_set)) {
    return COVEY_ERROR_RUNTIME_MISMATCH;
  }
  if (m->preprocessing_id != 0 && m->preprocessing_id != config->preprocessing_id) {
    return COVEY_ERROR_PREPROCESSING_MISMATCH;
  }
  return COVEY_OK;
}

/* 0, or the first reason against it. */
static int judge(covey_agent_t* a, const covey_model_t* model, uint8_t slot,
                 const covey_bytes_t* message) {
  const covey_agent_config_t* config = a->config;
  covey_slot_view_t view;
  const covey_manifest_t* m = &view.manifest;
  covey_bytes_t manifest;
  uint8_t digest[COVEY_DIGEST_BYTES];
  int error = covey_signed_manifest_open(*message, &manifest);
  if (error != 0) return -error;
  covey_digest(a, manifest.bytes, manifest.size, digest);
  if (!covey_digest_equal(digest, model->goal.candidate)) return REASON(MANIFEST_DIGEST);
  error = covey_manifest_parse(manifest, &view.manifest);
  if (error != 0) return -error;
  if (!covey_text_equal(model->config->name, m->model.bytes, m->model.size))
    return REASON(MODEL_MISMATCH);
  if (!class_matches(config, manifest)) return REASON(CLASS_MISMATCH);
  if (m->security_version < model->goal.security_floor) return REASON(BELOW_SECURITY_FLOOR);
  error = covey_manifest_fits(config, m);
  if (error != 0) return -error;
  if (m->arena_bytes > model->config->arena_bytes) return REASON(ARENA_TOO_SMALL);
  error = covey_slot_layout(a, model, slot, &view);
  if (error != 0) return -error;
  if (m->chunk_size > config->receive_bytes - COVEY_CHUNK_OVERHEAD_BYTES) {
    return REASON(MESSAGE_TOO_LARGE);
  }
  /* The self-test's output goes through the send buffer. */
  if (m->output_bytes > config->send_bytes) return REASON(SELFTEST_INVALID);
  if ((m->chunk_size & (config->port->flash.write_align_bytes - 1)) != 0) { /* a power of two */
    return REASON(FLASH_GEOMETRY);
  }
  return verify_signatures(config, *message, digest);
}

int covey_manifest_accept(covey_agent_t* a, const covey_model_t* m, uint8_t slot,
                          const covey_bytes_t* message) {
  return -judge(a, m, slot, message);
}
