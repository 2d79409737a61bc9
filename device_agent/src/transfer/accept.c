/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this device takes a signed manifest: all that is asked before flash is touched. */
#include "covey/broken.h"
#include "parts.h"

/* As many good signatures of those who may sign as it takes; else the worst news is told. */
#if COVEY_ROOT
static int verify_signatures(covey_agent_t* a, covey_bytes_t message, const uint8_t* digest) {
  covey_keyring_t ring;
  int error;
  if (COVEY_BREAKS(SKIP_SIGNATURE)) return COVEY_OK;
  if (a->root_version == 0) return covey_signature_any(a->config, message, digest);
  error = covey_root_now(a, COVEY_ROLE_AUTHOR, &ring);
  if (error != 0) return error;
  return covey_signature_check(a->config, message, digest, &ring, COVEY_SIGNATURES_MAX);
}
#endif

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
#if COVEY_ROOT
  return verify_signatures(a, *message, digest);
#else
  if (COVEY_BREAKS(SKIP_SIGNATURE)) return COVEY_OK;
  return covey_signature_any(config, *message, digest);
#endif
}

#if COVEY_ROOT
int covey_accept_again(const covey_model_t* m, uint8_t slot) {
  covey_slot_view_t view;
  const int error = covey_slot_view(m, slot, &view);
  return error != 0 ? error : verify_signatures(m->agent, view.message, m->slot_digest[slot]);
}
#endif
