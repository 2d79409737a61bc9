/* SPDX-License-Identifier: Apache-2.0 */
/* The hot path: one inference into the open window. Integers only, no division. Whatever is here
 * may run in an ISR that interrupted any other line of the agent: see covey/telemetry.h. */
#include "parts.h"

/* Width at most 25 %: 40 buckets reach 32.8 ms, 64 reach 2.1 s. */
static unsigned latency_bucket(uint32_t latency_us) {
  uint32_t x = latency_us >> 4;
  unsigned index = 0;
  for (; x >= 8; x >>= 1) index += 4;
  index += x;
  return index < COVEY_LATENCY_BUCKETS ? index : COVEY_LATENCY_BUCKETS - 1;
}

#if COVEY_FEATURES_MAX > 0
/* Right-closed bins: as many edges as are below the value. Three instructions for each, where
 * halving takes twelve; behind the last one is INT16_MAX, which nothing is above. */
static unsigned bin_of(const int16_t* edges, int value) {
  const int16_t* at = edges;
  while (value > *at) ++at;
  return (unsigned)(at - edges);
}

/* A function of its own, so that its loop has the registers to itself. */
static COVEY_OUTLINE void record_features(const covey_tables_t* tables, covey_open_window_t* open,
                                          const covey_inference_t* inference) {
  const covey_feature_table_t* table = tables->features;
  const covey_feature_table_t* const end = table + tables->feature_count;
  const int16_t* value_at = inference->features;
  const int16_t* const values_end = /* NULL: no arithmetic */
      inference->feature_count != 0 ? value_at + inference->feature_count : value_at;
  uint16_t* counts = &open->counts[COVEY_COUNTS_FEATURES];
  uint64_t* sums = &open->tally.sums[COVEY_SUM_FEATURES];
  uint16_t* extremes = open->tally.extremes;
  for (; table != end; ++table) {
    const int value = value_at != values_end ? *value_at++ : COVEY_FEATURE_MISSING;
    if (value == COVEY_FEATURE_MISSING) {
      ++counts[COVEY_COUNT_MISSING];
    } else {
      const int to_least = INT16_MAX - value;
      const int to_greatest = value - INT16_MIN;
      ++counts[bin_of(table->edges, value)];
      if (value < table->training_min) ++counts[COVEY_COUNT_BELOW];
      if (value > table->training_max) ++counts[COVEY_COUNT_ABOVE];
      if (to_least > extremes[0]) extremes[0] = (uint16_t)to_least;
      if (to_greatest > extremes[1]) extremes[1] = (uint16_t)to_greatest;
      sums[0] += (uint64_t)(int64_t)value;
      sums[1] += (uint32_t)(value * value);
    }
    counts += COVEY_FEATURE_COUNTS;
    sums += 2;
    extremes += 2;
  }
}
#endif

#if COVEY_JOINT_LEAVES_MAX > 0
static int feature_of(const covey_inference_t* inference, unsigned index) {
  return index < inference->feature_count ? inference->features[index] : COVEY_FEATURE_MISSING;
}

/* The first node that matches: from the last one, so that all features are looked at. One that is
 * missing could have been in any leaf. */
static void record_leaf(const covey_tables_t* tables, covey_open_window_t* open,
                        const covey_inference_t* inference) {
  unsigned leaf = tables->node_count;
  unsigned i;
  for (i = leaf; i-- > 0;) {
    const covey_node_t* node = &tables->nodes[i];
    const int value = feature_of(inference, node->feature);
    if (value == COVEY_FEATURE_MISSING) return;
    if ((value > node->threshold) == node->above) leaf = i;
  }
  ++open->counts[COVEY_COUNTS_JOINT + leaf];
}
#endif

#if COVEY_ENERGY_BUCKETS > 0
/* A factor of 4 wide: 8 buckets reach 65 mJ. */
static void record_energy(covey_open_window_t* open, uint32_t energy_uj) {
  uint32_t x = energy_uj >> 4;
  unsigned index = 0;
  if (energy_uj == 0) return;
  for (; x != 0 && index < COVEY_ENERGY_BUCKETS - 1; x >>= 2) ++index;
  ++open->counts[COVEY_COUNTS_ENERGY + index];
  open->tally.sums[COVEY_SUM_ENERGY] += energy_uj;
}
#endif

#if COVEY_SAMPLES_MAX > 0
void covey_record_keep(covey_samples_t* samples, const covey_sample_t* sample) {
  covey_sample_t* place = &samples->at[samples->count];
  unsigned i;
  if (samples->count < COVEY_SAMPLES_MAX) {
    ++samples->count;
  } else {
    place = samples->at;
    for (i = 1; i < COVEY_SAMPLES_MAX; ++i) {
      if (samples->at[i].lot > place->lot) place = &samples->at[i];
    }
    if (sample->lot >= place->lot) return;
  }
  *place = *sample;
}

static uint32_t draw(covey_telemetry_t* t) { /* Numerical Recipes; the high bits are good */
  t->random = t->random * 1664525U + 1013904223U;
  return t->random;
}

/* Poisson sampling by confidence bin. */
static void sample(const covey_agent_t* a, covey_telemetry_t* t, covey_samples_t* samples,
                   const covey_inference_t* inference) {
  uint32_t probability = t->tables.sample_probability[inference->confidence >> 4];
  covey_sample_t s;
#if COVEY_SETTINGS
  if (a->sample_scale != 0 && a->sample_scale < 65536U) {
    probability = (probability * a->sample_scale) >> 16;
  }
#endif
  if (draw(t) >> 16 >= probability) return;
  ++samples->hits;
  s.inference = a->inference;
  /* Of the clock only what is read at once; covey_window_merge() fills in the rest. */
  s.uptime_ms = inference->uptime_ms != 0 ? inference->uptime_ms : (uint32_t)a->now_ms;
  s.probability = probability;
  s.lot = draw(t);
  s.class_index = (uint8_t)inference->class_index;
  s.confidence = inference->confidence;
  covey_record_keep(samples, &s);
}
#endif

/* The window to count in; NULL: none has room. */
static covey_open_window_t* open_window(covey_telemetry_t* t) {
  const unsigned state = t->state;
  /* No multiplication by the size of a window. */
  covey_open_window_t* open = (state & 1U) != 0 ? &t->open[1] : &t->open[0];
  /* 16-bit counts: full before one can overflow. */
  if (open->tally.inferences != UINT16_MAX && open->tally.errors != UINT16_MAX) return open;
  if ((state & COVEY_SPARE) == 0) return NULL;
  t->state = (uint8_t)((state & 1U) ^ 1U);
  return &t->open[(state & 1U) ^ 1U];
}

static uint32_t count(covey_agent_t* a, covey_model_t* m, covey_telemetry_t* t,
                      const covey_inference_t* inference) {
  covey_open_window_t* open = t->counting ? open_window(t) : NULL;
  covey_tally_t* tally;
  if (open == NULL) {
    if (m->active != COVEY_NO_SLOT) t->drops = t->drops + 1;
    return 0;
  }
  tally = &open->tally;
  if (inference->failed || inference->class_index >= t->tables.class_count) {
    ++tally->errors;
    return 0;
  }
  ++m->good_inferences;
  ++a->inference;
  if (tally->inferences++ == 0) tally->first_inference = a->inference;
  ++open->counts[COVEY_COUNTS_CLASSES + inference->class_index];
  ++open->counts[COVEY_COUNTS_CONFIDENCE + (inference->confidence >> 4)];
  ++open->counts[COVEY_COUNTS_LATENCY + latency_bucket(inference->latency_us)];
  tally->sums[COVEY_SUM_LATENCY] += inference->latency_us;
  if (inference->latency_us > tally->latency_max_us) tally->latency_max_us = inference->latency_us;
#if COVEY_FEATURES_MAX > 0
  record_features(&t->tables, open, inference);
#endif
#if COVEY_JOINT_LEAVES_MAX > 0
  record_leaf(&t->tables, open, inference);
#endif
#if COVEY_ENERGY_BUCKETS > 0
  record_energy(open, inference->energy_uj);
#endif
#if COVEY_SAMPLES_MAX > 0
  sample(a, t, &tally->samples, inference);
#endif
  return a->inference;
}

uint32_t covey_agent_record_inference(covey_agent_t* a, size_t model,
                                      const covey_inference_t* inference) {
  covey_model_t* m;
  covey_telemetry_t* t;
  uint32_t id;
  if (model >= a->config->model_count || inference == NULL ||
      (inference->feature_count != 0 && inference->features == NULL)) {
    return 0;
  }
  m = &a->models[model];
  t = m->config->telemetry;
  if (t == NULL) {
    if (!inference->failed && m->active != COVEY_NO_SLOT) ++m->good_inferences;
    return 0;
  }
  covey_core_lock(a);
  t->recording = t->recording + 1U;
  COVEY_BARRIER();
  id = count(a, m, t, inference);
  COVEY_BARRIER();
  t->recording = t->recording + 1U;
  covey_core_unlock(a);
  return id;
}
