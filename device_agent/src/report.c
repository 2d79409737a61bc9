/* A frozen window as a Report: the same bytes every time. */
#include "internal.h"

static void write_feature(covey_writer_t* w, const covey_feature_t* f, unsigned bins) {
  const size_t begun = covey_write_begin(w, 16);
  covey_write_packed(w, 1, f->bins, bins);
  covey_write_uint(w, 2, f->missing);
  covey_write_uint(w, 3, f->below);
  covey_write_uint(w, 4, f->above);
  if (f->min <= f->max) { /* else every value was missing */
    covey_write_sint(w, 5, f->min);
    covey_write_sint(w, 6, f->max);
  }
  covey_write_sint(w, 7, f->sum);
  covey_write_uint(w, 8, f->sum_squares);
  covey_write_end(w, begun);
}

/* The chance to be a hit, and then to be kept; 1 of 65,536 is the least that can be said. */
static uint32_t inclusion(const covey_samples_t* samples, const covey_sample_t* s) {
  const uint64_t hits = samples->hits;
  const uint64_t p = ((uint64_t)s->probability * samples->count + hits / 2) / hits;
  return p == 0 ? 1 : (uint32_t)p;
}

static void write_sample(covey_writer_t* w, const covey_samples_t* samples,
                         const covey_sample_t* s) {
  const size_t begun = covey_write_begin(w, 17);
  covey_write_uint(w, 1, s->inference);
  covey_write_uint(w, 2, s->class_index);
  covey_write_uint(w, 3, s->confidence);
  covey_write_uint(w, 4, inclusion(samples, s));
  covey_write_uint(w, 5, s->uptime_ms);
  covey_write_end(w, begun);
}

void covey_encode_report(covey_writer_t* w, uint64_t boot_id, const covey_telemetry_t* t,
                         const covey_frozen_window_t* frozen) {
  const covey_window_t* window = &frozen->window;
  unsigned latency = COVEY_LATENCY_BUCKETS;
  unsigned i;
  while (latency > 0 && window->latency[latency - 1] == 0) --latency;
  covey_write_fixed64(w, 1, boot_id);
  covey_write_bytes(w, 2, t->streams[window->stream].manifest, COVEY_PREFIX_BYTES);
  covey_write_uint(w, 3, frozen->sequence);
  covey_write_uint(w, 4, frozen->base_sequence);
  covey_write_uint(w, 5, window->t0_ms);
  covey_write_uint(w, 6, window->t1_ms);
  covey_write_uint(w, 7, window->merged);
  covey_write_uint(w, 8, window->inferences);
  covey_write_uint(w, 9, frozen->inferences_total);
  covey_write_packed(w, 10, window->classes, window->class_count);
  covey_write_packed(w, 11, window->confidence, COVEY_CONFIDENCE_BINS);
  covey_write_packed(w, 12, window->latency, latency);
  covey_write_uint(w, 13, window->latency_max_us);
  covey_write_uint(w, 14, window->latency_sum_us);
  for (i = 0; i < window->feature_count; ++i) {
    write_feature(w, &window->features[i], window->bin_counts[i]);
  }
  for (i = 0; i < window->samples.count; ++i)
    write_sample(w, &window->samples, &window->samples.at[i]);
  covey_write_uint(w, 18, window->errors);
  covey_write_uint(w, 19, window->samples.hits - window->samples.count);
  covey_write_uint(w, 20, window->first_inference);
}
