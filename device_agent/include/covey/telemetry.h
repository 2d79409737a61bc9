/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for the telemetry of one model, the caller's; fields are private.
 *
 * A *stream* is (boot id, manifest). Its life on the device:
 *     record -> open window (16-bit counts) -> backlog cell of the stream (32-bit) -> frozen window
 * A frozen window has a number and is sent again, byte for byte the same, until the gateway
 * acknowledges it; what was never sent merges in its cell, for as long as it takes. So an outage
 * costs time resolution, never a count. Where the port has an outbox, windows that wait are kept
 * there too, and sent after a reboot.
 *
 * There are two open windows, so that counting needs no lock on one core. One context records (an
 * ISR, or one thread), another one polls, and either may interrupt the other anywhere:
 *   - The recorder makes `recording` odd, reads `counting` and `state`, counts in the window that
 *     `state` names, and makes `recording` even again. It alone writes `recording` and the counts.
 *   - Poll closes a window by one write of `state`, which names the other window, empty until then.
 *     What was closed is read only after the recorder has left it: `recording` is even, or another
 *     number than it was right after that write. Else it stays as it is until the next poll.
 *   - Whoever finds the open window full may make that write too. Both write the same: a window is
 *     only closed while the other one is SPARE, and only poll, after emptying one, says SPARE.
 *   - Everything around the windows (stream, tables) changes only while `counting` is false and
 *     nobody is inside. */
#ifndef COVEY_TELEMETRY_H
#define COVEY_TELEMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "covey/sizes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A countdown. Time that passes is taken off until nothing is left: then it is due, and stays so
 * however long nobody looks. */
typedef struct covey_timer {
  uint32_t left_ms;
  uint8_t tries; /* repetitions so far, for the back-off */
} covey_timer_t;

#define COVEY_FEATURE_MISSING INT16_MIN
#define COVEY_CONFIDENCE_BINS COVEY_REPORT_CONFIDENCE_BINS
#define COVEY_FEATURE_ROOM (COVEY_FEATURES_MAX > 0 ? COVEY_FEATURES_MAX : 1)
#define COVEY_SAMPLE_ROOM (COVEY_SAMPLES_MAX > 0 ? COVEY_SAMPLES_MAX : 1)

typedef struct covey_sample {
  uint64_t uptime_ms;
  uint32_t inference;
  uint32_t probability; /* of 65,536, of being a hit */
  uint32_t lot;         /* drawn for each hit: the least ones are kept */
  uint8_t class_index;
  uint8_t confidence;
} covey_sample_t;

/* A uniform choice of all hits of the Poisson sampling: those with the least lots, so that merging
 * is choosing again. Each hit was kept with count / hits. */
typedef struct covey_samples {
  uint32_t count;
  uint32_t hits;
  covey_sample_t at[COVEY_SAMPLE_ROOM];
} covey_samples_t;

/* All counts of a window are in one array, so that merging is one loop: by class, by confidence of
 * the winning class, by latency, by energy, by leaf, then per feature its bins and these three. */
enum {
  COVEY_COUNTS_CLASSES = 0,
  COVEY_COUNTS_CONFIDENCE = COVEY_COUNTS_CLASSES + COVEY_CLASSES_MAX,
  COVEY_COUNTS_LATENCY = COVEY_COUNTS_CONFIDENCE + COVEY_CONFIDENCE_BINS,
  COVEY_COUNTS_ENERGY = COVEY_COUNTS_LATENCY + COVEY_LATENCY_BUCKETS,
  COVEY_COUNTS_JOINT = COVEY_COUNTS_ENERGY + COVEY_ENERGY_BUCKETS,
  COVEY_COUNTS_FEATURES = COVEY_COUNTS_JOINT + COVEY_JOINT_LEAVES_MAX,
  COVEY_COUNT_MISSING = COVEY_BINS_MAX,
  COVEY_COUNT_BELOW, /* of training_min */
  COVEY_COUNT_ABOVE, /* of training_max */
  COVEY_FEATURE_COUNTS,
  COVEY_COUNTS_OPEN = COVEY_COUNTS_FEATURES + COVEY_FEATURE_ROOM * COVEY_FEATURE_COUNTS,
#if COVEY_SHADOW
  /* shadow, which the agent's thread counts: agreement[candidate's class][acting class], difference
   * of confidences, errors */
  COVEY_COUNTS_AGREEMENT = COVEY_COUNTS_OPEN,
  COVEY_COUNTS_DIFFERENCE =
      COVEY_COUNTS_AGREEMENT + COVEY_SHADOW_CLASSES_MAX * COVEY_SHADOW_CLASSES_MAX,
  COVEY_COUNTS_SHADOW_ERRORS = COVEY_COUNTS_DIFFERENCE + COVEY_CONFIDENCE_BINS,
  COVEY_COUNTS
#else
  COVEY_COUNTS = COVEY_COUNTS_OPEN
#endif
};

/* So are sums, exact. Those of features are of values that are not missing. */
enum {
  COVEY_SUM_LATENCY = 0,
  COVEY_SUM_ENERGY,
  /* per feature: values (two's complement), and squares */
  COVEY_SUM_FEATURES = COVEY_SUM_ENERGY + (COVEY_ENERGY_BUCKETS > 0 ? 1 : 0),
  COVEY_SUMS = COVEY_SUM_FEATURES + 2 * COVEY_FEATURE_ROOM
};

/* What is not a count: the same in the open window and in what it merges into. All zeros: empty. */
typedef struct covey_tally {
  uint32_t inferences;
  uint32_t errors;
  uint32_t first_inference;
  uint32_t latency_max_us;
  uint64_t sums[COVEY_SUMS];
  /* Per feature, as distances from the other end of 16 bits, so that 0 is none: INT16_MAX - the
   * least value, the greatest value - INT16_MIN. */
  uint16_t extremes[2 * COVEY_FEATURE_ROOM];
  covey_samples_t samples;
} covey_tally_t;

/* Counts 65,535 inferences at most; then it is full. */
typedef struct covey_open_window {
  covey_tally_t tally;
  uint16_t counts[COVEY_COUNTS_OPEN];
} covey_open_window_t;

/* covey.device.v1.Health. Sizes are extremes, 0: not told; the rest are counts. */
typedef struct covey_health {
  uint32_t heap_free_min_bytes;
  uint32_t arena_used_max_bytes;
  uint32_t stack_used_max_bytes;
  uint32_t drops;           /* inferences that were not made, or not counted */
  uint32_t rejects;         /* inputs refused before the runtime */
  uint32_t watchdog_resets; /* the agent counts these two by itself */
  uint32_t saturated;
} covey_health_t;

/* Small members first: they are reached by the shortest instructions.
 * Empty (merged is 0), a cell of the backlog (sequence is 0), or a frozen window. */
typedef struct covey_window {
  uint64_t t0_ms;
  uint64_t t1_ms;
  uint64_t inferences_total;
  uint32_t merged; /* regular windows in it */
  uint32_t sequence;
  uint32_t base_sequence;
  covey_timer_t resend;
#if COVEY_HEALTH
  covey_health_t health;
#endif
  uint8_t stream; /* index */
  uint8_t class_count;
  uint8_t feature_count;
  uint8_t leaf_count;
#if COVEY_OUTBOX
  uint8_t place; /* in the outbox, from 1; 0: none */
  bool kept;     /* what is there is what the window is now */
#endif
  uint8_t bin_counts[COVEY_FEATURE_ROOM];
#if COVEY_SHADOW
  uint8_t shadow[COVEY_PREFIX_BYTES]; /* candidate of the shadow counts */
#endif
  covey_tally_t tally;
  uint32_t counts[COVEY_COUNTS];
} covey_window_t;

typedef struct covey_stream {
  uint8_t manifest[COVEY_PREFIX_BYTES]; /* zeros: free */
  uint64_t inferences_total;            /* closed ones */
  uint32_t sequence;                    /* of the last frozen window */
} covey_stream_t;

/* A node of the QuantTree. */
typedef struct covey_node {
  int16_t threshold;
  uint8_t feature;
  bool above;
} covey_node_t;

typedef struct covey_feature_table {
  int16_t training_min;
  int16_t training_max;
  int16_t edges[COVEY_BINS_MAX]; /* the rest is INT16_MAX, at least one is: see record.c */
} covey_feature_table_t;

/* The telemetry tables of the active model. */
typedef struct covey_tables {
  uint8_t feature_count;
  uint8_t class_count;
#if COVEY_JOINT_LEAVES_MAX > 0
  uint8_t node_count;
#endif
  uint8_t edge_counts[COVEY_FEATURE_ROOM];
#if COVEY_JOINT_LEAVES_MAX > 0
  covey_node_t nodes[COVEY_JOINT_LEAVES_MAX - 1];
#endif
  uint32_t sample_probability[COVEY_CONFIDENCE_BINS];
  covey_feature_table_t features[COVEY_FEATURE_ROOM];
} covey_tables_t;

#if COVEY_SHADOW
/* What the shadow's invocations gave since the last window closed; the agent's thread only. */
typedef struct covey_shadow_counts {
  uint8_t candidate[COVEY_PREFIX_BYTES];
  uint16_t counts[COVEY_COUNTS - COVEY_COUNTS_OPEN];
} covey_shadow_counts_t;
#endif

#define COVEY_NO_STREAM 0xff
#define COVEY_WINDOWS (COVEY_BACKLOG_CELLS + COVEY_WINDOWS_IN_FLIGHT)

typedef struct covey_telemetry {
  /* the recorder's; and `open` */
  volatile uint32_t recording; /* odd while it is inside */
  uint32_t random;             /* of the sampling; not for secrets */
  volatile uint32_t drops;     /* inferences that were not counted */
  /* both sides' */
  volatile uint8_t state;    /* index of the open window, and COVEY_SPARE */
  volatile uint8_t counting; /* false: no model acts, or models are being exchanged */
  /* the agent's thread's */
  uint8_t stream;    /* of the open windows */
  uint8_t in_flight; /* frozen windows */
  bool exchange;     /* of models: not done yet */
  uint32_t inside;   /* `recording` right after a window was closed */
  uint64_t opened_ms;
#if COVEY_HEALTH
  covey_health_t health; /* since the last window closed */
  uint32_t drops_told;   /* of `drops` */
#endif
#if COVEY_SHADOW
  covey_shadow_counts_t shadow;
#endif
  covey_tables_t tables;
  covey_open_window_t open[2];
  covey_stream_t streams[COVEY_STREAMS_MAX];
  covey_window_t windows[COVEY_WINDOWS];
} covey_telemetry_t;

#define COVEY_SPARE 2U /* the other window is empty */

#ifdef __cplusplus
}
#endif

#endif
