/* The runtime: loading, invoking and self-testing a slot's model. While the processor is inside the
 * runtime, retained memory says so: a model that crashes it is found out at the next start. */
#include "internal.h"

#define RETAINED_MAGIC 0x52455643U /* "CVER" */

/* `inside`: 1 + the model whose code runs, 0: none. */
static void mark_inside(covey_agent_t* a, uint32_t inside) {
  covey_retained_t* retained = a->config->retained;
  if (retained == NULL) return;
  retained->magic = RETAINED_MAGIC;
  retained->inside = inside;
  retained->check = ~inside;
}

uint32_t covey_retained_take(covey_agent_t* a) {
  const covey_retained_t* retained = a->config->retained;
  uint32_t inside = COVEY_INSIDE_UNKNOWN;
  if (retained != NULL && retained->magic == RETAINED_MAGIC &&
      retained->check == ~retained->inside) {
    inside = retained->inside;
  }
  mark_inside(a, 0);
  return inside;
}

void covey_unload(covey_agent_t* a, covey_model_t* m) {
  const covey_runtime_t* runtime = m->config->runtime;
  covey_shadow_unload(m); /* it has the rest of this one's arena */
  if (m->active != COVEY_NO_SLOT) covey_telemetry_switch(a, m, NULL);
  if (m->loaded != COVEY_NO_SLOT) runtime->unload(runtime->ctx);
  m->loaded = COVEY_NO_SLOT;
  m->active = COVEY_NO_SLOT;
  memset(&m->view, 0, sizeof m->view);
}

/* Loads into the arena's rest from `used` on, of which it takes what it requires. */
static int load(const covey_runtime_t* runtime, const covey_model_config_t* config,
                const covey_manifest_t* manifest, covey_model_view_t* view, uint32_t* used) {
  const uint32_t left = config->arena_bytes - *used;
  size_t arena = 0;
  /* After a firmware update the runtime may need more than the manifest said. */
  int error = runtime->arena_required(runtime->ctx, view->model, view->model_size, &arena);
  if (error != 0) return error;
  if (arena > left) return COVEY_ERROR_ARENA_TOO_SMALL;
  error = runtime->load(runtime->ctx, view->model, view->model_size, config->arena + *used, arena);
  if (error != 0) return error;
  arena = covey_align((uint32_t)arena, COVEY_ARENA_ALIGN);
  *used += arena < left ? (uint32_t)arena : left;
  error = runtime->describe(runtime->ctx, &view->format);
  if (error == 0 && (view->format.input.size_bytes != manifest->input_bytes ||
                     view->format.output.size_bytes != manifest->output_bytes)) {
    error = COVEY_ERROR_SELFTEST_INVALID;
  }
  if (error != 0) runtime->unload(runtime->ctx);
  return error;
}

int covey_guarded_load(covey_agent_t* a, covey_model_t* m, const covey_runtime_t* runtime,
                       const covey_slot_view_t* slot, covey_model_view_t* view, uint32_t* used) {
  int error;
  memset(view, 0, sizeof *view);
  view->model = covey_slot_bytes(a, slot->image);
  view->model_size = slot->manifest.model_size;
  view->preprocessing_size = slot->manifest.preprocessing_size;
  if (view->preprocessing_size != 0) {
    view->preprocessing = view->model + covey_align(view->model_size, 16);
  }
  mark_inside(a, m->index + 1U);
  error = load(runtime, m->config, &slot->manifest, view, used);
  mark_inside(a, 0);
  return error;
}

int covey_load(covey_agent_t* a, covey_model_t* m, uint8_t slot) {
  covey_slot_view_t view;
  int error;
  covey_unload(a, m);
  error = covey_slot_view(a, m, slot, &view);
  if (error == 0) error = covey_manifest_fits(a->config, &view.manifest); /* of a new firmware */
  if (error != 0) return error;
  m->arena_used = 0;
  error = covey_guarded_load(a, m, m->config->runtime, &view, &m->view, &m->arena_used);
  if (error != 0) return error;
  m->view.manifest = m->slot_digest[slot];
  m->loaded = slot;
  return COVEY_OK;
}

void covey_activate(covey_agent_t* a, covey_model_t* m) {
  m->active = m->loaded;
  m->good_inferences = 0;
  covey_telemetry_switch(a, m, m->view.manifest);
}

int covey_guarded_invoke(covey_agent_t* a, const covey_model_t* m, const covey_runtime_t* runtime,
                         const int8_t* input, size_t input_size, int8_t* output,
                         size_t output_size) {
  int error;
  mark_inside(a, m->index + 1U);
  error = runtime->invoke(runtime->ctx, input, input_size, output, output_size);
  mark_inside(a, 0);
  return error;
}

/* Layout of the self-test section, little endian: u16 count, u16 input bytes, u16 output bytes,
 * u8 tolerance, u8 zero; then per vector its input and its output. */
#define SELFTEST_HEADER_BYTES 8U

static uint32_t u16_at(const uint8_t* bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

uint32_t covey_selftest_at(const covey_slot_view_t* view) {
  return view->image + covey_align(view->manifest.model_size, 16) +
         covey_align(view->manifest.preprocessing_size, 16);
}

int covey_selftest_check(const covey_agent_t* a, const covey_slot_view_t* view) {
  const covey_manifest_t* m = &view->manifest;
  const uint8_t* section = covey_slot_bytes(a, covey_selftest_at(view));
  const uint32_t size = m->selftest_size - SELFTEST_HEADER_BYTES;
  uint32_t count;
  if (m->selftest_size < SELFTEST_HEADER_BYTES) return COVEY_ERROR_SELFTEST_INVALID;
  count = u16_at(section);
  if (count == 0 || u16_at(section + 2) != m->input_bytes ||
      u16_at(section + 4) != m->output_bytes || size % count != 0 ||
      size / count != m->input_bytes + m->output_bytes ||
      /* The output goes through the send buffer; checked before, but by another firmware. */
      m->output_bytes > a->config->send_bytes) {
    return COVEY_ERROR_SELFTEST_INVALID;
  }
  return COVEY_OK;
}

int covey_selftest_step(covey_agent_t* a, covey_model_t* m, const covey_runtime_t* runtime,
                        uint8_t slot) {
  int8_t* output = (int8_t*)a->config->send_buffer;
  covey_slot_view_t view;
  const uint8_t* section;
  const uint8_t* vector;
  uint32_t i;
  int error = covey_slot_view(a, m, slot, &view);
  if (error == 0) error = covey_selftest_check(a, &view);
  if (error != 0) return error;
  section = covey_slot_bytes(a, covey_selftest_at(&view));
  vector = section + SELFTEST_HEADER_BYTES +
           m->selftest_next * (view.manifest.input_bytes + view.manifest.output_bytes);
  error = covey_guarded_invoke(a, m, runtime, (const int8_t*)vector, view.manifest.input_bytes,
                               output, view.manifest.output_bytes);
  if (error != 0) return error;
  vector += view.manifest.input_bytes;
  for (i = 0; i < view.manifest.output_bytes; ++i) {
    const int difference = output[i] - (int8_t)vector[i];
    if (difference > section[6] || -difference > section[6]) return COVEY_ERROR_SELFTEST_MISMATCH;
  }
  return ++m->selftest_next == u16_at(section) ? 1 : 0;
}
