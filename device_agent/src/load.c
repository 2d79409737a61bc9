/* The runtime: loading, invoking and self-testing a slot's model. While the processor is inside the
 * runtime, retained memory says so: a model that crashes it is found out at the next start. */
#include "internal.h"

#define RETAINED_MAGIC 0x52455643U /* "CVER" */

static void mark_inside(covey_agent_t* a, uint32_t inside) {
  covey_retained_t* retained = a->config->retained;
  if (retained == NULL) return;
  retained->magic = RETAINED_MAGIC;
  retained->inside = inside;
  retained->check = ~inside;
}

int covey_retained_take(covey_agent_t* a) {
  const covey_retained_t* retained = a->config->retained;
  int model = -1;
  if (retained != NULL && retained->magic == RETAINED_MAGIC &&
      retained->check == ~retained->inside && retained->inside <= a->config->model_count) {
    model = (int)retained->inside - 1;
  }
  mark_inside(a, 0);
  return model;
}

void covey_unload(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  const covey_runtime_t* runtime = a->config->models[model].runtime;
  if (m->active != COVEY_NO_SLOT) covey_telemetry_switch(a, model, NULL, (covey_bytes_t){NULL, 0});
  if (m->loaded != COVEY_NO_SLOT) runtime->unload(runtime->ctx);
  m->loaded = COVEY_NO_SLOT;
  m->active = COVEY_NO_SLOT;
  memset(&m->view, 0, sizeof m->view);
}

int covey_load(covey_agent_t* a, size_t model, uint8_t slot) {
  const covey_model_config_t* config = &a->config->models[model];
  const covey_runtime_t* runtime = config->runtime;
  covey_model_t* m = &a->models[model];
  covey_slot_view_t view;
  size_t arena = 0;
  int error;
  covey_unload(a, model);
  error = covey_slot_view(a, model, slot, &view);
  if (error != 0) return error;
  m->view.model = covey_slot_bytes(a, view.image);
  m->view.model_size = view.manifest.model_size;
  m->view.preprocessing_size = view.manifest.preprocessing_size;
  if (m->view.preprocessing_size != 0) {
    m->view.preprocessing = m->view.model + covey_align(m->view.model_size, 16);
  }
  m->view.manifest = m->slot_digest[slot];
  mark_inside(a, (uint32_t)model + 1);
  /* After a firmware update the runtime may need more than the manifest said. */
  error = runtime->arena_required(runtime->ctx, m->view.model, m->view.model_size, &arena);
  if (error == 0 && arena > config->arena_bytes) error = COVEY_ERROR_ARENA_TOO_SMALL;
  if (error == 0) {
    error = runtime->load(runtime->ctx, m->view.model, m->view.model_size, config->arena,
                          config->arena_bytes);
  }
  if (error == 0) {
    m->loaded = slot;
    error = runtime->describe(runtime->ctx, &m->view.format);
    if (error == 0 && (m->view.format.input.size_bytes != view.manifest.input_bytes ||
                       m->view.format.output.size_bytes != view.manifest.output_bytes)) {
      error = COVEY_ERROR_SELFTEST_INVALID;
    }
  }
  mark_inside(a, 0);
  if (error != 0) covey_unload(a, model);
  return error;
}

void covey_activate(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  covey_slot_view_t view;
  covey_bytes_t tables = {NULL, 0};
  if (m->loaded == COVEY_NO_SLOT) return;
  m->active = m->loaded;
  m->good_inferences = 0;
  if (covey_slot_view(a, model, m->active, &view) == 0 && view.tables_size != 0) {
    tables.bytes = covey_slot_bytes(a, view.tables);
    tables.size = view.tables_size;
  }
  covey_telemetry_switch(a, model, m->view.manifest, tables);
}

int covey_guarded_invoke(covey_agent_t* a, size_t model, const int8_t* input, size_t input_size,
                         int8_t* output, size_t output_size) {
  const covey_runtime_t* runtime = a->config->models[model].runtime;
  int error;
  mark_inside(a, (uint32_t)model + 1);
  error = runtime->invoke(runtime->ctx, input, input_size, output, output_size);
  mark_inside(a, 0);
  return error;
}

/* Layout of the self-test section, little endian: u16 count, u16 input bytes, u16 output bytes,
 * u8 tolerance, u8 zero; then per vector its input and its output. */
#define SELFTEST_HEADER_BYTES 8U

static const uint8_t* selftest_of(const covey_agent_t* a, const covey_slot_view_t* view) {
  return covey_slot_bytes(a, view->image + covey_align(view->manifest.model_size, 16) +
                                 covey_align(view->manifest.preprocessing_size, 16));
}

static uint32_t u16_at(const uint8_t* bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

int covey_selftest_check(const covey_agent_t* a, const covey_slot_view_t* view) {
  const covey_manifest_t* m = &view->manifest;
  const uint8_t* section = selftest_of(a, view);
  if (m->selftest_size < SELFTEST_HEADER_BYTES || u16_at(section) == 0 ||
      u16_at(section + 2) != m->input_bytes || u16_at(section + 4) != m->output_bytes ||
      (uint64_t)u16_at(section) * (m->input_bytes + m->output_bytes) + SELFTEST_HEADER_BYTES !=
          m->selftest_size) {
    return COVEY_ERROR_SELFTEST_INVALID;
  }
  return COVEY_OK;
}

int covey_selftest_step(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  int8_t* output = (int8_t*)a->config->send_buffer;
  covey_slot_view_t view;
  const uint8_t* section;
  const uint8_t* vector;
  uint32_t i;
  int error = covey_slot_view(a, model, m->loaded, &view);
  if (error == 0) error = covey_selftest_check(a, &view);
  if (error == 0 && view.manifest.output_bytes > a->config->send_bytes) {
    error = COVEY_ERROR_SELFTEST_INVALID; /* checked before, but by another firmware */
  }
  if (error != 0) return error;
  section = selftest_of(a, &view);
  vector = section + SELFTEST_HEADER_BYTES +
           (size_t)m->selftest_next * (view.manifest.input_bytes + view.manifest.output_bytes);
  error = covey_guarded_invoke(a, model, (const int8_t*)vector, view.manifest.input_bytes, output,
                               view.manifest.output_bytes);
  if (error != 0) return error;
  vector += view.manifest.input_bytes;
  for (i = 0; i < view.manifest.output_bytes; ++i) {
    const int difference = output[i] - (int8_t)vector[i];
    if (difference > section[6] || -difference > section[6]) return COVEY_ERROR_SELFTEST_MISMATCH;
  }
  return ++m->selftest_next == u16_at(section) ? 1 : 0;
}
