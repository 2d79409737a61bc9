/* SPDX-License-Identifier: Apache-2.0 */
/* Life of the agent, and its answers to questions. */
#include <string.h>

#include "../flash/flash.h"
#include "../life/life.h"
#include "../link/link.h"
#include "../session/session.h"
#include "../telemetry/telemetry.h"
#include "../transfer/transfer.h"

static void set_default(uint32_t* value, uint32_t otherwise) {
  if (*value == 0) *value = otherwise;
}

static COVEY_OUTLINE void set_times(covey_times_t* times, const covey_times_t* configured) {
  *times = *configured;
  set_default(&times->report_interval_ms, 60000);
  set_default(&times->probation_inferences, 20);
  set_default(&times->probation_ms, 600000);
  set_default(&times->grant_ms, 900000);
  set_default(&times->retry_min_ms, 2000);
  set_default(&times->retry_max_ms, 300000);
  set_default(&times->progress_ms, 5000);
  set_default(&times->keep_ms, 3600000);
}

int covey_agent_init(covey_agent_t* a, const covey_agent_config_t* config) {
  const covey_model_config_t* model;
  covey_model_t* m;
  uint8_t index = 0;
  int error;
  if (a == NULL || config == NULL) return COVEY_ERROR_ARGUMENT;
  memset(a, 0, sizeof *a);
  if (config->model_count - 1U >= COVEY_MODELS_MAX || config->send_bytes < COVEY_SEND_BYTES_MIN ||
      config->receive_bytes < COVEY_RECEIVE_BYTES_MIN ||
      config->port->outbox_places > COVEY_OUTBOX_PLACES_MAX ||
      strlen(config->device_id) > COVEY_DEVICE_ID_BYTES_MAX) {
    return COVEY_ERROR_CONFIG; /* memory depends on it; for all the rest see covey_config_check */
  }
  a->config = config;
  a->models_end = a->models + config->model_count;
  set_times(&a->times, &config->times);
#if COVEY_SETTINGS
  a->interval_ms = a->times.report_interval_ms;
#endif
  a->credit = COVEY_WINDOWS_IN_FLIGHT * COVEY_MODELS_MAX;
  model = config->models;
  for (m = a->models; m != covey_models_end(a); ++m) {
    m->index = index++;
    m->config = model++;
    m->agent = a;
    m->record.phase = COVEY_PHASE_IDLE;
    m->record.confirmed = COVEY_NO_SLOT;
    m->record.candidate = COVEY_NO_SLOT;
    m->record.fallback = COVEY_NO_SLOT;
    m->active = COVEY_NO_SLOT;
    m->loaded = COVEY_NO_SLOT;
    m->shadow = COVEY_NO_SLOT;
    m->lease.left_ms = COVEY_NEVER;
    covey_window_reset(m->config->telemetry);
  }
  error = covey_random_draw(a, &a->boot_id);
  if (error == 0) error = covey_random_draw(a, &a->nonce);
  if (error == 0) error = covey_identity_load(a);
  if (error != 0) return error;
  a->random = (uint32_t)(a->boot_id >> 32) | 1;
  covey_journal_replay(a);
#if COVEY_ROOT
  error = covey_root_load(a);
  if (error != 0) return error;
#endif
  covey_outbox_open(a);
  return COVEY_OK;
}

int covey_agent_start(covey_agent_t* a, covey_start_cause_t cause, uint64_t now_ms) {
  const uint32_t inside = covey_guard_take(a);
  covey_model_t* m;
  covey_clock_pass(a, now_ms);
  a->timers[COVEY_TIMER_WINDOW].left_ms = a->times.report_interval_ms;
  if (cause == COVEY_START_SLEEP) a->journal.clean = true; /* no write was cut */
#if COVEY_HEALTH
  if (cause == COVEY_START_WATCHDOG) { /* said once, by the first model */
    covey_health_t health;
    memset(&health, 0, sizeof health);
    health.watchdog_resets = 1;
    covey_agent_health(a, 0, &health);
  }
#endif
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_model_start(m, cause, inside);
  }
  return COVEY_OK;
}

/* Over the whole context, so that memory that faded is not taken for an agent. */
static uint32_t seal_of(const covey_agent_t* a) {
  return covey_bytes_crc32((const uint8_t*)a, sizeof *a) | 1;
}

uint32_t covey_agent_suspend(covey_agent_t* a, uint64_t now_ms) {
  const uint32_t wake_ms = covey_agent_poll(a, now_ms);
  if (a->connected) covey_agent_disconnected(a, now_ms);
  a->suspended = 0;
  a->suspended = seal_of(a);
  return wake_ms;
}

int covey_agent_resume(covey_agent_t* a, const covey_agent_config_t* config, uint64_t now_ms) {
  const uint32_t suspended = a->suspended;
  a->suspended = 0;
  /* A seal is never 0. */
  if (suspended != seal_of(a) || a->config != config) return COVEY_ERROR_NO_CONTEXT;
  covey_clock_pass(a, now_ms);
  return COVEY_OK;
}

uint32_t covey_agent_poll(covey_agent_t* a, uint64_t now_ms) {
  covey_model_t* m;
  covey_clock_pass(a, now_ms);
  a->wake_ms = COVEY_NEVER;
  if (covey_core_enrolled(a)) {
    for (m = a->models; m != covey_models_end(a); ++m) covey_model_step(a, m);
    covey_job_step(a);
  }
  covey_session_step(a);
  covey_delivery_step(a);
  return a->wake_ms;
}

void covey_agent_connected(covey_agent_t* a, uint64_t now_ms) {
  covey_agent_disconnected(a, now_ms);
  a->connected = true;
  memset(&a->timers[COVEY_TIMER_ENROLL], 0, sizeof a->timers[0]);
  memset(&a->timers[COVEY_TIMER_STATUS], 0, sizeof a->timers[0]);
  ++a->connection;
  covey_delivery_connected(a);
}

/* Nothing of a connection is left. */
void covey_agent_disconnected(covey_agent_t* a, uint64_t now_ms) {
  covey_clock_pass(a, now_ms);
  covey_session_disconnected(a);
  a->inbox.kind = COVEY_TOPIC_NONE;
  covey_job_disconnected(a);
}

size_t covey_agent_will(const covey_agent_t* a, char* topic, size_t topic_capacity,
                        uint8_t* payload, size_t payload_capacity) {
  covey_writer_t w;
  if (!covey_core_enrolled(a) || topic_capacity < COVEY_TOPIC_BYTES_MAX) return 0;
  w.bytes = payload;
  w.size = 0;
  w.capacity = payload_capacity;
  w.overflow = false;
  covey_topic_own(a, "up/bye", topic);
  covey_write_fixed64(&w, 1, a->boot_id);
  covey_write_uint(&w, 2, a->connection + 1);
  return w.overflow ? 0 : w.size;
}

bool covey_agent_enrolled(const covey_agent_t* a) { return a->enrolled; }

int covey_agent_invoke(covey_agent_t* a, size_t model, const int8_t* input, size_t input_size,
                       int8_t* output, size_t output_size) {
  covey_model_t* m = covey_models_at(a, model);
  covey_inference_t shadow;
  bool shadowed;
  int error;
  if (m == NULL || input == NULL || output == NULL) return COVEY_ERROR_ARGUMENT;
  if (m->active == COVEY_NO_SLOT) return COVEY_ERROR_NO_MODEL;
  shadowed = covey_shadow_invoke(m, input, input_size, &shadow); /* before input may be lost */
  error = covey_guard_invoke(m, m->config->runtime, input, input_size, output, output_size);
  if (error != 0) {
    m->invoke_error = error;
    if (m->invoke_errors < UINT8_MAX) ++m->invoke_errors;
    return error;
  }
  m->invoke_errors = 0;
  if (shadowed) covey_shadow_compare(m, &shadow, output, output_size);
  return COVEY_OK;
}

int covey_agent_model(const covey_agent_t* a, size_t model, covey_model_view_t* view) {
  const covey_model_t* m = covey_models_at(a, model);
  if (m == NULL || view == NULL) return COVEY_ERROR_ARGUMENT;
  if (m->active == COVEY_NO_SLOT) return COVEY_ERROR_NO_MODEL;
  covey_bytes_copy(view, &m->view, sizeof *view);
  return COVEY_OK;
}

int covey_agent_model_status(const covey_agent_t* a, size_t model, covey_model_status_t* status) {
  const covey_model_t* m = covey_models_at(a, model);
  if (m == NULL || status == NULL) return COVEY_ERROR_ARGUMENT;
  covey_model_status(m, status);
  return COVEY_OK;
}

uint64_t covey_agent_boot_id(const covey_agent_t* a) { return a->boot_id; }
uint32_t covey_agent_site_epoch(const covey_agent_t* a) { return a->site_epoch; }
uint64_t covey_agent_goal_counter(const covey_agent_t* a) { return a->goal_counter; }
uint32_t covey_agent_journal_generation(const covey_agent_t* a) { return a->journal.generation; }
#if COVEY_ROOT
uint32_t covey_agent_root_version(const covey_agent_t* a) { return a->root_version; }
#endif
const covey_counters_t* covey_agent_counters(const covey_agent_t* a) { return &a->counters; }

bool covey_agent_quiet(const covey_agent_t* a) {
  return !a->hello_due && !a->status_dirty && !a->progress_dirty &&
         a->status_acked == a->status_number && a->job.state == COVEY_JOB_NONE &&
         covey_delivery_drained(a);
}
