/* Shadow mode: a candidate runs beside the active model on some inferences, never acts, and what it
 * would have said is compared. Its counts travel in the active model's windows. */
#include "internal.h"

#define ONE_IN_DEFAULT 10U

void covey_shadow_unload(covey_model_t* m) {
  const covey_runtime_t* runtime = m->config->shadow_runtime;
  if (m->shadow == COVEY_NO_SLOT) return;
  runtime->unload(runtime->ctx);
  m->shadow = COVEY_NO_SLOT;
}

static int load(covey_agent_t* a, covey_model_t* m, uint8_t slot) {
  const covey_runtime_t* runtime = m->config->shadow_runtime;
  covey_slot_view_t active;
  covey_slot_view_t view;
  covey_model_view_t loaded;
  uint32_t used = m->arena_used;
  int error;
  covey_shadow_unload(m);
  m->selftest_next = 0;
  m->shadow_error = 0;
  if (runtime == NULL || m->active == COVEY_NO_SLOT) return COVEY_ERROR_UNSUPPORTED;
  error = covey_slot_view(a, m, slot, &view);
  if (error == 0) error = covey_slot_view(a, m, m->active, &active);
  if (error == 0) error = covey_manifest_fits(a->config, &view.manifest);
  if (error != 0) return error;
  /* It gets the same input: made by the same preprocessing, and of the same size. */
  if (!covey_digest_equal(view.manifest.preprocessing_digest,
                          active.manifest.preprocessing_digest) ||
      view.manifest.preprocessing_id != active.manifest.preprocessing_id) {
    return COVEY_ERROR_PREPROCESSING_MISMATCH;
  }
  if (view.manifest.input_bytes != active.manifest.input_bytes ||
      view.manifest.output_bytes != active.manifest.output_bytes) {
    return COVEY_ERROR_UNSUPPORTED;
  }
  error = covey_guarded_load(a, m, runtime, &view, &loaded, &used);
  if (error == 0) m->shadow = slot;
  return error;
}

void covey_shadow_start(covey_agent_t* a, covey_model_t* m, uint8_t starts) {
  covey_model_record_t* record = covey_model_edit(m);
  int error;
  record->phase = COVEY_PHASE_SHADOWING;
  record->starts = (uint8_t)(starts + 1);
  record->selftest_passed = false;
  if (covey_model_commit(a, m) != 0) return;
  m->shadow_counted = true;
  error = load(a, m, m->record.candidate);
  covey_soon(a);
  if (error != 0) covey_model_end(a, m, COVEY_PHASE_FAILED, error);
}

static int selftest(covey_agent_t* a, covey_model_t* m) {
  const int result = covey_selftest_step(a, m, m->config->shadow_runtime, m->shadow);
  covey_soon(a);
  if (result != 1) return result;
  m->selftest_next = 0;
  covey_model_edit(m)->selftest_passed = true;
  (void)covey_model_commit(a, m); /* or all vectors again */
  return COVEY_OK;
}

void covey_shadow_step(covey_agent_t* a, covey_model_t* m) {
  int error = m->shadow_error;
  if (m->goal.mode != COVEY_MODE_SHADOW) {
    if (covey_model_back_to_staged(a, m) == 0) covey_shadow_unload(m);
    return;
  }
  if (!m->shadow_counted) { /* the journal failed at start */
    covey_shadow_start(a, m, m->record.starts);
    return;
  }
  if (error == 0 && m->shadow == COVEY_NO_SLOT) { /* the active model was exchanged */
    error = load(a, m, m->record.candidate);
  } else if (error == 0 && !m->record.selftest_passed) {
    error = selftest(a, m);
  }
  if (error != 0) covey_model_end(a, m, COVEY_PHASE_FAILED, error);
}

bool covey_shadow_invoke(covey_agent_t* a, covey_model_t* m, const int8_t* input, size_t input_size,
                         covey_inference_t* shadow) {
  const size_t output_size = m->view.format.output.size_bytes;
  int8_t* output = (int8_t*)a->config->send_buffer;
  const uint32_t one_in = m->goal.shadow_one_in != 0 ? m->goal.shadow_one_in : ONE_IN_DEFAULT;
  int error;
  if (m->shadow == COVEY_NO_SLOT || !m->record.selftest_passed || covey_jitter(a, one_in) != 0) {
    return false;
  }
  error =
      covey_guarded_invoke(a, m, m->config->shadow_runtime, input, input_size, output, output_size);
  shadow->failed = error != 0;
  if (error != 0) {
    m->shadow_error = error;
  } else {
    covey_classify(output, output_size, shadow);
  }
  return true;
}

static uint32_t row_of(uint32_t class_index) {
  return class_index < COVEY_SHADOW_CLASSES_MAX ? class_index : COVEY_SHADOW_CLASSES_MAX - 1;
}

/* At most 65,535 between two windows. */
static void count(covey_telemetry_t* t, uint32_t which) {
  uint16_t* at = &t->shadow.counts[which - COVEY_COUNTS_OPEN];
  if (*at != UINT16_MAX) {
    ++*at;
  } else {
#if COVEY_HEALTH
    ++t->health.saturated;
#endif
  }
}

void covey_shadow_compare(const covey_model_t* m, const covey_inference_t* shadow,
                          const int8_t* output, size_t output_size) {
  covey_telemetry_t* t = m->config->telemetry;
  covey_inference_t acting;
  uint32_t difference;
  if (t == NULL || t->stream == COVEY_NO_STREAM) return;
  covey_classify(output, output_size, &acting);
  difference = (256U + shadow->confidence - acting.confidence) >> 5;
  if (memcmp(t->shadow.candidate, m->goal.candidate, COVEY_PREFIX_BYTES) != 0) {
    memset(&t->shadow, 0, sizeof t->shadow);
    memcpy(t->shadow.candidate, m->goal.candidate, COVEY_PREFIX_BYTES);
  }
  if (shadow->failed) {
    count(t, COVEY_COUNTS_SHADOW_ERRORS);
  } else {
    count(t, COVEY_COUNTS_AGREEMENT + row_of(shadow->class_index) * COVEY_SHADOW_CLASSES_MAX +
                 row_of(acting.class_index));
    count(t, COVEY_COUNTS_DIFFERENCE + difference);
  }
}
