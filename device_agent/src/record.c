/* The hot path: one inference into the open window. Integers only, no division. */
#include "internal.h"

/* Width at most 25 %: 40 buckets reach 32.8 ms, 64 reach 2.1 s. */
static unsigned latency_bucket(uint32_t latency_us) {
  uint32_t x = latency_us >> 4;
  unsigned e = 0;
  unsigned index;
  if (x >= 4) {
    while (x >> e >= 8) ++e;
    index = 4 * (e + 1) + (x >> e) - 4;
  } else {
    index = x;
  }
  return index < COVEY_LATENCY_BUCKETS ? index : COVEY_LATENCY_BUCKETS - 1;
}

/* Right-closed bins: the first edge that is not below the value. */
static unsigned bin_of(const int32_t* edges, unsigned count, int32_t value) {
  unsigned low = 0;
  unsigned high = count;
  while (low < high) {
    const unsigned middle = (low + high) / 2;
    if (value <= edges[middle]) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

static void record_feature(const covey_tables_t* tables, covey_open_feature_t* f, unsigned index,
                           int16_t value) {
  if (value == COVEY_FEATURE_MISSING) {
    ++f->missing;
    return;
  }
  ++f->bins[bin_of(tables->edges[index], tables->edge_counts[index], value)];
  if (value < tables->training_min[index]) ++f->below;
  if (value > tables->training_max[index]) ++f->above;
  if (value < f->min) f->min = value;
  if (value > f->max) f->max = value;
  f->sum += value;
  f->sum_squares += (uint64_t)((int64_t)value * value);
}

/* Poisson sampling by confidence bin. More hits than room: a reservoir, in which each hit has the
 * same chance to stay. */
static void sample(covey_agent_t* a, const covey_tables_t* tables, covey_open_window_t* open,
                   const covey_inference_t* inference, uint64_t uptime_ms) {
  const uint32_t probability = tables->sample_probability[inference->confidence >> 4];
  uint32_t place;
  covey_sample_t* s;
  if (COVEY_SAMPLES_MAX == 0 || probability == 0 || covey_random32(a) >> 16 >= probability) return;
  ++open->samples.hits;
  place = open->samples.count;
  if (place == COVEY_SAMPLES_MAX) {
    place = covey_jitter(a, open->samples.hits);
    if (place >= COVEY_SAMPLES_MAX) return;
  } else {
    ++open->samples.count;
  }
  s = &open->samples.at[place];
  s->inference = a->inference;
  s->uptime_ms = uptime_ms;
  s->probability = probability;
  s->class_index = (uint8_t)inference->class_index;
  s->confidence = inference->confidence;
}

static uint32_t record(covey_agent_t* a, size_t model, const covey_inference_t* inference) {
  covey_model_t* m = &a->models[model];
  covey_telemetry_t* t = a->config->models[model].telemetry;
  const uint64_t uptime_ms = inference->uptime_ms != 0 ? inference->uptime_ms : a->now_ms;
  covey_open_window_t* open;
  unsigned i;
  bool good = !inference->failed;
  if (t == NULL || t->stream == COVEY_NO_STREAM) {
    if (good && m->active != COVEY_NO_SLOT) ++m->good_inferences;
    return 0;
  }
  open = &t->open;
  /* 16-bit counts: full before one can overflow. */
  if (open->inferences == UINT16_MAX || open->errors == UINT16_MAX) {
    covey_telemetry_close(a, model);
    if (open->inferences == UINT16_MAX || open->errors == UINT16_MAX) return 0; /* a bug, counted */
  }
  if (inference->class_index >= t->tables.class_count) good = false;
  if (!good) {
    ++open->errors;
    return 0;
  }
  ++m->good_inferences;
  ++a->inference;
  if (open->inferences == 0) open->first_inference = a->inference;
  ++open->inferences;
  ++open->classes[inference->class_index];
  ++open->confidence[inference->confidence >> 4];
  ++open->latency[latency_bucket(inference->latency_us)];
  open->latency_sum_us += inference->latency_us;
  if (inference->latency_us > open->latency_max_us) open->latency_max_us = inference->latency_us;
  for (i = 0; i < t->tables.feature_count; ++i) {
    record_feature(&t->tables, &open->features[i], i,
                   i < inference->feature_count ? inference->features[i] : COVEY_FEATURE_MISSING);
  }
  sample(a, &t->tables, open, inference, uptime_ms);
  return a->inference;
}

uint32_t covey_agent_record_inference(covey_agent_t* a, size_t model,
                                      const covey_inference_t* inference) {
  const covey_port_t* port = covey_port(a);
  uint32_t id;
  if (model >= a->config->model_count || inference == NULL ||
      (inference->feature_count != 0 && inference->features == NULL)) {
    return 0;
  }
  if (port->lock != NULL) port->lock(port->lock_ctx);
  id = record(a, model, inference);
  if (port->unlock != NULL) port->unlock(port->lock_ctx);
  return id;
}
