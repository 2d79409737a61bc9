/* The hot path: one inference into the open window. Integers only, no division. */
#include "internal.h"

/* Width at most 25 %: 40 buckets reach 32.8 ms, 64 reach 2.1 s. */
static unsigned latency_bucket(uint32_t latency_us) {
  uint32_t x = latency_us >> 4;
  unsigned index = 0;
  for (; x >= 8; x >>= 1) index += 4;
  index += x;
  return index < COVEY_LATENCY_BUCKETS ? index : COVEY_LATENCY_BUCKETS - 1;
}

/* Right-closed bins: the first edge that is not below the value. */
static unsigned bin_of(const int16_t* edges, unsigned count, int16_t value) {
  unsigned low = 0;
  while (low < count) {
    const unsigned middle = (low + count) / 2;
    if (value <= edges[middle]) {
      count = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

static void record_feature(covey_telemetry_t* t, unsigned index, int16_t value) {
  const covey_tables_t* tables = &t->tables;
  covey_moments_t* m = &t->open.tally.moments[index];
  uint16_t* counts = &t->open.counts[COVEY_COUNTS_FEATURES + index * COVEY_FEATURE_COUNTS];
  if (value == COVEY_FEATURE_MISSING) {
    ++counts[COVEY_COUNT_MISSING];
    return;
  }
  ++counts[bin_of(tables->edges[index], tables->edge_counts[index], value)];
  if (value < tables->training_min[index]) ++counts[COVEY_COUNT_BELOW];
  if (value > tables->training_max[index]) ++counts[COVEY_COUNT_ABOVE];
  if (value < m->min) m->min = value;
  if (value > m->max) m->max = value;
  m->sum += value;
  m->sum_squares += (uint32_t)((int32_t)value * value);
}

/* Poisson sampling by confidence bin. More hits than room: a reservoir, in which each hit has the
 * same chance to stay. */
static void sample(covey_agent_t* a, covey_telemetry_t* t, const covey_inference_t* inference) {
  uint32_t probability = t->tables.sample_probability[inference->confidence >> 4];
  covey_samples_t* samples = &t->open.tally.samples;
  uint32_t place;
  covey_sample_t* s;
  if (a->sample_scale != 0 && a->sample_scale < 65536U) {
    probability = (probability * a->sample_scale) >> 16;
  }
  if (COVEY_SAMPLES_MAX == 0 || covey_random32(a) >> 16 >= probability) return;
  ++samples->hits;
  place = samples->count;
  if (place == COVEY_SAMPLES_MAX) {
    place = covey_jitter(a, samples->hits);
    if (place >= COVEY_SAMPLES_MAX) return;
  } else {
    ++samples->count;
  }
  s = &samples->at[place];
  s->inference = a->inference;
  s->uptime_ms = inference->uptime_ms != 0 ? inference->uptime_ms : a->now_ms;
  s->probability = probability;
  s->class_index = (uint8_t)inference->class_index;
  s->confidence = inference->confidence;
}

static uint32_t record(covey_agent_t* a, covey_model_t* m, const covey_inference_t* inference) {
  covey_telemetry_t* t = m->config->telemetry;
  covey_tally_t* tally;
  uint16_t* counts;
  unsigned i;
  if (t == NULL || t->stream == COVEY_NO_STREAM) {
    if (!inference->failed && m->active != COVEY_NO_SLOT) ++m->good_inferences;
    return 0;
  }
  tally = &t->open.tally;
  counts = t->open.counts;
  /* 16-bit counts: full before one can overflow. */
  if (tally->inferences == UINT16_MAX || tally->errors == UINT16_MAX) {
    covey_telemetry_close(a, m);
    if (tally->inferences == UINT16_MAX || tally->errors == UINT16_MAX) return 0; /* bug, counted */
  }
  if (inference->failed || inference->class_index >= t->tables.class_count) {
    ++tally->errors;
    return 0;
  }
  ++m->good_inferences;
  ++a->inference;
  if (tally->inferences == 0) tally->first_inference = a->inference;
  ++tally->inferences;
  ++counts[COVEY_COUNTS_CLASSES + inference->class_index];
  ++counts[COVEY_COUNTS_CONFIDENCE + (inference->confidence >> 4)];
  ++counts[COVEY_COUNTS_LATENCY + latency_bucket(inference->latency_us)];
  tally->latency_sum_us += inference->latency_us;
  if (inference->latency_us > tally->latency_max_us) tally->latency_max_us = inference->latency_us;
  for (i = 0; i < t->tables.feature_count; ++i) {
    record_feature(t, i,
                   i < inference->feature_count ? inference->features[i] : COVEY_FEATURE_MISSING);
  }
  sample(a, t, inference);
  return a->inference;
}

uint32_t covey_agent_record_inference(covey_agent_t* a, size_t model,
                                      const covey_inference_t* inference) {
  uint32_t id;
  if (model >= a->config->model_count || inference == NULL ||
      (inference->feature_count != 0 && inference->features == NULL)) {
    return 0;
  }
  covey_lock(a);
  id = record(a, &a->models[model], inference);
  covey_unlock(a);
  return id;
}
