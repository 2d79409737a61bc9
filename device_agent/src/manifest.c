/* The signed manifest: what an author said, and whether this device takes it. Parsed in place:
 * digests and texts point into the message. */
#include "internal.h"

/* Fields of Manifest that are 32-bit numbers, by field number. */
static uint32_t* number_of(covey_manifest_t* m, uint32_t field, uint32_t* format) {
  switch (field) {
    case 1:
      return format;
    case 5:
      return &m->image_size;
    case 6:
      return &m->chunk_size;
    case 9:
      return &m->runtime;
    case 11:
      return &m->arena_bytes;
    case 12:
      return &m->input_bytes;
    case 13:
      return &m->output_bytes;
    case 14:
      return &m->model_size;
    case 15:
      return &m->preprocessing_size;
    case 16:
      return &m->selftest_size;
    case 21:
      return &m->security_version;
    case 22:
      return &m->preprocessing_id;
  }
  return NULL;
}

static const uint8_t** digest_of(covey_manifest_t* m, uint32_t field) {
  switch (field) {
    case 4:
      return &m->artifact_digest;
    case 7:
      return &m->chunk_table_digest;
    case 17:
      return &m->preprocessing_digest;
    case 18:
      return &m->selftest_digest;
    case 19:
      return &m->tables_digest;
  }
  return NULL;
}

static bool text_equal(const char* text, const uint8_t* bytes, size_t size) {
  return strlen(text) == size && memcmp(text, bytes, size) == 0;
}

static uint64_t padded(uint32_t size) { return ((uint64_t)size + 15) / 16 * 16; }

int covey_manifest_parse(covey_bytes_t bytes, const char* device_class, covey_manifest_t* out) {
  covey_reader_t r = covey_reader_of(bytes.bytes, bytes.size);
  covey_field_t f;
  uint32_t format = 0;
  memset(out, 0, sizeof *out);
  while (covey_read(&r, &f)) {
    uint32_t* number = number_of(out, f.number, &format);
    const uint8_t** digest = digest_of(out, f.number);
    if (number != NULL) {
      if (f.type != COVEY_VARINT || f.value > UINT32_MAX) return COVEY_ERROR_MANIFEST_MALFORMED;
      *number = (uint32_t)f.value;
    } else if (digest != NULL) {
      if (f.type != COVEY_BYTES || f.size != COVEY_DIGEST_BYTES) {
        return COVEY_ERROR_MANIFEST_MALFORMED;
      }
      *digest = f.bytes;
    } else if (f.type == COVEY_BYTES && f.number == 2) {
      out->model.bytes = f.bytes;
      out->model.size = f.size;
    } else if (f.type == COVEY_BYTES && f.number == 3) {
      out->version.bytes = f.bytes;
      out->version.size = f.size;
    } else if (f.type == COVEY_BYTES && f.number == 8) {
      out->class_matches |= text_equal(device_class, f.bytes, f.size);
    } else if (f.type == COVEY_FIXED64 && f.number == 10) {
      out->operator_set = f.value;
    }
  }
  if (!r.malformed && format != 1) return COVEY_ERROR_UNSUPPORTED;
  if (r.malformed || out->artifact_digest == NULL || out->chunk_table_digest == NULL ||
      out->preprocessing_digest == NULL || out->selftest_digest == NULL ||
      out->tables_digest == NULL || out->model.size == 0 || out->model_size == 0 ||
      out->selftest_size == 0 || out->chunk_size == 0 || out->chunk_size % 16 != 0 ||
      padded(out->model_size) + padded(out->preprocessing_size) + padded(out->selftest_size) !=
          out->image_size) {
    return COVEY_ERROR_MANIFEST_MALFORMED;
  }
  out->chunk_count = (out->image_size - 1) / out->chunk_size + 1;
  return COVEY_OK;
}

int covey_signed_manifest_open(covey_bytes_t message, covey_bytes_t* manifest) {
  covey_reader_t r = covey_reader_of(message.bytes, message.size);
  covey_field_t f;
  memset(manifest, 0, sizeof *manifest);
  while (covey_read(&r, &f)) {
    if (f.number != 1) continue;
    if (f.type != COVEY_BYTES || manifest->size != 0) return COVEY_ERROR_MANIFEST_MALFORMED;
    manifest->bytes = f.bytes;
    manifest->size = f.size;
  }
  if (r.malformed || manifest->size == 0 || manifest->size > COVEY_MANIFEST_BYTES_MAX) {
    return COVEY_ERROR_MANIFEST_MALFORMED;
  }
  return COVEY_OK;
}

/* One signature: 0 only if it is good and by a trusted key. */
static int verify_one(const covey_agent_t* a, covey_bytes_t signature, const uint8_t* digest) {
  const covey_agent_config_t* config = a->config;
  const covey_crypto_t* crypto = &config->port->crypto;
  covey_reader_t r = covey_reader_of(signature.bytes, signature.size);
  covey_field_t f;
  uint64_t algorithm = 0;
  covey_bytes_t key_id = {NULL, 0};
  covey_bytes_t bytes = {NULL, 0};
  size_t k;
  while (covey_read(&r, &f)) {
    if (f.number == 1 && f.type == COVEY_VARINT) algorithm = f.value;
    if (f.type != COVEY_BYTES) continue;
    if (f.number == 2) key_id.bytes = f.bytes, key_id.size = f.size;
    if (f.number == 3) bytes.bytes = f.bytes, bytes.size = f.size;
  }
  if (r.malformed || key_id.size != COVEY_KEY_ID_BYTES || bytes.size != COVEY_SIGNATURE_BYTES) {
    return COVEY_ERROR_SIGNATURE_INVALID;
  }
  if (algorithm > 31 || (config->algorithms >> algorithm & 1) == 0) {
    return COVEY_ERROR_ALGORITHM_UNSUPPORTED;
  }
  for (k = 0; k < config->key_count; ++k) {
    const covey_public_key_t* key = &config->keys[k];
    if (key->algorithm != algorithm || memcmp(key->key_id, key_id.bytes, key_id.size) != 0)
      continue;
    return crypto->verify(crypto->ctx, key, digest, bytes.bytes) == 0
               ? COVEY_OK
               : COVEY_ERROR_SIGNATURE_INVALID;
  }
  return COVEY_ERROR_KEY_UNKNOWN;
}

/* Any good signature of a trusted key will do; else the worst news is told. */
static int verify_signatures(const covey_agent_t* a, covey_bytes_t message, const uint8_t* digest) {
  covey_reader_t r = covey_reader_of(message.bytes, message.size);
  covey_field_t f;
  unsigned count = 0;
  int worst = 0;
  while (covey_read(&r, &f)) {
    covey_bytes_t signature;
    int error;
    if (f.number != 2 || f.type != COVEY_BYTES) continue;
    if (++count > COVEY_SIGNATURES_MAX) break;
    signature.bytes = f.bytes;
    signature.size = f.size;
    error = verify_one(a, signature, digest);
    if (error == 0) return COVEY_OK;
    if (worst == 0 || error > worst) worst = error; /* -201 before -202 before -203 */
  }
  if (COVEY_BREAKS(SKIP_SIGNATURE)) return COVEY_OK;
  return worst == 0 ? COVEY_ERROR_SIGNATURE_INVALID : worst;
}

int covey_manifest_accept(covey_agent_t* a, size_t model, uint8_t slot, covey_bytes_t message) {
  const covey_agent_config_t* config = a->config;
  const covey_model_config_t* mine = &config->models[model];
  const covey_model_goal_t* goal = &a->models[model].goal;
  covey_slot_view_t view;
  const covey_manifest_t* out = &view.manifest;
  covey_bytes_t manifest;
  uint8_t digest[COVEY_DIGEST_BYTES];
  int error = covey_signed_manifest_open(message, &manifest);
  if (error != 0) return error;
  covey_digest(a, manifest.bytes, manifest.size, digest);
  if (!covey_digest_equal(digest, goal->candidate)) return COVEY_ERROR_MANIFEST_DIGEST;
  error = covey_manifest_parse(manifest, config->device_class, &view.manifest);
  if (error != 0) return error;
  if (!text_equal(mine->name, out->model.bytes, out->model.size)) return COVEY_ERROR_MODEL_MISMATCH;
  if (!out->class_matches) return COVEY_ERROR_CLASS_MISMATCH;
  if (out->security_version < goal->security_floor) return COVEY_ERROR_BELOW_SECURITY_FLOOR;
  if (out->runtime != config->runtime || (out->operator_set != 0 && config->operator_set != 0 &&
                                          out->operator_set != config->operator_set)) {
    return COVEY_ERROR_RUNTIME_MISMATCH;
  }
  if (out->preprocessing_id != 0 && out->preprocessing_id != config->preprocessing_id) {
    return COVEY_ERROR_PREPROCESSING_MISMATCH;
  }
  if (out->arena_bytes > mine->arena_bytes) return COVEY_ERROR_ARENA_TOO_SMALL;
  error = covey_slot_layout(a, model, slot, &view);
  if (error != 0) return error;
  if (out->chunk_size > config->receive_bytes ||
      out->chunk_size + COVEY_CHUNK_OVERHEAD_BYTES > config->receive_bytes) {
    return COVEY_ERROR_MESSAGE_TOO_LARGE;
  }
  /* The self-test's output goes through the send buffer. */
  if (out->output_bytes > config->send_bytes) return COVEY_ERROR_SELFTEST_INVALID;
  if (out->chunk_size % config->port->flash.write_align_bytes != 0) {
    return COVEY_ERROR_FLASH_GEOMETRY;
  }
  return verify_signatures(a, message, digest);
}
