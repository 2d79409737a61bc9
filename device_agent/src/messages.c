/* What the device says. Field numbers: proto/covey/device/v1/device.proto. */
#include "internal.h"

#define AGENT(number, kind, member) COVEY_MEMBER(number, kind, covey_agent_t, member)
#define CONFIG(number, kind, member) COVEY_MEMBER(number, kind, covey_agent_config_t, member)
#define MODEL(number, kind, member) COVEY_MEMBER(number, kind, covey_model_t, member)

static const covey_member_t facts_members[] = {CONFIG(1, COVEY_MEMBER_TEXT, device_class),
                                               CONFIG(2, COVEY_MEMBER_TEXT, firmware),
                                               CONFIG(7, COVEY_MEMBER_U32, runtime),
                                               CONFIG(8, COVEY_MEMBER_F64, operator_set),
                                               CONFIG(9, COVEY_MEMBER_U32, algorithms),
                                               CONFIG(10, COVEY_MEMBER_U32, preprocessing_id),
                                               COVEY_MEMBERS_END};

static const covey_member_t model_members[] = {MODEL(5, COVEY_MEMBER_U8, record.phase),
                                               MODEL(6, COVEY_MEMBER_U32, goal.attempt),
                                               MODEL(7, COVEY_MEMBER_U16, record.reason),
                                               MODEL(8, COVEY_MEMBER_U32, chunks_have),
                                               MODEL(9, COVEY_MEMBER_U32, chunks_total),
                                               MODEL(11, COVEY_MEMBER_U32, goal.security_floor),
                                               MODEL(13, COVEY_MEMBER_U32, retry_after_s),
                                               MODEL(14, COVEY_MEMBER_I32, record.port_code),
                                               MODEL(16, COVEY_MEMBER_U16, record.fallback_reason),
                                               COVEY_MEMBERS_END};

static const covey_member_t hello_members[] = {
    AGENT(1, COVEY_MEMBER_F64, boot_id),    AGENT(2, COVEY_MEMBER_F64, nonce),
    AGENT(5, COVEY_MEMBER_U32, site_epoch), AGENT(6, COVEY_MEMBER_U64, goal_counter),
    AGENT(7, COVEY_MEMBER_U64, now_ms),     AGENT(8, COVEY_MEMBER_U32, status_number),
    AGENT(9, COVEY_MEMBER_U32, connection), COVEY_MEMBERS_END};

static const covey_member_t status_members[] = {
    AGENT(1, COVEY_MEMBER_F64, boot_id),      AGENT(2, COVEY_MEMBER_U32, status_number),
    AGENT(3, COVEY_MEMBER_U64, now_ms),       AGENT(5, COVEY_MEMBER_U32, site_epoch),
    AGENT(6, COVEY_MEMBER_U64, goal_counter), COVEY_MEMBERS_END};

covey_writer_t covey_send_writer(const covey_agent_t* a) {
  covey_writer_t w;
  w.bytes = a->config->send_buffer;
  w.size = 0;
  w.capacity = a->config->send_bytes;
  w.overflow = false;
  return w;
}

static void write_facts(const covey_agent_t* a, covey_writer_t* w) {
  const covey_agent_config_t* c = a->config;
  const size_t begun = covey_write_begin(w, 3);
  uint32_t slot_bytes = UINT32_MAX; /* of the smallest: what every model can count on */
  uint32_t arena_bytes = UINT32_MAX;
  const covey_model_t* m;
  for (m = a->models; m != covey_models_end(a); ++m) {
    const uint32_t usable = covey_slot_usable(a, m);
    if (usable < slot_bytes) slot_bytes = usable;
    if (m->config->arena_bytes < arena_bytes) arena_bytes = m->config->arena_bytes;
  }
  covey_write_members(w, facts_members, c);
  covey_write_text(w, 3, COVEY_AGENT_VERSION);
  covey_write_uint(w, 4, slot_bytes);
  covey_write_uint(w, 5, arena_bytes);
  covey_write_uint(w, 6, c->receive_bytes);
  covey_write_end(w, begun);
}

static void write_digest(covey_writer_t* w, uint32_t field, const uint8_t* digest) {
  if (digest != NULL) covey_write_bytes(w, field, digest, COVEY_DIGEST_BYTES);
}

static void write_models(const covey_agent_t* a, covey_writer_t* w) {
  const covey_model_t* m;
  for (m = a->models; m != covey_models_end(a); ++m) {
    const size_t begun = covey_write_begin(w, 4);
    covey_write_text(w, 1, m->config->name);
    write_digest(w, 2, covey_slot_digest(m, m->record.confirmed));
    write_digest(w, 3, covey_slot_digest(m, m->active));
    write_digest(w, 4, covey_candidate(m));
    covey_write_uint(w, 10, a->journal.generation);
    write_digest(w, 12, covey_slot_digest(m, m->record.fallback));
    covey_write_members(w, model_members, m);
    covey_write_end(w, begun);
  }
}

void covey_encode_hello(covey_agent_t* a, covey_writer_t* w) {
  covey_write_members(w, hello_members, a);
  write_facts(a, w);
  write_models(a, w);
  covey_write_text(w, 10, a->config->device_id);
}

void covey_encode_status(covey_agent_t* a, covey_writer_t* w) {
  covey_write_members(w, status_members, a);
  write_models(a, w);
}

void covey_encode_enroll(covey_agent_t* a, covey_writer_t* w) {
  const covey_model_t* m;
  covey_write_text(w, 1, a->config->device_id);
  covey_write_fixed64(w, 2, a->enroll_nonce);
  write_facts(a, w);
  for (m = a->models; m != covey_models_end(a); ++m) covey_write_text(w, 4, m->config->name);
}

int covey_publish(covey_agent_t* a, const char* tail, const covey_writer_t* w, uint8_t qos) {
  const covey_link_t* link = &covey_port(a)->link;
  char topic[COVEY_TOPIC_BYTES_MAX];
  if (w->overflow) { /* the buffer's size was checked for the longest message */
    covey_bug(a);
    return COVEY_ERROR_CRYPTO;
  }
  covey_topic_own(a, tail, topic);
  if (link->publish(link->ctx, topic, w->bytes, w->size, qos) != 0) return COVEY_ERROR_AGAIN;
  a->timers[COVEY_TIMER_SILENT].left_ms = 2 * a->times.report_interval_ms;
  return COVEY_OK;
}

int covey_send(covey_agent_t* a, const char* tail, covey_writer_t* w, uint8_t qos) {
  covey_seal(a, tail + sizeof "up/" - 1, w);
  return covey_publish(a, tail, w, qos);
}
