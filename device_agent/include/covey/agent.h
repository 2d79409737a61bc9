/* SPDX-License-Identifier: Apache-2.0 */
/* The device agent: enrols, takes signed models, updates them without ever leaving the device
 * without one that runs, and counts what they do.
 *
 *     covey_agent_init(&agent, &config);                  // replays the journal
 *     covey_agent_start(&agent, cause, now_ms());         // loads the model
 *     for (;;) {
 *       ... connect MQTT with covey_agent_will(); then covey_agent_connected(&agent, now_ms());
 *       ... for every message: covey_agent_receive(&agent, ...);
 *       ... per reading: covey_agent_invoke(&agent, 0, ...); covey_agent_record_inference(...);
 *       sleep_at_most(covey_agent_poll(&agent, now_ms()));
 *     }
 *
 * Memory: one context and every buffer are the caller's; no heap, no globals.
 * Threads: one thread per agent, except record_inference (see there). Nothing here may be called
 * from the port's functions or from the callbacks.
 * Time: now_ms is uptime, 64-bit, monotonic, sleep included, 0 at boot. The agent's clock is what
 * the last call told it.
 * Blocking: poll does at most one erase, one chunk's hash, copy or write, or one self-test
 * inference per call; receive at most one signature check, two erases and one chunk's write. Where
 * there is an outbox, poll also writes what waits (every keep_ms at most), and receive removes what
 * was acknowledged: one write of a store for each window.
 * Errors: 0 or a negative number of covey/error.h. */
#ifndef COVEY_AGENT_H
#define COVEY_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "covey/error.h"
#include "covey/port.h"
#include "covey/runtime.h"
#include "covey/sizes.h"
#include "covey/telemetry.h"

#ifdef __cplusplus
extern "C" {
#endif

#define COVEY_AGENT_VERSION "0.1.0"

/* The numbers travel on the wire (covey.device.v1.Phase). */
typedef enum covey_phase {
  COVEY_PHASE_IDLE = 1,
  COVEY_PHASE_DOWNLOADING = 2,
  COVEY_PHASE_VERIFYING = 3,
  COVEY_PHASE_STAGED = 4,
  COVEY_PHASE_SHADOWING = 5,
  COVEY_PHASE_PROBATION = 6,
  COVEY_PHASE_PROBATION_OK = 7,
  COVEY_PHASE_CONFIRMED = 8,
  COVEY_PHASE_DECLINED = 9,
  COVEY_PHASE_FAILED = 10,
  COVEY_PHASE_REVERTED = 11
} covey_phase_t;

/* Why the processor started. A port that cannot tell says UNKNOWN. */
typedef enum covey_start_cause {
  COVEY_START_UNKNOWN = 0,
  COVEY_START_POWER_ON = 1,
  COVEY_START_BROWN_OUT = 2,
  COVEY_START_SOFTWARE = 3, /* a reset that the firmware asked for */
  COVEY_START_SLEEP = 4,    /* out of a sleep that the firmware chose and that lost the memory */
  COVEY_START_WATCHDOG = 5,
  COVEY_START_FAULT = 6 /* the fault handler reset */
} covey_start_cause_t;

/* ---- Configuration; it and all it points to must outlive the agent. */

typedef struct covey_slot {
  uint32_t offset; /* in the port's flash; multiple of the erase unit and of 64 */
  uint32_t size_bytes;
} covey_slot_t;

typedef struct covey_model_config {
  const char* name;
  covey_slot_t slots[COVEY_SLOTS_MAX]; /* two at least, to update without a gap */
  uint32_t slot_count;
  const covey_runtime_t* runtime;
  uint8_t* arena; /* aligned to COVEY_ARENA_ALIGN */
  uint32_t arena_bytes;
  covey_telemetry_t* telemetry; /* NULL: this model is not counted */
  /* A second instance of the same runtime, with a context of its own, for shadow mode: a candidate
   * runs beside the active model on some inferences and never acts. Both share the arena: each gets
   * what it requires. NULL: orders for it are declined (UNSUPPORTED). */
  const covey_runtime_t* shadow_runtime;
} covey_model_config_t;

/* What must survive a reset but not a power cut: memory that the start-up code does not clear
 * (.noinit). It tells a crash inside the model from any other. */
typedef struct covey_retained {
  uint32_t inside;
  uint32_t check; /* ~inside */
} covey_retained_t;

/* 0 stands for the default. */
typedef struct covey_times {
  uint32_t report_interval_ms;   /* 60,000: how long a window stays open */
  uint32_t probation_inferences; /* 20 good ones end probation ... */
  uint32_t probation_ms;         /* ... or this uptime: 600,000 */
  uint32_t grant_ms;             /* 900,000: PROBATION_OK waits this long for the grant */
  uint32_t retry_min_ms;         /* 2,000: first repetition of what was not answered ... */
  uint32_t retry_max_ms;         /* ... doubling up to this: 300,000 */
  uint32_t progress_ms;          /* 5,000: least time between two reports of chunks_have */
  uint32_t keep_ms;              /* 3,600,000: least time between two writes of the outbox */
} covey_times_t;

typedef enum covey_event {
  COVEY_EVENT_CREDENTIALS = 1, /* enrolled: reconnect with covey_agent_credentials() */
  COVEY_EVENT_MODEL = 2,       /* another model is active now (or none) */
  COVEY_EVENT_STATE = 3        /* the phase of a model changed */
} covey_event_t;

typedef struct covey_agent_config {
  const char* device_id; /* [A-Za-z0-9][A-Za-z0-9._-]{0,62} */
  const char* device_class;
  const char* firmware;
  uint32_t runtime;          /* covey.device.v1.Runtime */
  uint64_t operator_set;     /* of the runtime; 0: not known */
  uint32_t algorithms;       /* bit covey_algorithm: what crypto.verify can do */
  uint32_t preprocessing_id; /* preprocessing code in this firmware; 0: none */

  /* With COVEY_CLAIM: the claim that lets it ask, which is also the user name on the enrolment
   * listener, and its proof where the claim gives each device one of its own
   * (COVEY_CLAIM_PROOF_BYTES). Both NULL: the site's token. */
  const char* claim;
  const uint8_t* claim_proof;
  const covey_public_key_t* keys; /* trust anchors */
  size_t key_count;
#if COVEY_ROOT
  /* A root document as `covey key root` writes it (covey.device.v1.SignedRoot): the newest there is
   * when the firmware is made. Then `keys` don't count. Empty: `keys` say who may sign. */
  covey_bytes_t root;
#endif
  const covey_model_config_t* models;
  size_t model_count;

  uint32_t journal_offset; /* two halves, each whole erase units of at least 512 bytes */
  uint32_t journal_bytes;

  /* Scratch for sending, used only inside a call: agents of one thread may share it. */
  uint8_t* send_buffer;
  size_t send_bytes; /* at least COVEY_SEND_BYTES_MIN */
  /* Collects a message that comes in pieces; may be shared when every message comes whole. */
  uint8_t* receive_buffer;
  size_t receive_bytes; /* at least COVEY_RECEIVE_BYTES_MIN; limits the size of chunks */

  const covey_port_t* port;
  covey_retained_t* retained; /* NULL: none */
  covey_times_t times;

  void* app; /* context of the callbacks; they must not call the agent */
  /* May be NULL. The model's index; 0 for CREDENTIALS. */
  void (*event)(void* app, covey_event_t event, size_t model);
  /* A veto, asked before a download: 0, or -COVEY reason of the policy group (BUSY, LOW_BATTERY),
   * and when to ask again. May be NULL. */
  int (*permit)(void* app, size_t model, uint32_t* retry_after_s);
} covey_agent_config_t;

/* The active model: pointers into flash. */
typedef struct covey_model_view {
  const uint8_t* model; /* NULL: none active */
  uint32_t model_size;
  const uint8_t* preprocessing; /* NULL: the image has none */
  uint32_t preprocessing_size;
  const uint8_t* manifest; /* digest of what is active, 32 bytes */
  covey_model_format_t format;
} covey_model_view_t;

#include "covey/agent_state.h" /* the definition of covey_agent_t */

/* ---- Life */

/* Whether the configuration can work: pointers, names, buffers, and slots and journal that fit the
 * flash and don't overlap. It is constant in a product, so ask on the bench (covey_port_selftest
 * does) rather than in the field: a firmware that doesn't call it doesn't hold it. Errors: CONFIG,
 * FLASH_GEOMETRY. */
int covey_config_check(const covey_agent_config_t* config);

/* Proves a port on the bench: covey_config_check, then crypto with known answers, random, store and
 * flash. Overwrites the last slot of the last model and the outbox; the store is put back. Some
 * seconds, on flash that is slow to erase. `what` (may be NULL) names the step that failed:
 * "config", "hash", "mac", "verify", "random", "store", "outbox", "flash". Errors: of that step. */
int covey_port_selftest(const covey_agent_config_t* config, const char** what);

/* Reads identity and journal. No network, no model loaded. Of the configuration only the bounds
 * that memory depends on are checked here. Errors: CONFIG, STORE, CRYPTO; NOT_ENROLLED where
 * enrolment was left out and the store holds no identity: nothing works then. A corrupt journal is
 * not an error: the device is then as good as new, but keeps its identity. */
int covey_agent_init(covey_agent_t* agent, const covey_agent_config_t* config);

/* Counts this start where it matters, then loads the model. Returns 0 also when no model runs: ask
 * covey_agent_model(). Errors: FLASH_*. Call once after init. */
int covey_agent_start(covey_agent_t* agent, covey_start_cause_t cause, uint64_t now_ms);

/* Before a deep sleep that keeps all memory (agent, arenas, telemetry) but may come back through
 * the reset vector: the connection counts as lost. Returns how long the agent can sleep, as poll
 * does. A model on probation goes on afterwards: neither sleep nor wake-up is a start. Nothing may
 * be recorded until covey_agent_resume. */
uint32_t covey_agent_suspend(covey_agent_t* agent, uint64_t now_ms);
/* After it; now_ms includes the sleep. Errors: NO_CONTEXT: this memory does not hold the agent that
 * covey_agent_suspend left, so begin with covey_agent_init and a start out of COVEY_START_SLEEP. */
int covey_agent_resume(covey_agent_t* agent, const covey_agent_config_t* config, uint64_t now_ms);

/* Does what is due. Returns the milliseconds until it wants to be called again (0: at once, there
 * is work left; UINT32_MAX: only after some other call). Calling more often does no harm. */
uint32_t covey_agent_poll(covey_agent_t* agent, uint64_t now_ms);

/* ---- Connection */

/* After CONNACK. The agent subscribes and says hello; poll it next. */
void covey_agent_connected(covey_agent_t* agent, uint64_t now_ms);
void covey_agent_disconnected(covey_agent_t* agent, uint64_t now_ms);

/* One piece of a message: pieces come in order, offset from 0, `total` the whole payload; a new
 * offset 0 starts anew. Messages of a topic that the agent does not know are ignored. Returns 0, or
 * why the message was refused (counted, otherwise without effect). Call poll next. */
int covey_agent_receive(covey_agent_t* agent, const char* topic, size_t topic_size,
                        const uint8_t* piece, size_t size, size_t offset, size_t total);

/* The last will of the next connection: QoS 1, not retained. Returns the payload's size, 0 while
 * there is no identity. Capacities at least COVEY_TOPIC_BYTES_MAX and COVEY_BYE_BYTES_MAX. */
size_t covey_agent_will(const covey_agent_t* agent, char* topic, size_t topic_capacity,
                        uint8_t* payload, size_t payload_capacity);

/* What enrolment gave. Errors: NOT_ENROLLED (connect to the enrolment listener), STORE. */
typedef struct covey_credentials {
  char username[COVEY_USERNAME_BYTES_MAX + 1];
  char password[COVEY_PASSWORD_BYTES_MAX + 1];
  char shard[COVEY_SHARD_BYTES + 1];
  uint32_t site_epoch;
} covey_credentials_t;
int covey_agent_credentials(const covey_agent_t* agent, covey_credentials_t* credentials);
bool covey_agent_enrolled(const covey_agent_t* agent);
#if COVEY_ENROLMENT
/* Back to the factory's state: the identity is gone, models and journal stay. Disconnect first. */
int covey_agent_forget_identity(covey_agent_t* agent);
#endif
#if COVEY_DEVICE_KEY
/* Enrols once more with nonce and key that it has: where the broker does not let it in any more
 * (its certificate has ended, or the site has another secret). Disconnect first, then connect to
 * the enrolment listener; a reset, or the grant, brings back what was. The gateway asks no operator
 * for it. */
void covey_agent_enroll_again(covey_agent_t* agent);
#endif
/* What enrolment would have written, for a production line: into the port's store, before any agent
 * uses it. The order key is the site's secret with this device. Errors: STORE. */
int covey_agent_provision(const covey_store_t* store, const covey_credentials_t* credentials,
                          const uint8_t order_key[COVEY_ORDER_KEY_BYTES]);

/* ---- Inference */

/* Runs the active model once. Errors: NO_MODEL, ARGUMENT, RUNTIME_*. Not from an ISR. Models are
 * exchanged only inside poll, receive and start, never during an inference. In shadow mode the
 * candidate runs before it on one in N inferences: that call takes as much longer, and uses the
 * send buffer. */
int covey_agent_invoke(covey_agent_t* agent, size_t model, const int8_t* input, size_t input_size,
                       int8_t* output, size_t output_size);

typedef struct covey_inference {
  const int16_t* features; /* in the order of the telemetry tables; COVEY_FEATURE_MISSING */
  uint32_t feature_count;  /* fewer than the tables have: the rest counts as missing */
  uint32_t class_index;
  uint8_t confidence; /* quantised output of the winning class + 128 */
  uint32_t latency_us;
  uint64_t uptime_ms; /* 0: the time of the last poll */
  uint32_t energy_uj; /* 0: not measured */
  bool failed;        /* no result: counts as an error and in nothing else */
} covey_inference_t;

/* The hot path: counts one inference of the active model; integers only, about log2(bins) steps per
 * feature. Returns its id, the number of the inference within this boot (1, 2, ...), or 0 if it was
 * not counted (failed, no model active, arguments out of range). An inference is known to the world
 * as (device, boot id, id): labels that come later refer to it.
 * From where: one context may call it, the agent's thread, an ISR or one other thread of the same
 * core, without a lock: whoever of recorder and poll interrupts the other, nothing is lost or
 * counted twice, and neither waits. Several contexts, or another core: only where the port has
 * lock/unlock. Between two polls there is room for 65,535 inferences at least; what is beyond, or
 * comes while poll exchanges models, is not counted (0). */
uint32_t covey_agent_record_inference(covey_agent_t* agent, size_t model,
                                      const covey_inference_t* inference);

#if COVEY_HEALTH
/* What firmware knows of itself, as often as it likes: the least free heap, the most of arena and
 * stack used (0: not known), and counts since the last call (drops: inferences that were skipped;
 * rejects: inputs that were refused before the runtime). Travels with the next window. What the
 * agent knows comes by itself: drops of record_inference, a start out of COVEY_START_WATCHDOG. */
void covey_agent_health(covey_agent_t* agent, size_t model, const covey_health_t* health);
#endif

/* Winning class and its confidence of an int8 output, the first of equal ones. */
static inline void covey_classify(const int8_t* output, size_t size, covey_inference_t* inference) {
  size_t best = 0;
  size_t i;
  for (i = 1; i < size; ++i) {
    if (output[i] > output[best]) best = i;
  }
  inference->class_index = (uint32_t)best;
  inference->confidence = size == 0 ? 0 : (uint8_t)(output[best] + 128);
}

/* ---- Questions; any time after init */

/* The active model; pointers lead into flash and hold until the next poll, receive or start.
 * Errors: ARGUMENT, NO_MODEL. */
int covey_agent_model(const covey_agent_t* agent, size_t model, covey_model_view_t* view);

typedef struct covey_model_status {
  covey_phase_t phase;
  int reason; /* negative error, 0: none */
  int fallback_reason;
  uint32_t attempt;
  uint32_t chunks_have;
  uint32_t chunks_total;
  const uint8_t* confirmed; /* manifest digests, 32 bytes; NULL: none */
  const uint8_t* active;
  const uint8_t* candidate;
  const uint8_t* fallback;
  uint32_t security_floor;
} covey_model_status_t;
int covey_agent_model_status(const covey_agent_t* agent, size_t model,
                             covey_model_status_t* status);

uint64_t covey_agent_boot_id(const covey_agent_t* agent);
/* Highest goal accepted. */
uint32_t covey_agent_site_epoch(const covey_agent_t* agent);
uint64_t covey_agent_goal_counter(const covey_agent_t* agent);
uint32_t covey_agent_journal_generation(const covey_agent_t* agent);
#if COVEY_ROOT
/* Of the root document that counts; 0: there is none. */
uint32_t covey_agent_root_version(const covey_agent_t* agent);
#endif
/* What was refused and why, since boot. */
const covey_counters_t* covey_agent_counters(const covey_agent_t* agent);
/* Nothing is on its way: every count, status and hello was acknowledged. For tests and for
 * firmware that wants to sleep. What is in the outbox counts, too. */
bool covey_agent_quiet(const covey_agent_t* agent);
/* Inferences of this boot, in the active window and the backlog, that no acknowledgement covers
 * yet. */
uint64_t covey_agent_unacknowledged(const covey_agent_t* agent, size_t model);
/* Closes the open window of every model now, and puts all that is not acknowledged into the port's
 * outbox, if it has one: call it before a planned reset and when the battery goes low. */
void covey_agent_flush(covey_agent_t* agent, uint64_t now_ms);

#ifdef __cplusplus
}
#endif

#endif
