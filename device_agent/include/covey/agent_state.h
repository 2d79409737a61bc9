/* SPDX-License-Identifier: Apache-2.0 */
/* The definition of covey_agent_t, so that its size is known at compile time. Private: only
 * device_agent/src looks inside. Included by covey/agent.h. */
#ifndef COVEY_AGENT_STATE_H
#define COVEY_AGENT_STATE_H

typedef struct covey_counters {
  uint32_t malformed;      /* topics or messages that no gateway sends */
  uint32_t too_large;      /* messages above the limit of their kind */
  uint32_t mac_invalid;    /* goals and acks that were not made for this device */
  uint32_t goals_stale;    /* counter not above the stored one, with another content */
  uint32_t epoch_lower;    /* goals of an older site epoch */
  uint32_t nonce_mismatch; /* goals of an earlier boot */
  uint32_t goals_accepted;
  uint32_t chunks_bad;     /* digest or size not the table's */
  uint32_t chunks_fetched; /* received and written */
  uint32_t chunks_copied;  /* taken from the active slot */
  uint32_t journal_errors;
  uint32_t outbox_errors; /* records that could not be written or removed */
  uint32_t tables_bad;    /* telemetry tables that rotted in flash: counted without features */
  uint32_t bugs;          /* states that cannot be; see src/core/core.h */
#if COVEY_ROOT
  uint32_t roots_refused; /* root documents that were not signed as they must be */
#endif
} covey_counters_t;

#define COVEY_NEVER UINT32_MAX

enum covey_timer_name {
  COVEY_TIMER_ENROLL = 0,
  COVEY_TIMER_HELLO,
  COVEY_TIMER_STATUS,
  COVEY_TIMER_JOB,      /* the answer is late, or the next try may begin */
  COVEY_TIMER_JOURNAL,  /* after a flash error: no step of a model before */
  COVEY_TIMER_PROGRESS, /* not before: next report of chunks_have */
  COVEY_TIMER_SILENT,   /* a sign of life is due */
  COVEY_TIMER_REPORT,   /* not before: back-off that the gateway asked for */
  COVEY_TIMER_WINDOW,   /* the open windows close */
#if COVEY_OUTBOX
  COVEY_TIMER_OUTBOX, /* repetition of what an earlier boot left */
  COVEY_TIMER_KEEP,   /* not before: what waits is kept in the outbox */
#endif
  COVEY_TIMERS
};

/* A piece of work: the same candidate in another attempt is another one. No padding: it is hashed
 * as bytes. */
typedef struct covey_work {
  uint32_t attempt;
  uint8_t candidate[COVEY_DIGEST_BYTES];
} covey_work_t;
COVEY_STATIC_ASSERT(sizeof(covey_work_t) == sizeof(uint32_t) + COVEY_DIGEST_BYTES);

/* What a goal said about a model: journaled, resumed after a reboot. */
typedef struct covey_model_goal {
  uint32_t mode; /* covey.device.v1.GoalMode; 0: no candidate (any more) */
  covey_work_t work;
  uint32_t security_floor;
  uint32_t lease_s;
  bool may_confirm;
  uint16_t shadow_one_in;
} covey_model_goal_t;

/* What became of it: journaled. Slots by index, COVEY_NO_SLOT: none. */
typedef struct covey_model_record {
  uint8_t phase; /* covey_phase_t */
  uint8_t candidate;
  uint8_t starts; /* of the candidate, not known to have been good ones */
  bool selftest_passed;
  uint8_t confirmed;
  uint8_t fallback;
  uint8_t faults; /* abnormal starts inside the confirmed model */
  uint16_t reason;
  uint16_t fallback_reason;
  int32_t port_code;
  uint8_t rejected[COVEY_PREFIX_BYTES]; /* the candidate that failed last, and its attempt */
  uint32_t rejected_attempt;
  uint32_t about; /* in the journal: which goal, see journal.c */
} covey_model_record_t;

#define COVEY_NO_SLOT 0xff

/* Bytes first, then what is used most: they are reached by the shortest instructions. */
typedef struct covey_model {
  const covey_model_config_t* config;
  struct covey_agent* agent;
  uint8_t index;
  uint8_t slots_present; /* bit: the slot's header and manifest are whole */
  uint8_t active;        /* slot whose model acts */
  uint8_t loaded;        /* slot that the runtime holds: also during the self-test */
  uint8_t shadow;        /* slot that the shadow's runtime holds */
  bool counted;          /* in this boot: the start of the candidate */
  uint8_t invoke_errors; /* in a row */
  covey_model_record_t record;
  covey_model_goal_t goal;
  uint32_t selftest_next;   /* vector */
  int invoke_error;         /* the last one */
  int shadow_error;         /* 0: no invocation of the shadow failed */
  uint32_t arena_used;      /* by the active model; the rest is the shadow's */
  uint32_t good_inferences; /* in this boot; the recorder's */
  uint32_t good_before;     /* of them, before the active model became so */
  covey_timer_t lease;      /* COVEY_NEVER: no lease, so no work may start */
  covey_timer_t phase;      /* end of probation, or of waiting for the grant */
  uint32_t chunks_have;
  uint32_t chunks_total;
  uint32_t retry_after_s;
  uint32_t preprocessing_id; /* of the loaded model, and the digest of its parameters */
  const uint8_t* preprocessing_digest;
  covey_model_record_t saved; /* the record before the transition that is being journaled */
  covey_model_view_t view;    /* of the loaded model */
  uint8_t slot_digest[COVEY_SLOTS_MAX][COVEY_DIGEST_BYTES];
} covey_model_t;

/* The one transfer or verification that goes on. */
typedef struct covey_job {
  covey_model_t* model;
  uint8_t state;
  uint8_t slot;
  bool asked;        /* waiting for an answer */
  bool heard;        /* of the answer, something came */
  int16_t why;       /* the error, should tries run out */
  uint16_t bad;      /* chunks that were not the table's */
  uint32_t cursor;   /* erase, scan, copy, verify: how far */
  uint32_t missing;  /* scan: the first missing chunks, COVEY_FETCH_WINDOW at most */
  uint32_t suspect;  /* scan: the last of them */
  uint32_t received; /* bytes of a streamed table that are in flash or in row */
  uint32_t fetch_first;
  uint32_t fetch_bitmap; /* what the last fetch asked for and has not come */
  uint32_t bytes_left;   /* of the attempt's budget */
} covey_job_t;

typedef struct covey_journal {
  uint32_t half;       /* offset in flash of the half that is the journal */
  uint32_t next;       /* of the next record */
  uint32_t generation; /* of the last one */
  bool ready;
  bool clean; /* the next position was never touched */
} covey_journal_t;

typedef struct covey_inbox {
  uint8_t kind; /* of the message that is coming in; 0: ignore the rest */
  uint32_t filled;
  uint32_t total;
} covey_inbox_t;

/* Small members that are often used first: they are reached by the shortest instructions. */
typedef struct covey_agent {
  const covey_agent_config_t* config;
  covey_model_t* models_end; /* behind the last one that is used */
  uint32_t wake_ms;          /* poll wants to be called again after that */
  bool enrolled;
  bool connected;
  bool site_seen;
  bool hello_due;  /* not answered yet */
  bool hello_sent; /* in this connection */
  bool status_dirty;
  bool progress_dirty;
  uint8_t subscribed; /* how many of the fixed topics */
  uint8_t in_flight;  /* frozen windows of all models */
  uint8_t patience;   /* the gateway takes longer: doublings of the first wait */
#if COVEY_OUTBOX
  uint8_t outbox_earlier; /* bit: the place holds what an earlier boot left */
  uint8_t outbox_taken;   /* bit: it is a window's of this boot */
#endif
#if COVEY_ROOT
  uint8_t root_rows; /* of the root document in the journal; 0: the firmware's counts */
#endif
  covey_job_t job;
  covey_counters_t counters;
  uint32_t status_number;
  uint32_t status_acked;
  covey_timer_t timers[COVEY_TIMERS];
  covey_inbox_t inbox;
  covey_journal_t journal;
  uint32_t suspended; /* seal of a context that went to sleep; 0: it is awake */

  uint64_t now_ms;
  uint64_t boot_id;
  uint64_t nonce;
  uint64_t enroll_nonce;
  uint64_t gateway_start_id;
#if COVEY_DEVICE_KEY
  uint64_t certificate; /* of its serial number; 0: there is none */
#endif
#if COVEY_ROOT
  uint32_t root_version; /* 0: there is none, the firmware's keys count */
#endif
  uint32_t connection;
  uint32_t inference;  /* last id; the recorder's */
  uint32_t renewed_at; /* ids up to this one were given under an earlier boot id */
  uint32_t random;     /* for jitter and chance; not for secrets */
  int32_t flash_error; /* the port's own code of the last flash error */
  char shard[COVEY_SHARD_BYTES + 1];
  uint8_t order_key[COVEY_ORDER_KEY_BYTES];
  uint8_t credit; /* reports that may be in flight */
#if COVEY_SETTINGS
  uint32_t interval_ms;  /* between reports, as the firmware says */
  uint32_t sample_scale; /* of 65,536; 0: as released */
#endif
  covey_times_t times;

  uint64_t goal_counter;
  uint32_t site_epoch;
  covey_model_t models[COVEY_MODELS_MAX];

  union {
    covey_hash_t hash; /* of the image that is being verified */
    uint8_t row[64];   /* of a streamed table, being filled */
  } job_work;
  uint8_t job_have[(COVEY_CHUNKS_MAX + 7) / 8]; /* bit: the chunk is in flash */
} covey_agent_t;

#endif
