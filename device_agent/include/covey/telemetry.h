/* Memory for the telemetry of one model, the caller's; fields are private.
 *
 * A *stream* is (boot id, manifest). Its life on the device:
 *     record -> open window (16-bit counts) -> backlog cell of the stream (32-bit) -> frozen window
 * A frozen window has a number and is sent again, byte for byte the same, until the gateway
 * acknowledges it; what was never sent merges in its cell, for as long as it takes. So an outage
 * costs time resolution, never a count. */
#ifndef COVEY_TELEMETRY_H
#define COVEY_TELEMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "covey/limits.h"

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
#define COVEY_CONFIDENCE_BINS 16
#define COVEY_FEATURE_ROOM (COVEY_FEATURES_MAX > 0 ? COVEY_FEATURES_MAX : 1)
#define COVEY_SAMPLE_ROOM (COVEY_SAMPLES_MAX > 0 ? COVEY_SAMPLES_MAX : 1)

typedef struct covey_sample {
  uint64_t uptime_ms;
  uint32_t inference;
  uint32_t probability; /* of 65,536, of being a hit */
  uint8_t class_index;
  uint8_t confidence;
} covey_sample_t;

/* A uniform choice of all hits of the Poisson sampling: each was kept with count / hits. */
typedef struct covey_samples {
  covey_sample_t at[COVEY_SAMPLE_ROOM];
  uint32_t count;
  uint32_t hits;
} covey_samples_t;

/* All counts of a window are in one array, so that merging is one loop: by class, by confidence of
 * the winning class, by latency, then per feature its bins and these three. */
enum {
  COVEY_COUNTS_CLASSES = 0,
  COVEY_COUNTS_CONFIDENCE = COVEY_COUNTS_CLASSES + COVEY_CLASSES_MAX,
  COVEY_COUNTS_LATENCY = COVEY_COUNTS_CONFIDENCE + COVEY_CONFIDENCE_BINS,
  COVEY_COUNTS_FEATURES = COVEY_COUNTS_LATENCY + COVEY_LATENCY_BUCKETS,
  COVEY_COUNT_MISSING = COVEY_BINS_MAX,
  COVEY_COUNT_BELOW, /* of training_min */
  COVEY_COUNT_ABOVE, /* of training_max */
  COVEY_FEATURE_COUNTS,
  /* shadow: agreement[candidate's class][acting class], difference of confidences */
  COVEY_COUNTS_AGREEMENT = COVEY_COUNTS_FEATURES + COVEY_FEATURE_ROOM * COVEY_FEATURE_COUNTS,
  COVEY_COUNTS_DIFFERENCE =
      COVEY_COUNTS_AGREEMENT + COVEY_SHADOW_CLASSES_MAX * COVEY_SHADOW_CLASSES_MAX,
  COVEY_COUNTS_SHADOW_ERRORS = COVEY_COUNTS_DIFFERENCE + COVEY_CONFIDENCE_BINS,
  COVEY_COUNTS
};

/* Of one feature's values that are not missing; exact. */
typedef struct covey_moments {
  uint64_t sum_squares;
  int64_t sum;
  int16_t min; /* above max: there was none */
  int16_t max;
} covey_moments_t;

/* What is not a count: the same in the open window and in what it merges into. */
typedef struct covey_tally {
  uint64_t t0_ms;
  uint64_t t1_ms;
  uint64_t latency_sum_us;
  uint32_t latency_max_us;
  uint32_t merged; /* regular windows in it; a cell with 0 is empty */
  uint32_t inferences;
  uint32_t errors;
  uint32_t first_inference;
  uint8_t shadow[COVEY_PREFIX_BYTES]; /* candidate of the shadow counts; zeros: none */
  covey_moments_t moments[COVEY_FEATURE_ROOM];
  covey_samples_t samples;
} covey_tally_t;

/* Counts 65,535 inferences at most: then it closes by itself. */
typedef struct covey_open_window {
  covey_tally_t tally;
  uint16_t counts[COVEY_COUNTS];
} covey_open_window_t;

/* A cell of the backlog, and a frozen window. */
typedef struct covey_window {
  covey_tally_t tally;
  uint32_t counts[COVEY_COUNTS];
  uint8_t stream; /* index */
  uint8_t class_count;
  uint8_t feature_count;
  uint8_t bin_counts[COVEY_FEATURE_ROOM];
} covey_window_t;

typedef struct covey_frozen_window {
  uint64_t inferences_total;
  uint32_t sequence; /* 0: free */
  uint32_t base_sequence;
  covey_timer_t resend;
  covey_window_t window;
} covey_frozen_window_t;

typedef struct covey_stream {
  uint8_t manifest[COVEY_PREFIX_BYTES];
  uint64_t inferences_total; /* closed ones */
  uint32_t sequence;         /* of the last frozen window */
  bool used;
} covey_stream_t;

/* The telemetry tables of the active model. */
typedef struct covey_tables {
  int16_t edges[COVEY_FEATURE_ROOM][COVEY_BINS_MAX - 1];
  int32_t training_min[COVEY_FEATURE_ROOM];
  int32_t training_max[COVEY_FEATURE_ROOM];
  uint32_t sample_probability[COVEY_CONFIDENCE_BINS];
  uint8_t edge_counts[COVEY_FEATURE_ROOM];
  uint8_t feature_count;
  uint8_t class_count;
} covey_tables_t;

#define COVEY_NO_STREAM 0xff

typedef struct covey_telemetry {
  covey_tables_t tables;
  covey_open_window_t open;
  covey_window_t cells[COVEY_BACKLOG_CELLS];
  covey_frozen_window_t frozen[COVEY_WINDOWS_IN_FLIGHT];
  covey_stream_t streams[COVEY_STREAMS_MAX];
  uint8_t stream; /* of the open window; COVEY_NO_STREAM: nothing is counted */
} covey_telemetry_t;

#ifdef __cplusplus
}
#endif

#endif
