/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow mode: a candidate runs beside the active model on some inferences, never acts, and what it
 * would have said is compared. Its counts travel in the active model's windows. */
#include "parts.h"

#if COVEY_SHADOW

#define ONE_IN_DEFAULT 10U

void covey_shadow_unload(covey_model_t* m) {
  const covey_runtime_t* runtime = m->config->shadow_runtime;
  if (m->shadow == COVEY_NO_SLOT) return;
  runtime->unload(runtime->ctx);
  m->shadow = COVEY_NO_SLOT;
}

bool covey_shadow_invoke(covey_model_t* m, const int8_t* input, size_t input_size,
                         covey_inference_t* shadow) {
  covey_agent_t* a = m->agent;
  const size_t output_size = m->view.format.output.size_bytes;
  int8_t* output = (int8_t*)a->config->send_buffer;
  const uint32_t one_in = m->goal.shadow_one_in != 0 ? m->goal.shadow_one_in : ONE_IN_DEFAULT;
  int error;
  if (m->shadow == COVEY_NO_SLOT || !m->record.selftest_passed ||
      covey_random_below(a, one_in) != 0) {
    return false;
  }
  error = covey_guard_invoke(m, m->config->shadow_runtime, input, input_size, output, output_size);
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
  if (!covey_bytes_same_prefix(t->shadow.candidate, m->goal.work.candidate)) {
    memset(&t->shadow, 0, sizeof t->shadow);
    memcpy(t->shadow.candidate, m->goal.work.candidate, COVEY_PREFIX_BYTES);
  }
  if (shadow->failed) {
    count(t, COVEY_COUNTS_SHADOW_ERRORS);
  } else {
    count(t, COVEY_COUNTS_AGREEMENT + row_of(shadow->class_index) * COVEY_SHADOW_CLASSES_MAX +
                 row_of(acting.class_index));
    count(t, COVEY_COUNTS_DIFFERENCE + difference);
  }
}

#endif
