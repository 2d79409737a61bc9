/* SPDX-License-Identifier: Apache-2.0 */
/* A window's way: open -> backlog cell -> number. The rules that keep the count exact, also while
 * somebody records, are in covey/telemetry.h. */
#include "parts.h"

void covey_window_reset(covey_telemetry_t* t) {
  if (t == NULL) return;
  memset(t, 0, sizeof *t);
  t->stream = COVEY_NO_STREAM;
  t->state = COVEY_SPARE;
}

bool covey_window_none_held(const covey_telemetry_t* t) {
  uint32_t held = 0;
  unsigned i;
  for (i = 0; i < COVEY_WINDOWS; ++i) held |= t->windows[i].merged;
  return held == 0;
}

/* ---- Merging */

/* The stream's cell, begun if there is none yet. */
static covey_window_t* cell_of(covey_telemetry_t* t) {
  covey_window_t* cell = NULL;
  covey_window_t* w;
  unsigned i;
  for (w = t->windows; w != &t->windows[COVEY_WINDOWS]; ++w) {
    if (covey_window_is_cell(w) && w->stream == t->stream) return w;
    if (w->merged == 0) cell = w;
  }
  if (cell == NULL) return NULL;
  memset(cell, 0, sizeof *cell);
  cell->t0_ms = t->opened_ms;
  cell->stream = t->stream;
  cell->class_count = t->tables.class_count;
  cell->feature_count = t->tables.feature_count;
#if COVEY_JOINT_LEAVES_MAX > 0
  cell->leaf_count = (uint8_t)(t->tables.node_count != 0 ? t->tables.node_count + 1 : 0);
#endif
  for (i = 0; i < t->tables.feature_count; ++i) {
    cell->bin_counts[i] = (uint8_t)(t->tables.edge_counts[i] + 1);
  }
  return cell;
}

#if COVEY_SAMPLES_MAX > 0
static void merge_samples(const covey_agent_t* a, covey_samples_t* into, covey_samples_t* from) {
  covey_sample_t* s;
  into->hits += from->hits;
  for (s = from->at; s != &from->at[from->count]; ++s) {
    const uint32_t ahead = (uint32_t)s->uptime_ms - (uint32_t)a->now_ms;
    s->uptime_ms = a->now_ms + ahead - ((uint64_t)(ahead >> 31) << 32);
    if (s->inference > a->renewed_at) covey_record_keep(into, s);
  }
}
#endif

#if COVEY_HEALTH
static void merge_health(covey_health_t* into, const covey_health_t* from) {
  if (from->heap_free_min_bytes - 1U < into->heap_free_min_bytes - 1U) { /* 0: not told */
    into->heap_free_min_bytes = from->heap_free_min_bytes;
  }
  if (from->arena_used_max_bytes > into->arena_used_max_bytes) {
    into->arena_used_max_bytes = from->arena_used_max_bytes;
  }
  if (from->stack_used_max_bytes > into->stack_used_max_bytes) {
    into->stack_used_max_bytes = from->stack_used_max_bytes;
  }
  into->drops += from->drops;
  into->rejects += from->rejects;
  into->watchdog_resets += from->watchdog_resets;
  into->saturated += from->saturated;
}

void covey_agent_health(covey_agent_t* a, size_t model, const covey_health_t* health) {
  if (model >= a->config->model_count || a->config->models[model].telemetry == NULL) return;
  merge_health(&a->config->models[model].telemetry->health, health);
}

static void take_health(covey_window_t* cell, covey_telemetry_t* t) {
  const uint32_t drops = t->drops;
  t->health.drops += drops - t->drops_told;
  t->drops_told = drops;
  merge_health(&cell->health, &t->health);
  memset(&t->health, 0, sizeof t->health);
}
#endif

static COVEY_OUTLINE void add_counts(uint32_t* into, const uint16_t* from, unsigned count) {
  while (count-- > 0) *into++ += *from++;
}

#if COVEY_SHADOW
/* Shadow counts are about one candidate: those of an older one make way. */
static void merge_shadow(covey_window_t* cell, covey_shadow_counts_t* shadow) {
  uint32_t* counts = &cell->counts[COVEY_COUNTS_OPEN];
  if (!covey_bytes_same_prefix(cell->shadow, shadow->candidate)) {
    memset(counts, 0, (COVEY_COUNTS - COVEY_COUNTS_OPEN) * sizeof counts[0]);
    memcpy(cell->shadow, shadow->candidate, COVEY_PREFIX_BYTES);
  }
  add_counts(counts, shadow->counts, COVEY_COUNTS - COVEY_COUNTS_OPEN);
  memset(shadow->counts, 0, sizeof shadow->counts);
}
#endif

/* With addresses of its own, the members of both are reached by the shortest instructions. */
static COVEY_OUTLINE void add_tally(const covey_agent_t* a, covey_tally_t* into,
                                    covey_tally_t* from) {
  unsigned i;
  for (i = 0; i < COVEY_SUMS; ++i) into->sums[i] += from->sums[i];
#if COVEY_FEATURES_MAX > 0
  for (i = 0; i < 2 * COVEY_FEATURE_ROOM; ++i) {
    if (from->extremes[i] > into->extremes[i]) into->extremes[i] = from->extremes[i];
  }
#endif
  if (from->latency_max_us > into->latency_max_us) into->latency_max_us = from->latency_max_us;
  if (into->inferences == 0) into->first_inference = from->first_inference;
  into->inferences += from->inferences;
  into->errors += from->errors;
#if COVEY_SAMPLES_MAX > 0
  merge_samples(a, &into->samples, &from->samples);
#else
  (void)a;
#endif
}

void covey_window_merge(covey_agent_t* a, covey_telemetry_t* t) {
  const uint32_t recording = t->recording;
  const unsigned state = t->state;
  covey_open_window_t* from;
  covey_window_t* cell;
  if ((state & COVEY_SPARE) != 0) return;
  if ((recording & 1U) != 0 && recording == t->inside) return;
  COVEY_BARRIER();
  cell = cell_of(t);
  if (cell == NULL) { /* covey_stream_room() was not asked: kept rather than lost */
    covey_core_bug(a);
    return;
  }
#if COVEY_SHADOW
  merge_shadow(cell, &t->shadow);
#endif
#if COVEY_HEALTH
  take_health(cell, t);
#endif
#if COVEY_OUTBOX
  cell->kept = false;
#endif
  ++cell->merged;
  cell->t1_ms = a->now_ms;
  t->opened_ms = a->now_ms;
  from = (state & 1U) != 0 ? &t->open[0] : &t->open[1]; /* the other one */
  t->streams[t->stream].inferences_total += from->tally.inferences;
  add_counts(cell->counts, from->counts, COVEY_COUNTS_OPEN);
  add_tally(a, &cell->tally, &from->tally);
  memset(from, 0, sizeof *from);
  COVEY_BARRIER();
  t->state = (uint8_t)(state | COVEY_SPARE);
}

void covey_window_close(covey_agent_t* a, covey_telemetry_t* t) {
  unsigned state;
  covey_window_merge(a, t);
  state = t->state;
  if (covey_window_empty(&t->open[state & 1U])) {
    t->opened_ms = a->now_ms;
  } else if ((state & COVEY_SPARE) != 0) {
    t->state = (uint8_t)((state & 1U) ^ 1U);
    COVEY_BARRIER();
    t->inside = t->recording;
    covey_window_merge(a, t);
  }
}

/* ---- Numbers */

void covey_window_number(const covey_telemetry_t* t, covey_window_t* cell) {
  const covey_stream_t* stream = &t->streams[cell->stream];
  const covey_window_t* w;
  cell->inferences_total = stream->inferences_total;
  cell->base_sequence = stream->sequence + 1;
  for (w = t->windows; w != &t->windows[COVEY_WINDOWS]; ++w) {
    if (w->sequence != 0 && w->stream == cell->stream && w->sequence < cell->base_sequence) {
      cell->base_sequence = w->sequence;
    }
  }
  cell->sequence = stream->sequence + 1;
}

bool covey_window_acknowledged(const covey_stream_ack_t* ack, uint32_t sequence) {
  const uint32_t ahead = sequence - ack->cumulative - 1;
  return sequence <= ack->cumulative || (ahead < 64 && (ack->bitmap >> ahead & 1) != 0);
}

uint64_t covey_agent_unacknowledged(const covey_agent_t* a, size_t model) {
  const covey_telemetry_t* t =
      model < a->config->model_count ? a->models[model].config->telemetry : NULL;
  uint64_t count = 0;
  unsigned i;
  if (t == NULL) return 0;
  count = (uint64_t)t->open[0].tally.inferences + t->open[1].tally.inferences;
  for (i = 0; i < COVEY_WINDOWS; ++i) {
    if (t->windows[i].merged != 0) count += t->windows[i].tally.inferences;
  }
  return count;
}
