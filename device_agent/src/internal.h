/* What the agent's source files share. One function of each pair below owns each field of
 * covey_agent_t; the groups are the files. Everything runs on the agent's one thread. */
#ifndef COVEY_SRC_INTERNAL_H
#define COVEY_SRC_INTERNAL_H

#include <string.h>

#include "covey/agent.h"
#include "covey/broken.h"
#include "wire.h"

#ifdef __cplusplus
extern "C" {
#endif

#define COVEY_ROW_BYTES 64U /* everything in flash begins on a row: fits write units of 1 to 64 */

/* Up to a multiple of unit, a power of two, as units of flash are. */
static inline uint32_t covey_align(uint32_t value, uint32_t unit) {
  return (value + unit - 1) & ~(unit - 1);
}
static inline const covey_port_t* covey_port(const covey_agent_t* a) { return a->config->port; }
static inline uint16_t covey_reason(int error) {
  return (uint16_t)(error <= -100 && error > -1000 ? -error : 0);
}
static inline bool covey_digest_equal(const uint8_t* x, const uint8_t* y) {
  return memcmp(x, y, COVEY_DIGEST_BYTES) == 0;
}

/* A state that cannot be: counted, then the harmless way on. */
static inline void covey_bug(covey_agent_t* a) { ++a->counters.bugs; }

static inline covey_model_t* covey_models_end(const covey_agent_t* a) {
#if COVEY_MODELS_MAX == 1
  return (covey_model_t*)a->models + 1;
#else
  return a->models_end;
#endif
}
/* NULL: there is no such model. */
covey_model_t* covey_model_at(const covey_agent_t* a, size_t index);
void covey_model_status_of(const covey_model_t* m, covey_model_status_t* status);
/* Good inferences since the model became active in this boot. */
static inline uint32_t covey_good(const covey_model_t* m) {
  return m->good_inferences - m->good_before;
}
static inline void covey_lock(const covey_agent_t* a) {
  if (covey_port(a)->lock != NULL) covey_port(a)->lock(covey_port(a)->lock_ctx);
}
static inline void covey_unlock(const covey_agent_t* a) {
  if (covey_port(a)->unlock != NULL) covey_port(a)->unlock(covey_port(a)->lock_ctx);
}

/* ---- clock.c: time that passes, back-off and jitter */
#define COVEY_SHORT_WAIT_MS                                            \
  100U /* until something that the port had no room for is tried again \
        */
void covey_clock(covey_agent_t* a, uint64_t now_ms);
/* Whether nothing is left; if something is, poll will be called when it is over. */
bool covey_due(covey_agent_t* a, const covey_timer_t* timer);
/* There is work left: poll wants to be called again at once. */
static inline void covey_soon(covey_agent_t* a) { a->wake_ms = 0; }
/* As a timer's milliseconds; 49 days at most. */
uint32_t covey_seconds(uint32_t seconds);
uint32_t covey_random32(covey_agent_t* a);
uint32_t covey_jitter(covey_agent_t* a, uint32_t span); /* below span */
/* Plus up to a quarter, so that a fleet spreads. */
uint32_t covey_later(covey_agent_t* a, uint32_t ms);
/* From retry_min doubling to retry_max, and jitter. */
uint32_t covey_backoff(covey_agent_t* a, uint8_t tries);
/* After something was sent that wants an answer (error 0), or could not be sent. */
void covey_repeat(covey_agent_t* a, covey_timer_t* timer, int error);

/* ---- flash.c: the port's flash in the agent's terms; errors FLASH_*, port code in flash_error */
int covey_flash_read(covey_agent_t* a, uint32_t offset, void* into, size_t size);
/* The tail of the last write unit is filled with the erased value. */
int covey_flash_write(covey_agent_t* a, uint32_t offset, const void* from, size_t size);
/* Every unit that begins within. */
int covey_flash_erase(covey_agent_t* a, uint32_t offset, uint32_t size);
/* Adds flash bytes to a hash, read through the port. `hash` NULL: only looks whether all are
 * erased; 1: not all. */
int covey_flash_hash(covey_agent_t* a, covey_hash_t* hash, uint32_t offset, uint32_t size);
/* False also when it cannot be read. */
static inline bool covey_flash_blank(covey_agent_t* a, uint32_t offset, uint32_t size) {
  return covey_flash_hash(a, NULL, offset, size) == 0;
}
typedef struct covey_section {
  uint32_t at; /* offset in flash */
  uint32_t size;
  const uint8_t* digest;
} covey_section_t;
/* Whether flash has what the digest, of so many bytes, says; false also when it cannot be read. */
bool covey_flash_matches(covey_agent_t* a, const covey_section_t* section, size_t digest_size);
void covey_digest(covey_agent_t* a, const void* bytes, size_t size,
                  uint8_t digest[COVEY_DIGEST_BYTES]);

/* A row of state, in the journal or in a slot, as it is in memory: only this device reads it. */
typedef struct covey_row {
  uint32_t tag; /* magic, version and key */
  uint32_t value;
  union {
    covey_model_goal_t goal;
    struct {
      uint32_t goal_counter[2];
      uint32_t site_epoch;
      covey_model_record_t state;
    } record;
    uint8_t room[52];
  } payload;
  uint32_t crc; /* of all before it */
} covey_row_t;

#define COVEY_ROW_HEADER 0x80 /* keys; those below are the journal's */
#define COVEY_ROW_ERASED 0x81 /* all that the image needs was erased */
#define COVEY_ROW_TABLES 0x82
/* Writes with this key and reads back: afterwards `row` is what was read. */
int covey_row_write(covey_agent_t* a, uint32_t offset, uint8_t key, covey_row_t* row);
/* Returns the key; negative: torn, foreign or unreadable. */
int covey_row_read(covey_agent_t* a, uint32_t offset, covey_row_t* row);

/* ---- journal.c: the append-only journal of DEVICE.md */
/* Reads goals and records of all models, epoch and counter; without a journal nothing changes. */
void covey_journal_replay(covey_agent_t* a);
/* Makes the model's present goal or record durable. */
int covey_journal_goal(covey_agent_t* a, const covey_model_t* m);
int covey_journal_record(covey_agent_t* a, const covey_model_t* m);

/* ---- manifest.c */
typedef struct covey_manifest {
  covey_bytes_t model;
  const uint8_t* artifact_digest; /* these point into the manifest's bytes */
  const uint8_t* chunk_table_digest;
  const uint8_t* preprocessing_digest;
  const uint8_t* selftest_digest;
  const uint8_t* tables_digest;
  uint64_t operator_set;
  uint32_t format;
  uint32_t image_size;
  uint32_t chunk_size;
  uint32_t chunk_count;
  uint32_t runtime;
  uint32_t arena_bytes;
  uint32_t input_bytes;
  uint32_t output_bytes;
  uint32_t model_size;
  uint32_t preprocessing_size;
  uint32_t selftest_size;
  uint32_t security_version;
  uint32_t preprocessing_id;
} covey_manifest_t;

bool covey_text_equal(const char* text, const void* bytes, size_t size);
/* Structure only. Errors: MANIFEST_MALFORMED, UNSUPPORTED (format). */
int covey_manifest_parse(covey_bytes_t bytes, covey_manifest_t* out);
/* Whether this firmware has what the model was made for. Errors: RUNTIME_MISMATCH,
 * PREPROCESSING_MISMATCH. */
int covey_manifest_fits(const covey_agent_config_t* config, const covey_manifest_t* m);
/* The exact bytes inside a SignedManifest. */
int covey_signed_manifest_open(covey_bytes_t message, covey_bytes_t* manifest);
/* All that the device asks before it touches flash, cheap questions first, the signature last. */
int covey_manifest_accept(covey_agent_t* a, const covey_model_t* m, uint8_t slot,
                          const covey_bytes_t* message);

/* ---- slot.c: what a slot holds, and where
 *      0  header row, row "erased", signed manifest, chunk table, tables row, telemetry tables,
 *         image: each from a row on, the image from an erase unit on where units are small. */
#define COVEY_SLOT_BYTES_MIN 8192U
enum { COVEY_CHUNK_TABLE = 0, COVEY_TELEMETRY_TABLES = 1, COVEY_STREAMED_TABLES };
typedef struct covey_slot_view {
  uint32_t base; /* offset of the slot in flash; the others are offsets in flash too */
  uint32_t image;
  covey_section_t tables[COVEY_STREAMED_TABLES];
  bool tables_present;    /* the telemetry tables have their row, so their size is known */
  covey_bytes_t message;  /* SignedManifest */
  covey_bytes_t contents; /* the manifest in it, that the digest is of */
  covey_manifest_t manifest;
} covey_slot_view_t;

uint32_t covey_slot_usable(const covey_agent_t* a, const covey_model_t* m); /* what hello says */
const uint8_t* covey_slot_bytes(const covey_agent_t* a, uint32_t offset);
/* Finds the slots whose header and manifest are whole, and their digests. */
void covey_slots_scan(covey_model_t* m);
/* Manifest digest of what is in the slot; NULL: nothing, or no such slot. */
const uint8_t* covey_slot_digest(const covey_model_t* m, uint8_t slot);
bool covey_slot_holds(const covey_model_t* m, uint8_t slot, const uint8_t* digest);
uint8_t covey_slot_find(const covey_model_t* m, const uint8_t* digest); /* COVEY_NO_SLOT: none */
/* Offsets from view->manifest. Errors: SLOT_TOO_SMALL. */
int covey_slot_layout(const covey_agent_t* a, const covey_model_t* m, uint8_t slot,
                      covey_slot_view_t* view);
/* Errors: MANIFEST_MALFORMED: not present. */
int covey_slot_view(const covey_model_t* m, uint8_t slot, covey_slot_view_t* view);
/* Erases what header and manifest need, and writes them. */
int covey_slot_begin(covey_model_t* m, uint8_t slot, covey_bytes_t message);
/* Writes the row at this offset: `value` is a size, of the message or of the telemetry tables. */
int covey_slot_mark(covey_agent_t* a, uint32_t offset, uint8_t key, uint32_t value);

/* ---- job.c, chunks.c: the one transfer */
enum covey_job_state {
  COVEY_JOB_NONE = 0,
  COVEY_JOB_MANIFEST, /* waits for the signed manifest */
  COVEY_JOB_ERASE,
  COVEY_JOB_TABLE,  /* waits for the chunk table */
  COVEY_JOB_TABLES, /* waits for the telemetry tables */
  COVEY_JOB_SCAN,   /* re-hashes what is there */
  COVEY_JOB_CHUNKS,
  COVEY_JOB_VERIFY
};
void covey_job_start(covey_model_t* m);
void covey_job_abort(covey_agent_t* a, const covey_model_t* m);
void covey_job_step(covey_agent_t* a);
void covey_job_connected(covey_agent_t* a);
/* Digest of the retained message that the job waits for; NULL: none. */
const uint8_t* covey_job_wants(covey_agent_t* a);
int covey_job_manifest(covey_agent_t* a, covey_bytes_t message);
/* A piece of the message that is coming in. */
int covey_job_table(covey_agent_t* a, const uint8_t* piece, size_t size, size_t offset);
/* The attempt ends with this error, which is returned. */
int covey_job_fail(covey_agent_t* a, int error);
/* What is in the slot is no good: begins anew, or fails when that happened too often. */
void covey_job_again(covey_agent_t* a, int error);
/* One more request without an answer; false: too many, it failed. */
bool covey_job_retry(covey_agent_t* a, int error);
int covey_job_commit(covey_agent_t* a, covey_phase_t phase);
/* A request went out, or could not (error): when to look again. */
void covey_job_asked(covey_agent_t* a, int error);
void covey_job_enter(covey_agent_t* a, enum covey_job_state state);

/* Steps; an error ends the attempt. */
int covey_chunks_scan(covey_agent_t* a, const covey_slot_view_t* view);
int covey_chunks_step(covey_agent_t* a, const covey_slot_view_t* view);
int covey_verify_step(covey_agent_t* a, const covey_slot_view_t* view);
int covey_chunks_receive(covey_agent_t* a, covey_bytes_t message);

/* ---- model.c: one model's life, from goal to confirm */
/* covey.device.v1.GoalMode */
enum { COVEY_MODE_STAGED = 1, COVEY_MODE_SHADOW = 2, COVEY_MODE_ACTIVE = 3 };
void covey_model_step(covey_agent_t* a, covey_model_t* m);
/* `inside`: what covey_retained_take found. */
void covey_model_start(covey_model_t* m, covey_start_cause_t cause, uint32_t inside);
/* A transition: edit the record, then commit. It becomes durable, then true: on a flash error
 * nothing has changed. */
int covey_model_commit(covey_model_t* m);
/* What is true without being durable. */
void covey_model_changed(covey_model_t* m);
/* The candidate's attempt ended without success: phase FAILED, DECLINED or REVERTED. */
void covey_model_end(covey_model_t* m, covey_phase_t phase, int error);
/* REVERTED if it was on probation, else FAILED. */
void covey_model_fail(covey_model_t* m, int error);
/* There is no candidate any more. */
void covey_leave_candidate(covey_model_record_t* record, covey_phase_t phase);
/* Loads what is confirmed, or what it falls back to. */
void covey_model_run_confirmed(covey_model_t* m);
bool covey_on_probation(const covey_model_t* m);
/* What phase, attempt and reason are about; NULL: nothing. */
const uint8_t* covey_candidate(const covey_model_t* m);
void covey_tell(const covey_model_t* m, covey_event_t event);

/* ---- load.c: the runtime: load, invoke, self-test; marks crashes in retained memory */
/* `shadow`: beside the active model, in the shadow's runtime and the rest of the arena. */
int covey_load(covey_model_t* m, uint8_t slot, bool shadow);
void covey_unload(covey_model_t* m);
/* The loaded model acts from now on; counted in its own stream. */
void covey_activate(covey_model_t* m);
/* One vector of the candidate, in the runtime that holds it. Returns 0 (more to do), 1 (all passed)
 * or an error. */
int covey_selftest_step(covey_model_t* m, const covey_runtime_t* runtime);
int covey_selftest_check(const covey_agent_t* a, const covey_slot_view_t* view);
uint32_t covey_selftest_at(const covey_slot_view_t* view); /* offset of the section in flash */
int covey_guarded_invoke(const covey_model_t* m, const covey_runtime_t* runtime,
                         const int8_t* input, size_t input_size, int8_t* output,
                         size_t output_size);
/* 1 + the model in whose load or invoke the last boot ended; 0: in none, UNKNOWN: memory lost it,
 * or there is none. Clears the mark. */
#define COVEY_INSIDE_UNKNOWN UINT32_MAX
uint32_t covey_retained_take(covey_agent_t* a);

/* ---- shadow.c: the candidate beside the active model */
#if COVEY_SHADOW
void covey_shadow_unload(covey_model_t* m);
/* By chance: true when the candidate ran. */
bool covey_shadow_invoke(covey_model_t* m, const int8_t* input, size_t input_size,
                         covey_inference_t* shadow);
void covey_shadow_compare(const covey_model_t* m, const covey_inference_t* shadow,
                          const int8_t* output, size_t output_size);
#else
static inline void covey_shadow_unload(covey_model_t* m) { (void)m; }
static inline bool covey_shadow_invoke(covey_model_t* m, const int8_t* input, size_t input_size,
                                       covey_inference_t* shadow) {
  (void)input;
  (void)input_size;
  (void)shadow;
  return m == NULL;
}
static inline void covey_shadow_compare(const covey_model_t* m, const covey_inference_t* shadow,
                                        const int8_t* output, size_t output_size) {
  (void)m;
  (void)shadow;
  (void)output;
  (void)output_size;
}
#endif

/* ---- goal.c */
int covey_goal_receive(covey_agent_t* a, covey_bytes_t message);

/* ---- seal.c: authentication. `kind` is the last topic level. */
void covey_seal(covey_agent_t* a, const char* kind, covey_writer_t* w);
/* Takes the mac field off the message. Errors: MAC_INVALID. */
int covey_unseal(const covey_agent_t* a, const char* kind, covey_bytes_t* message);

/* ---- topic.c */
enum covey_topic_kind {
  COVEY_TOPIC_NONE = 0,
  COVEY_TOPIC_SITE, /* these four are subscribed to in every session */
  COVEY_TOPIC_GOAL,
  COVEY_TOPIC_ACK,
  COVEY_TOPIC_CHUNK,
  COVEY_TOPIC_ENROLL,   /* this one before there is an identity */
  COVEY_TOPIC_MANIFEST, /* these by digest, when they are waited for */
  COVEY_TOPIC_TABLE
};
enum covey_topic_kind covey_topic_parse(covey_agent_t* a, const char* topic, size_t size);
/* Of SITE to ENROLL. */
void covey_topic_of(const covey_agent_t* a, enum covey_topic_kind kind,
                    char topic[COVEY_TOPIC_BYTES_MAX]);
/* covey/v1/{shard}/{id}/{tail}, e.g. tail "up/hello"; {shard} is "enroll" before enrolment */
void covey_topic_own(const covey_agent_t* a, const char* tail, char topic[COVEY_TOPIC_BYTES_MAX]);
void covey_topic_digest(const uint8_t* digest, char topic[COVEY_TOPIC_BYTES_MAX]);
bool covey_device_id_valid(const char* id);

/* ---- messages.c: what the device says */
covey_writer_t covey_send_writer(const covey_agent_t* a);
/* The message of the timer ENROLL, HELLO or STATUS, when it is due; it is repeated until the timer
 * is left alone. */
int covey_say(covey_agent_t* a, enum covey_timer_name name);
/* Sealed, once there is a key, and published under the own topic with this tail. */
int covey_send(covey_agent_t* a, const char* tail, covey_writer_t* w, uint8_t qos);

/* ---- session.c: subscriptions, hello, status, acknowledgements */
void covey_session_step(covey_agent_t* a);
int covey_site_receive(covey_agent_t* a, covey_bytes_t message);
int covey_ack_receive(covey_agent_t* a, covey_bytes_t message);
void covey_status_changed(covey_agent_t* a);
void covey_answered(covey_agent_t* a); /* the gateway knows this boot */
void covey_hello_again(covey_agent_t* a, uint32_t jitter_ms);

/* ---- enroll.c */
int covey_identity_load(covey_agent_t* a);
/* A random number. Never 0: that would be absent on the wire. */
int covey_draw(const covey_agent_t* a, uint64_t* number);
int covey_enroll_receive(covey_agent_t* a, covey_bytes_t message);

/* ---- telemetry.c, report.c, tables.c */
void covey_telemetry_reset(covey_telemetry_t* t);
/* May another manifest become active without losing a count? */
bool covey_telemetry_room(covey_agent_t* a, const covey_model_t* m, const uint8_t* manifest);
/* Counts for the active model from now on, under its manifest; or for none. Where somebody is
 * recording just now, poll does it when that is over. */
void covey_telemetry_switch(covey_agent_t* a, const covey_model_t* m);
/* The open window into its stream's cell, or, where somebody is inside, at a later poll. */
void covey_telemetry_close(covey_agent_t* a, covey_telemetry_t* t);
/* Among all that came and will come, those with the least lots stay. */
void covey_keep_sample(covey_samples_t* samples, const covey_sample_t* sample);
void covey_telemetry_step(covey_agent_t* a);
void covey_telemetry_connected(covey_agent_t* a);
/* covey.device.v1.StreamAck */
typedef struct covey_stream_ack {
  const uint8_t* manifest; /* prefix */
  uint64_t bitmap;
  uint32_t cumulative;
} covey_stream_ack_t;
void covey_telemetry_ack(covey_agent_t* a, const covey_stream_ack_t* ack);
/* Whether it covers the window with this number. */
bool covey_acknowledges(const covey_stream_ack_t* ack, uint32_t sequence);
bool covey_telemetry_drained(const covey_agent_t* a);
/* The number that the cell has when it is frozen next, and what goes with it. */
void covey_telemetry_number(const covey_telemetry_t* t, covey_window_t* cell);
void covey_encode_report(covey_writer_t* w, uint64_t boot_id, const covey_telemetry_t* t,
                         const covey_window_t* frozen);
/* Checks only when `out` is NULL. Errors: TABLES_INVALID. */
int covey_tables_parse(covey_bytes_t message, covey_tables_t* out);

/* ---- outbox.c: what waits, where a loss of power does not reach it; all use the send buffer */
#if COVEY_OUTBOX
/* Finds what earlier boots left. */
void covey_outbox_open(covey_agent_t* a);
/* Empties all places: what they hold is another identity's. */
void covey_outbox_clear(covey_agent_t* a);
/* Keeps the windows whose acknowledgement is late, and what could not be sent. */
void covey_outbox_step(covey_agent_t* a);
/* Keeps every window. */
void covey_outbox_keep_all(covey_agent_t* a);
/* What an earlier boot left is sent at once, not when its repetition is due. */
void covey_outbox_restart(covey_agent_t* a);
/* Nothing is left of an earlier boot. */
bool covey_outbox_drained(const covey_agent_t* a);
/* The window was acknowledged. */
void covey_outbox_release(covey_agent_t* a, covey_window_t* window);
/* Sends what earlier boots left; true: this boot's windows may go. */
bool covey_outbox_send(covey_agent_t* a);
/* An acknowledgement for an earlier boot. */
void covey_outbox_ack(covey_agent_t* a, uint64_t boot_id, const covey_stream_ack_t* ack);
/* Requests for the acknowledgement of an earlier boot's window, after which others go as well. */
#define COVEY_OUTBOX_TRIES 16U
#else
static inline void covey_outbox_open(covey_agent_t* a) { (void)a; }
static inline void covey_outbox_clear(covey_agent_t* a) { (void)a; }
static inline void covey_outbox_step(covey_agent_t* a) { (void)a; }
static inline void covey_outbox_keep_all(covey_agent_t* a) { (void)a; }
static inline void covey_outbox_restart(covey_agent_t* a) { (void)a; }
static inline bool covey_outbox_drained(const covey_agent_t* a) { return a != NULL; }
static inline void covey_outbox_release(covey_agent_t* a, covey_window_t* window) {
  (void)a;
  (void)window;
}
static inline bool covey_outbox_send(covey_agent_t* a) { return a != NULL; }
static inline void covey_outbox_ack(covey_agent_t* a, uint64_t boot_id,
                                    const covey_stream_ack_t* ack) {
  (void)a;
  (void)boot_id;
  (void)ack;
}
#endif

#ifdef __cplusplus
}
#endif

#endif
