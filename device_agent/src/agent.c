/* Life of the agent, and its answers to questions. */
#include "covey/agent.h"

#include "internal.h"

static uint32_t or_default(uint32_t value, uint32_t fallback) {
  return value != 0 ? value : fallback;
}

static int check_slots(const covey_agent_config_t* c, const covey_model_config_t* m) {
  const covey_flash_t* flash = &c->port->flash;
  uint32_t i;
  if (m->slot_count == 0 || m->slot_count > COVEY_SLOTS_MAX || flash->xip_base == NULL) {
    return COVEY_ERROR_CONFIG;
  }
  for (i = 0; i < m->slot_count; ++i) {
    const covey_slot_t* slot = &m->slots[i];
    const uint32_t unit = flash->erase_unit_bytes;
    uint32_t k;
    size_t j;
    if (slot->offset % unit != 0 || slot->size_bytes % unit != 0 ||
        slot->offset % COVEY_ROW_BYTES != 0 || slot->offset > flash->size_bytes ||
        slot->size_bytes > flash->size_bytes - slot->offset || slot->size_bytes < 8192 ||
        (uintptr_t)(flash->xip_base + slot->offset) % 16 != 0) {
      return COVEY_ERROR_FLASH_GEOMETRY;
    }
    if (slot->offset < c->journal_offset + c->journal_bytes &&
        c->journal_offset < slot->offset + slot->size_bytes) {
      return COVEY_ERROR_CONFIG;
    }
    for (j = 0; j < c->model_count; ++j) {
      for (k = 0; k < c->models[j].slot_count && k < COVEY_SLOTS_MAX; ++k) {
        const covey_slot_t* other = &c->models[j].slots[k];
        if (other != slot && slot->offset < other->offset + other->size_bytes &&
            other->offset < slot->offset + slot->size_bytes) {
          return COVEY_ERROR_CONFIG;
        }
      }
    }
  }
  return COVEY_OK;
}

static int check(const covey_agent_config_t* c) {
  const covey_port_t* p = c->port;
  size_t k;
  int error;
  if (p == NULL || c->device_id == NULL || !covey_device_id_valid(c->device_id) ||
      c->device_class == NULL || strlen(c->device_class) > COVEY_DEVICE_CLASS_BYTES_MAX ||
      c->firmware == NULL || strlen(c->firmware) > COVEY_FIRMWARE_BYTES_MAX ||
      c->model_count == 0 || c->model_count > COVEY_MODELS_MAX || c->models == NULL ||
      (c->keys == NULL && c->key_count != 0) || c->send_buffer == NULL ||
      c->send_bytes < COVEY_SEND_BYTES_MIN || c->receive_buffer == NULL ||
      c->receive_bytes < COVEY_RECEIVE_BYTES_MIN || p->crypto.hash_begin == NULL ||
      p->crypto.hash_update == NULL || p->crypto.hash_finish == NULL || p->crypto.verify == NULL ||
      p->crypto.mac == NULL || p->crypto.random == NULL || p->store.read == NULL ||
      p->store.write == NULL || p->link.publish == NULL || p->link.subscribe == NULL ||
      p->link.unsubscribe == NULL || (p->lock == NULL) != (p->unlock == NULL)) {
    return COVEY_ERROR_CONFIG;
  }
  error = covey_flash_check(c);
  if (error == 0) error = covey_journal_check(c);
  for (k = 0; k < c->model_count && error == 0; ++k) {
    const covey_model_config_t* m = &c->models[k];
    if (m->name == NULL || m->name[0] == '\0' || strlen(m->name) > COVEY_MODEL_NAME_BYTES_MAX ||
        m->runtime == NULL || (m->arena == NULL && m->arena_bytes != 0) ||
        (uintptr_t)m->arena % COVEY_ARENA_ALIGN != 0) {
      return COVEY_ERROR_CONFIG;
    }
    error = check_slots(c, m);
  }
  return error;
}

int covey_agent_init(covey_agent_t* a, const covey_agent_config_t* config) {
  const covey_times_t* t;
  size_t k;
  int error;
  if (a == NULL || config == NULL) return COVEY_ERROR_ARGUMENT;
  memset(a, 0, sizeof *a);
  error = check(config);
  if (error != 0) return error;
  a->config = config;
  t = &config->times;
  a->times.report_interval_ms = or_default(t->report_interval_ms, 60000);
  a->times.probation_inferences = or_default(t->probation_inferences, 20);
  a->times.probation_ms = or_default(t->probation_ms, 600000);
  a->times.grant_ms = or_default(t->grant_ms, 900000);
  a->times.retry_min_ms = or_default(t->retry_min_ms, 2000);
  a->times.retry_max_ms = or_default(t->retry_max_ms, 300000);
  a->times.progress_ms = or_default(t->progress_ms, 5000);
  if (a->times.retry_max_ms > UINT32_MAX / 4 || a->times.retry_min_ms > a->times.retry_max_ms) {
    return COVEY_ERROR_CONFIG;
  }
  a->credit = COVEY_WINDOWS_IN_FLIGHT * COVEY_MODELS_MAX;
  for (k = 0; k < COVEY_MODELS_MAX; ++k) {
    covey_model_t* m = &a->models[k];
    m->record.phase = COVEY_PHASE_IDLE;
    m->record.confirmed = m->record.candidate = m->record.fallback = COVEY_NO_SLOT;
    m->active = m->loaded = COVEY_NO_SLOT;
    if (k < config->model_count) covey_telemetry_reset(config->models[k].telemetry);
  }
  if (config->port->crypto.random(config->port->crypto.ctx, &a->boot_id, sizeof a->boot_id) != 0 ||
      config->port->crypto.random(config->port->crypto.ctx, &a->nonce, sizeof a->nonce) != 0) {
    return COVEY_ERROR_CRYPTO;
  }
  if (a->boot_id == 0) a->boot_id = 1; /* absent on the wire */
  if (a->nonce == 0) a->nonce = 1;
  a->random = (uint32_t)(a->boot_id >> 32) | 1;
  error = covey_identity_load(a);
  if (error == 0) covey_journal_replay(a);
  return error;
}

int covey_agent_start(covey_agent_t* a, covey_start_cause_t cause, uint64_t now_ms) {
  const int crashed = covey_retained_take(a);
  size_t k;
  a->now_ms = now_ms;
  a->window_at_ms = now_ms + a->times.report_interval_ms;
  if (cause == COVEY_START_SLEEP) a->journal.clean = true; /* no write was cut */
  for (k = 0; k < a->config->model_count; ++k) {
    covey_model_start(a, k, cause, crashed == (int)k);
  }
  return COVEY_OK;
}

uint32_t covey_agent_poll(covey_agent_t* a, uint64_t now_ms) {
  size_t k;
  a->now_ms = now_ms;
  a->wake_ms = UINT64_MAX;
  if (a->enrolled) {
    for (k = 0; k < a->config->model_count; ++k) covey_model_step(a, k);
    covey_job_step(a);
    covey_session_step(a);
  } else {
    covey_enroll_step(a);
  }
  covey_telemetry_step(a);
  if (a->wake_ms == UINT64_MAX) return UINT32_MAX;
  if (a->wake_ms <= now_ms) return 0;
  return a->wake_ms - now_ms < UINT32_MAX ? (uint32_t)(a->wake_ms - now_ms) : UINT32_MAX;
}

void covey_agent_connected(covey_agent_t* a, uint64_t now_ms) {
  a->now_ms = now_ms;
  a->connected = true;
  a->subscribed = 0;
  a->site_seen = false;
  a->hello_sent = false;
  a->hello_due = false;
  a->hello_tries = 0;
  a->enroll_tries = 0;
  a->enroll_at_ms = now_ms;
  a->inbox.kind = 0;
  a->status_tries = 0;
  a->status_at_ms = now_ms;
  ++a->connection;
  covey_job_connected(a);
  covey_telemetry_connected(a);
}

void covey_agent_disconnected(covey_agent_t* a, uint64_t now_ms) {
  a->now_ms = now_ms;
  a->connected = false;
  a->hello_sent = false;
  covey_job_connected(a);
}

size_t covey_agent_will(const covey_agent_t* a, char* topic, size_t topic_capacity,
                        uint8_t* payload, size_t payload_capacity) {
  covey_writer_t w;
  if (!a->enrolled || topic_capacity < COVEY_TOPIC_BYTES_MAX) return 0;
  w.bytes = payload;
  w.size = 0;
  w.capacity = payload_capacity;
  w.overflow = false;
  covey_topic_own(a, "up/bye", topic);
  covey_encode_bye(a, &w, a->connection + 1);
  return w.overflow ? 0 : w.size;
}

bool covey_agent_enrolled(const covey_agent_t* a) { return a->enrolled; }

int covey_agent_invoke(covey_agent_t* a, size_t model, const int8_t* input, size_t input_size,
                       int8_t* output, size_t output_size) {
  covey_model_t* m;
  int error;
  if (model >= a->config->model_count || input == NULL || output == NULL) {
    return COVEY_ERROR_ARGUMENT;
  }
  m = &a->models[model];
  if (m->active == COVEY_NO_SLOT) return COVEY_ERROR_NO_MODEL;
  error = covey_guarded_invoke(a, model, input, input_size, output, output_size);
  if (error == 0) {
    m->invoke_errors = 0;
  } else {
    m->invoke_error = error;
    if (m->invoke_errors < UINT8_MAX) ++m->invoke_errors;
    a->wake_ms = a->now_ms;
  }
  return error;
}

int covey_agent_model(const covey_agent_t* a, size_t model, covey_model_view_t* view) {
  if (model >= a->config->model_count || view == NULL) return COVEY_ERROR_ARGUMENT;
  if (a->models[model].active == COVEY_NO_SLOT) return COVEY_ERROR_NO_MODEL;
  *view = a->models[model].view;
  return COVEY_OK;
}

static const uint8_t* digest_of(const covey_model_t* m, uint8_t slot) {
  const bool there = slot < COVEY_SLOTS_MAX && (m->slots_present >> slot & 1) != 0;
  return there ? m->slot_digest[slot] : NULL;
}

int covey_agent_model_status(const covey_agent_t* a, size_t model, covey_model_status_t* status) {
  const covey_model_t* m;
  if (model >= a->config->model_count || status == NULL) return COVEY_ERROR_ARGUMENT;
  m = &a->models[model];
  status->phase = (covey_phase_t)m->record.phase;
  status->reason = -(int)m->record.reason;
  status->fallback_reason = -(int)m->record.fallback_reason;
  status->attempt = m->goal.attempt;
  status->chunks_have = m->chunks_have;
  status->chunks_total = m->chunks_total;
  status->confirmed = digest_of(m, m->record.confirmed);
  status->active = digest_of(m, m->active);
  status->candidate =
      m->goal.mode != 0 || m->record.phase == COVEY_PHASE_REVERTED ? m->goal.candidate : NULL;
  status->fallback = digest_of(m, m->record.fallback);
  status->security_floor = m->goal.security_floor;
  return COVEY_OK;
}

uint64_t covey_agent_boot_id(const covey_agent_t* a) { return a->boot_id; }
uint32_t covey_agent_site_epoch(const covey_agent_t* a) { return a->site_epoch; }
uint64_t covey_agent_goal_counter(const covey_agent_t* a) { return a->goal_counter; }
uint32_t covey_agent_journal_generation(const covey_agent_t* a) { return a->journal.generation; }
const covey_counters_t* covey_agent_counters(const covey_agent_t* a) { return &a->counters; }

bool covey_agent_quiet(const covey_agent_t* a) {
  return !a->hello_due && !a->status_dirty && !a->progress_dirty &&
         a->status_acked == a->status_number && a->job.state == COVEY_JOB_NONE &&
         covey_telemetry_drained(a);
}
