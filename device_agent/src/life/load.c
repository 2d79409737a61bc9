/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime: loading and self-testing a slot's model. */
#include "parts.h"

void covey_load_nothing(covey_model_t* m) {
  const covey_runtime_t* runtime = m->config->runtime;
  covey_shadow_unload(m); /* it has the rest of this one's arena */
  if (m->active != COVEY_NO_SLOT) {
    m->active = COVEY_NO_SLOT;
    covey_stream_switch(m->agent, m);
  }
  runtime->unload(runtime->ctx);
  m->loaded = COVEY_NO_SLOT;
  memset(&m->view, 0, sizeof m->view);
}

#if COVEY_SHADOW
/* A shadow gets the same input as the active model: made by the same preprocessing, and of the same
 * size. */
static int shadow_fits(const covey_model_t* m, const covey_manifest_t* manifest) {
  if (!covey_bytes_same_digest(manifest->preprocessing_digest, m->preprocessing_digest) ||
      manifest->preprocessing_id != m->preprocessing_id) {
    return COVEY_ERROR_PREPROCESSING_MISMATCH;
  }
  return manifest->input_bytes == m->view.format.input.size_bytes &&
                 manifest->output_bytes == m->view.format.output.size_bytes
             ? COVEY_OK
             : COVEY_ERROR_UNSUPPORTED;
}
#endif

/* Loads into the arena's rest from `arena_used` on, of which it takes what it requires. */
static int load(covey_model_t* m, const covey_runtime_t* runtime, const covey_manifest_t* manifest,
                covey_model_view_t* view) {
  const covey_model_config_t* config = m->config;
  const uint32_t left = config->arena_bytes - m->arena_used;
  size_t arena = 0;
  /* After a firmware update the runtime may need more than the manifest said. */
  int error = runtime->arena_required(runtime->ctx, view->model, view->model_size, &arena);
  if (error != 0) return error;
  if (arena > left) return COVEY_ERROR_ARENA_TOO_SMALL;
  error = runtime->load(runtime->ctx, view->model, view->model_size, config->arena + m->arena_used,
                        arena);
  if (error != 0) return error;
  if (view == &m->view) {
    arena = covey_core_align((uint32_t)arena, COVEY_ARENA_ALIGN);
    m->arena_used = arena < left ? (uint32_t)arena : left;
  }
  error = runtime->describe(runtime->ctx, &view->format);
  if (error == 0 && (view->format.input.size_bytes != manifest->input_bytes ||
                     view->format.output.size_bytes != manifest->output_bytes)) {
    error = COVEY_ERROR_SELFTEST_INVALID;
  }
  if (error != 0) runtime->unload(runtime->ctx);
  return error;
}

int covey_load_slot(covey_model_t* m, uint8_t slot, bool shadow) {
  covey_agent_t* a = m->agent;
  const covey_runtime_t* runtime = m->config->runtime;
  covey_slot_view_t held;
  covey_model_view_t* view = &m->view;
  uint8_t* holder = &m->loaded;
  int error;
#if COVEY_SHADOW
  covey_model_view_t of_shadow;
#else
  shadow = false;
#endif
  m->selftest_next = 0;
#if COVEY_SHADOW
  if (shadow) {
    covey_shadow_unload(m);
    m->shadow_error = 0;
    runtime = m->config->shadow_runtime;
    if (runtime == NULL || m->active == COVEY_NO_SLOT) return COVEY_ERROR_UNSUPPORTED;
    view = &of_shadow;
    holder = &m->shadow;
  }
#endif
  if (!shadow) {
    covey_load_nothing(m);
    m->invoke_errors = 0;
    m->arena_used = 0;
  }
  error = covey_slot_view(m, slot, &held);
  if (error == 0) error = covey_manifest_fits(a->config, &held.manifest); /* of a new firmware */
#if COVEY_SHADOW
  if (error == 0 && shadow) error = shadow_fits(m, &held.manifest);
#endif
  if (error != 0) return error;
  if (!shadow) {
    m->preprocessing_digest = held.manifest.preprocessing_digest;
    m->preprocessing_id = held.manifest.preprocessing_id;
  }
  view->model = covey_flash_bytes(a, held.image);
  view->model_size = held.manifest.model_size;
  view->preprocessing_size = held.manifest.preprocessing_size;
  view->preprocessing =
      view->preprocessing_size != 0 ? view->model + covey_core_align(view->model_size, 16) : NULL;
  view->manifest = m->slot_digest[slot];
  covey_guard_mark(a, m->index + 1U);
  error = load(m, runtime, &held.manifest, view);
  covey_guard_mark(a, 0);
  if (error == 0) *holder = slot;
  return error;
}

void covey_load_activate(covey_model_t* m) {
  m->active = m->loaded;
  m->good_before = m->good_inferences;
  covey_stream_switch(m->agent, m);
}

int covey_load_selftest(covey_model_t* m, const covey_runtime_t* runtime) {
  covey_agent_t* a = m->agent;
  int8_t* output = (int8_t*)a->config->send_buffer;
  covey_slot_view_t view;
  const uint8_t* section;
  const uint8_t* vector;
  uint32_t i;
  int tolerance;
  int error = covey_slot_view(m, m->record.candidate, &view);
  if (error == 0) error = covey_selftest_check(a, &view);
  if (error != 0) return error;
  section = covey_flash_bytes(a, covey_selftest_at(&view));
  vector = section + COVEY_SELFTEST_HEADER_BYTES +
           m->selftest_next * (view.manifest.input_bytes + view.manifest.output_bytes);
  error = covey_guard_invoke(m, runtime, (const int8_t*)vector, view.manifest.input_bytes, output,
                             view.manifest.output_bytes);
  if (error != 0) return error;
  vector += view.manifest.input_bytes;
  tolerance = section[COVEY_SELFTEST_TOLERANCE];
  for (i = 0; i < view.manifest.output_bytes; ++i) {
    const int difference = output[i] - (int8_t)vector[i];
    if (difference > tolerance || -difference > tolerance) return COVEY_ERROR_SELFTEST_MISMATCH;
  }
  return ++m->selftest_next == covey_selftest_count(section) ? 1 : 0;
}
