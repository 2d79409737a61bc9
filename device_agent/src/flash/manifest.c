/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest: what an author said. Parsed in place: digests and texts point into the message. */
#include "flash.h"

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
  sections = covey_core_align(out->model_size, 16) + covey_core_align(out->preprocessing_size, 16) +
             covey_core_align(out->selftest_size, 16);
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

int covey_manifest_open(covey_bytes_t message, covey_bytes_t* manifest) {
  static const covey_member_t members[] = {{1 << 3 | COVEY_BYTES, 0},
                                           COVEY_MEMBERS_END(covey_bytes_t)};
  if (!covey_read_members(message, members, manifest) || manifest->size == 0 ||
      manifest->size > COVEY_MANIFEST_BYTES_MAX) {
    return COVEY_ERROR_MANIFEST_MALFORMED;
  }
  return COVEY_OK;
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
