/* SPDX-License-Identifier: Apache-2.0 */
/* A frozen window as a Report: the same bytes every time. */
#include "parts.h"

#define FROZEN(number, kind, member) COVEY_WRITTEN(number, kind, covey_window_t, member)
static const covey_member_t frozen_members[] = {
    FROZEN(3, COVEY_WRITTEN_U32, sequence),
    FROZEN(4, COVEY_WRITTEN_U32, base_sequence),
    FROZEN(5, COVEY_WRITTEN_U64, t0_ms),
    FROZEN(6, COVEY_WRITTEN_U64, t1_ms),
    FROZEN(7, COVEY_WRITTEN_U32, merged),
    FROZEN(8, COVEY_WRITTEN_U32, tally.inferences),
    FROZEN(9, COVEY_WRITTEN_U64, inferences_total),
    FROZEN(13, COVEY_WRITTEN_U32, tally.latency_max_us),
    FROZEN(14, COVEY_WRITTEN_U64, tally.sums[COVEY_SUM_LATENCY]),
    FROZEN(18, COVEY_WRITTEN_U32, tally.errors),
    FROZEN(20, COVEY_WRITTEN_U32, tally.first_inference),
    COVEY_WRITTEN_END};

#if COVEY_FEATURES_MAX > 0
static void write_feature(covey_writer_t* w, const covey_window_t* window, unsigned index) {
  const uint64_t* sums = &window->tally.sums[COVEY_SUM_FEATURES + 2 * index];
  const uint16_t* extremes = &window->tally.extremes[2 * index];
  const uint32_t* counts = &window->counts[COVEY_COUNTS_FEATURES + index * COVEY_FEATURE_COUNTS];
  const size_t begun = covey_write_begin(w, 16);
  covey_write_packed(w, 1, counts, window->bin_counts[index]);
  covey_write_uint(w, 2, counts[COVEY_COUNT_MISSING]);
  covey_write_uint(w, 3, counts[COVEY_COUNT_BELOW]);
  covey_write_uint(w, 4, counts[COVEY_COUNT_ABOVE]);
  if (extremes[1] != 0) { /* else every value was missing */
    covey_write_sint(w, 5, INT16_MAX - extremes[0]);
    covey_write_sint(w, 6, extremes[1] + INT16_MIN);
  }
  covey_write_sint(w, 7, (int64_t)sums[0]);
  covey_write_uint64(w, 8, sums[1]);
  covey_write_end(w, begun);
}
#endif

#if COVEY_SHADOW
static void write_shadow(covey_writer_t* w, const covey_window_t* window) {
  const uint32_t* difference = &window->counts[COVEY_COUNTS_DIFFERENCE];
  uint32_t inferences = 0;
  size_t begun;
  unsigned i;
  for (i = 0; i < COVEY_CONFIDENCE_BINS; ++i) inferences += difference[i];
  if (inferences + window->counts[COVEY_COUNTS_SHADOW_ERRORS] == 0) return;
  begun = covey_write_begin(w, 21);
  covey_write_bytes(w, 1, window->shadow, COVEY_PREFIX_BYTES);
  covey_write_uint(w, 2, inferences);
  covey_write_uint(w, 3, window->counts[COVEY_COUNTS_SHADOW_ERRORS]);
  covey_write_uint(w, 4, COVEY_SHADOW_CLASSES_MAX);
  covey_write_packed(w, 5, &window->counts[COVEY_COUNTS_AGREEMENT],
                     COVEY_COUNTS_DIFFERENCE - COVEY_COUNTS_AGREEMENT);
  covey_write_packed(w, 6, difference, COVEY_CONFIDENCE_BINS);
  covey_write_end(w, begun);
}
#endif

#if COVEY_SAMPLES_MAX > 0
/* The chance to be a hit, and then to be kept; 1 of 65,536 is the least that can be said. */
static uint32_t inclusion(const covey_samples_t* samples, const covey_sample_t* s) {
  const uint32_t hits = samples->hits;
  const uint32_t p = (s->probability * samples->count + hits / 2) / hits; /* 2^20 + 2^31 at most */
  return p == 0 ? 1 : p;
}

static void write_sample(covey_writer_t* w, const covey_samples_t* samples,
                         const covey_sample_t* s) {
  const size_t begun = covey_write_begin(w, 17);
  covey_write_uint(w, 1, s->inference);
  covey_write_uint(w, 2, s->class_index);
  covey_write_uint(w, 3, s->confidence);
  covey_write_uint(w, 4, inclusion(samples, s));
  covey_write_uint64(w, 5, s->uptime_ms);
  covey_write_end(w, begun);
}
#endif

/* Without the zeros at its end. */
static void write_cut(covey_writer_t* w, uint32_t field, const uint32_t* counts, unsigned count) {
  while (count > 0 && counts[count - 1] == 0) --count;
  covey_write_packed(w, field, counts, count);
}

#if COVEY_ENERGY_BUCKETS > 0
static void write_energy(covey_writer_t* w, const covey_window_t* window) {
  size_t begun;
  if (window->tally.sums[COVEY_SUM_ENERGY] == 0) return;
  begun = covey_write_begin(w, 23);
  write_cut(w, 1, &window->counts[COVEY_COUNTS_ENERGY], COVEY_ENERGY_BUCKETS);
  covey_write_uint64(w, 2, window->tally.sums[COVEY_SUM_ENERGY]);
  covey_write_end(w, begun);
}
#endif

#if COVEY_HEALTH
#define HEALTH(number, member) COVEY_WRITTEN(number, COVEY_WRITTEN_U32, covey_health_t, member)
static const covey_member_t health_members[] = {HEALTH(1, heap_free_min_bytes),
                                                HEALTH(2, arena_used_max_bytes),
                                                HEALTH(3, stack_used_max_bytes),
                                                HEALTH(4, drops),
                                                HEALTH(5, rejects),
                                                HEALTH(6, watchdog_resets),
                                                HEALTH(7, saturated),
                                                COVEY_WRITTEN_END};

static void write_health(covey_writer_t* w, const covey_window_t* window) {
  const size_t before = w->size;
  const size_t begun = covey_write_begin(w, 24);
  covey_write_members(w, health_members, &window->health);
  covey_write_end(w, begun);
  if (w->size == begun) w->size = before; /* nothing to say */
}
#endif

void covey_report_encode(covey_writer_t* w, uint64_t boot_id, const covey_telemetry_t* t,
                         const covey_window_t* window) {
#if COVEY_SAMPLES_MAX > 0
  const covey_samples_t* samples = &window->tally.samples;
#endif
#if COVEY_FEATURES_MAX > 0 || COVEY_SAMPLES_MAX > 0
  unsigned i;
#endif
  covey_write_fixed64(w, 1, boot_id);
  covey_write_bytes(w, 2, t->streams[window->stream].manifest, COVEY_PREFIX_BYTES);
  covey_write_members(w, frozen_members, window);
  covey_write_packed(w, 10, &window->counts[COVEY_COUNTS_CLASSES], window->class_count);
  covey_write_packed(w, 11, &window->counts[COVEY_COUNTS_CONFIDENCE], COVEY_CONFIDENCE_BINS);
  write_cut(w, 12, &window->counts[COVEY_COUNTS_LATENCY], COVEY_LATENCY_BUCKETS);
#if COVEY_FEATURES_MAX > 0
  for (i = 0; i < window->feature_count; ++i) write_feature(w, window, i);
#endif
#if COVEY_SHADOW
  write_shadow(w, window);
#endif
#if COVEY_SAMPLES_MAX > 0
  for (i = 0; i < samples->count; ++i) write_sample(w, samples, &samples->at[i]);
  covey_write_uint(w, 19, samples->hits - samples->count);
#endif
#if COVEY_JOINT_LEAVES_MAX > 0
  covey_write_packed(w, 22, &window->counts[COVEY_COUNTS_JOINT], window->leaf_count);
#endif
#if COVEY_ENERGY_BUCKETS > 0
  write_energy(w, window);
#endif
#if COVEY_HEALTH
  write_health(w, window);
#endif
}
