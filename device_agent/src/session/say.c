/* SPDX-License-Identifier: Apache-2.0 */
/* What the device says. Field numbers: proto/covey/device/v1/device.proto. */
#include "parts.h"

#define AGENT(number, kind, member) COVEY_WRITTEN(number, kind, covey_agent_t, member)
#define CONFIG(number, kind, member) COVEY_WRITTEN(number, kind, covey_agent_config_t, member)
#define MODEL(number, kind, member) COVEY_WRITTEN(number, kind, covey_model_t, member)
#define STATUS(number, kind, member) COVEY_WRITTEN(number, kind, covey_model_status_t, member)
#define WRITTEN_SIZE (sizeof(size_t) == 4 ? COVEY_WRITTEN_U32 : COVEY_WRITTEN_U64)

static const covey_member_t facts_members[] = {
    CONFIG(1, COVEY_WRITTEN_TEXT, device_class),     CONFIG(2, COVEY_WRITTEN_TEXT, firmware),
    CONFIG(6, WRITTEN_SIZE, receive_bytes),          CONFIG(7, COVEY_WRITTEN_U32, runtime),
    CONFIG(8, COVEY_WRITTEN_F64, operator_set),      CONFIG(9, COVEY_WRITTEN_U32, algorithms),
    CONFIG(10, COVEY_WRITTEN_U32, preprocessing_id), COVEY_WRITTEN_END};

static const covey_member_t status_of_model_members[] = {
    STATUS(2, COVEY_WRITTEN_DIGEST, confirmed),
    STATUS(3, COVEY_WRITTEN_DIGEST, active),
    STATUS(4, COVEY_WRITTEN_DIGEST, candidate),
    STATUS(6, COVEY_WRITTEN_U32, attempt),
    STATUS(8, COVEY_WRITTEN_U32, chunks_have),
    STATUS(9, COVEY_WRITTEN_U32, chunks_total),
    STATUS(11, COVEY_WRITTEN_U32, security_floor),
    STATUS(12, COVEY_WRITTEN_DIGEST, fallback),
    COVEY_WRITTEN_END};

static const covey_member_t model_members[] = {MODEL(13, COVEY_WRITTEN_U32, retry_after_s),
                                               MODEL(14, COVEY_WRITTEN_I32, record.port_code),
                                               COVEY_WRITTEN_END};

static const covey_member_t hello_members[] = {AGENT(1, COVEY_WRITTEN_F64, boot_id),
                                               AGENT(2, COVEY_WRITTEN_F64, nonce),
                                               AGENT(5, COVEY_WRITTEN_U32, site_epoch),
                                               AGENT(6, COVEY_WRITTEN_U64, goal_counter),
                                               AGENT(7, COVEY_WRITTEN_U64, now_ms),
                                               AGENT(8, COVEY_WRITTEN_U32, status_number),
                                               AGENT(9, COVEY_WRITTEN_U32, connection),
#if COVEY_DEVICE_KEY
                                               AGENT(11, COVEY_WRITTEN_F64, certificate),
#endif
#if COVEY_ROOT
                                               AGENT(12, COVEY_WRITTEN_U32, root_version),
#endif
                                               COVEY_WRITTEN_END};

static const covey_member_t status_members[] = {
    AGENT(1, COVEY_WRITTEN_F64, boot_id),      AGENT(2, COVEY_WRITTEN_U32, status_number),
    AGENT(3, COVEY_WRITTEN_U64, now_ms),       AGENT(5, COVEY_WRITTEN_U32, site_epoch),
    AGENT(6, COVEY_WRITTEN_U64, goal_counter), COVEY_WRITTEN_END};

#if COVEY_ENROLMENT
static const covey_member_t enroll_members[] = {AGENT(2, COVEY_WRITTEN_F64, enroll_nonce),
                                                COVEY_WRITTEN_END};
#endif

static void write_facts(const covey_agent_t* a, covey_writer_t* w) {
  const size_t begun = covey_write_begin(w, 3);
  uint32_t slot_bytes = UINT32_MAX; /* of the smallest: what every model can count on */
  uint32_t arena_bytes = UINT32_MAX;
  const covey_model_t* m;
  for (m = a->models; m != covey_models_end(a); ++m) {
    const uint32_t usable = covey_slot_usable(a, m);
    if (usable < slot_bytes) slot_bytes = usable;
    if (m->config->arena_bytes < arena_bytes) arena_bytes = m->config->arena_bytes;
  }
  covey_write_members(w, facts_members, a->config);
  covey_write_text(w, 3, COVEY_AGENT_VERSION);
  covey_write_uint(w, 4, slot_bytes);
  covey_write_uint(w, 5, arena_bytes);
  covey_write_end(w, begun);
}

static void write_state(const covey_agent_t* a, covey_writer_t* w, const covey_model_t* m) {
  const size_t begun = covey_write_begin(w, 4);
  covey_model_status_t status;
  covey_model_status(m, &status);
  covey_write_text(w, 1, m->config->name);
  covey_write_members(w, status_of_model_members, &status);
  covey_write_members(w, model_members, m);
  covey_write_uint(w, 5, m->record.phase);
  covey_write_uint(w, 7, m->record.reason);
  covey_write_uint(w, 10, a->journal.generation);
  covey_write_uint(w, 16, m->record.fallback_reason);
  covey_write_end(w, begun);
}

/* What the device says until it is answered, by the timer of its repetition. */
static const struct message {
  const covey_member_t* members; /* of the agent */
  const char* tail;
  uint8_t device_id; /* field of the device's id, which facts go with; 0: neither */
} messages[] = {
#if COVEY_ENROLMENT
    {enroll_members, "up", 1},
#endif
    {hello_members, "up/hello", 10},
    {status_members, "up/status", 0}};
COVEY_STATIC_ASSERT(COVEY_TIMER_HELLO == COVEY_TIMER_ENROLL + 1 &&
                    COVEY_TIMER_STATUS == COVEY_TIMER_ENROLL + 2);
#define FIRST (COVEY_ENROLMENT ? COVEY_TIMER_ENROLL : COVEY_TIMER_HELLO)

int covey_say(covey_agent_t* a, enum covey_timer_name name) {
  covey_timer_t* timer = &a->timers[name];
  const struct message* message = &messages[name - FIRST];
  covey_writer_t w = covey_send_writer(a);
  const covey_model_t* m;
  int error = COVEY_OK;
  if (!covey_clock_due(a, timer)) return COVEY_ERROR_AGAIN;
  covey_write_members(&w, message->members, a);
  if (message->device_id != 0) {
    covey_write_text(&w, message->device_id, a->config->device_id);
    write_facts(a, &w);
  }
  for (m = a->models; m != covey_models_end(a); ++m) {
    if (covey_core_enrolled(a)) {
      write_state(a, &w, m);
    } else {
      covey_write_text(&w, 4, m->config->name);
    }
  }
#if COVEY_CLAIM
  if (name == COVEY_TIMER_ENROLL && a->config->claim_proof != NULL) {
    covey_write_bytes(&w, 7, a->config->claim_proof, COVEY_CLAIM_PROOF_BYTES);
  }
#endif
#if COVEY_DEVICE_KEY
  if (name == COVEY_TIMER_ENROLL) error = covey_request_write(a, &w);
#endif
  if (error == 0) error = covey_send_message(a, message->tail, &w, 1);
  covey_clock_repeat(a, timer, error);
  return error;
}
