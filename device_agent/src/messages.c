/* What the device says. Field numbers: proto/covey/device/v1/device.proto. */
#include "internal.h"

covey_writer_t covey_send_writer(const covey_agent_t* a) {
  covey_writer_t w;
  w.bytes = a->config->send_buffer;
  w.size = 0;
  w.capacity = a->config->send_bytes;
  w.overflow = false;
  return w;
}

static void write_facts(const covey_agent_t* a, covey_writer_t* w, uint32_t field) {
  const covey_agent_config_t* c = a->config;
  const size_t begun = covey_write_begin(w, field);
  uint32_t slot_bytes = UINT32_MAX; /* of the smallest: what every model can count on */
  uint32_t arena_bytes = UINT32_MAX;
  size_t k;
  for (k = 0; k < c->model_count; ++k) {
    const uint32_t usable = covey_slot_usable(a, k);
    if (usable < slot_bytes) slot_bytes = usable;
    if (c->models[k].arena_bytes < arena_bytes) arena_bytes = c->models[k].arena_bytes;
  }
  covey_write_text(w, 1, c->device_class);
  covey_write_text(w, 2, c->firmware);
  covey_write_text(w, 3, COVEY_AGENT_VERSION);
  covey_write_uint(w, 4, slot_bytes);
  covey_write_uint(w, 5, arena_bytes);
  covey_write_uint(w, 6, c->receive_bytes);
  covey_write_uint(w, 7, c->runtime);
  covey_write_fixed64(w, 8, c->operator_set);
  covey_write_uint(w, 9, c->algorithms);
  covey_write_uint(w, 10, c->preprocessing_id);
  covey_write_end(w, begun);
}

static void write_slot(const covey_model_t* m, covey_writer_t* w, uint32_t field, uint8_t slot) {
  if (slot < COVEY_SLOTS_MAX && (m->slots_present >> slot & 1) != 0) {
    covey_write_bytes(w, field, m->slot_digest[slot], COVEY_DIGEST_BYTES);
  }
}

static void write_model(const covey_agent_t* a, covey_writer_t* w, uint32_t field, size_t model) {
  const covey_model_t* m = &a->models[model];
  const covey_model_record_t* r = &m->record;
  const size_t begun = covey_write_begin(w, field);
  covey_write_text(w, 1, a->config->models[model].name);
  write_slot(m, w, 2, r->confirmed);
  write_slot(m, w, 3, m->active);
  if (m->goal.mode != 0 || r->phase == COVEY_PHASE_REVERTED) {
    covey_write_bytes(w, 4, m->goal.candidate, COVEY_DIGEST_BYTES);
  }
  covey_write_uint(w, 5, r->phase);
  covey_write_uint(w, 6, m->goal.attempt);
  covey_write_uint(w, 7, r->reason);
  covey_write_uint(w, 8, m->chunks_have);
  covey_write_uint(w, 9, m->chunks_total);
  covey_write_uint(w, 10, a->journal.generation);
  covey_write_uint(w, 11, m->goal.security_floor);
  write_slot(m, w, 12, r->fallback);
  covey_write_uint(w, 13, m->retry_after_s);
  covey_write_uint(w, 14, (uint64_t)(int64_t)r->port_code);
  covey_write_uint(w, 16, r->fallback_reason);
  covey_write_end(w, begun);
}

static void write_models(const covey_agent_t* a, covey_writer_t* w, uint32_t field) {
  size_t k;
  for (k = 0; k < a->config->model_count; ++k) write_model(a, w, field, k);
}

void covey_encode_hello(covey_agent_t* a, covey_writer_t* w) {
  covey_write_fixed64(w, 1, a->boot_id);
  covey_write_fixed64(w, 2, a->nonce);
  write_facts(a, w, 3);
  write_models(a, w, 4);
  covey_write_uint(w, 5, a->site_epoch);
  covey_write_uint(w, 6, a->goal_counter);
  covey_write_uint(w, 7, a->now_ms);
  covey_write_uint(w, 8, a->status_number);
  covey_write_uint(w, 9, a->connection);
  covey_write_text(w, 10, a->config->device_id);
}

void covey_encode_status(covey_agent_t* a, covey_writer_t* w) {
  covey_write_fixed64(w, 1, a->boot_id);
  covey_write_uint(w, 2, a->status_number);
  covey_write_uint(w, 3, a->now_ms);
  write_models(a, w, 4);
  covey_write_uint(w, 5, a->site_epoch);
  covey_write_uint(w, 6, a->goal_counter);
}

void covey_encode_fetch(covey_agent_t* a, covey_writer_t* w, const uint8_t* manifest,
                        uint32_t attempt) {
  covey_write_bytes(w, 1, manifest, COVEY_DIGEST_BYTES);
  covey_write_uint(w, 2, a->job.fetch_first);
  covey_write_fixed32(w, 3, a->job.fetch_bitmap);
  covey_write_uint(w, 4, attempt);
}

void covey_encode_enroll(covey_agent_t* a, covey_writer_t* w) {
  size_t k;
  covey_write_text(w, 1, a->config->device_id);
  covey_write_fixed64(w, 2, a->enroll_nonce);
  write_facts(a, w, 3);
  for (k = 0; k < a->config->model_count; ++k) {
    covey_write_text(w, 4, a->config->models[k].name);
  }
}

void covey_encode_bye(const covey_agent_t* a, covey_writer_t* w, uint32_t connection) {
  covey_write_fixed64(w, 1, a->boot_id);
  covey_write_uint(w, 2, connection);
}

int covey_send(covey_agent_t* a, const char* kind, covey_writer_t* w, uint8_t qos) {
  const covey_link_t* link = &covey_port(a)->link;
  char tail[16] = "up/";
  char topic[COVEY_TOPIC_BYTES_MAX];

  memcpy(tail + 3, kind, strlen(kind) + 1);
  covey_seal(a, kind, w);
  if (w->overflow) { /* the buffer's size was checked for the longest message */
    covey_bug(a);
    return COVEY_ERROR_CRYPTO;
  }
  covey_topic_own(a, tail, topic);
  if (link->publish(link->ctx, topic, w->bytes, w->size, qos) != 0) return COVEY_ERROR_AGAIN;
  a->said_at_ms = a->now_ms;
  return COVEY_OK;
}
