/* Windows on their way: open -> backlog cell -> frozen -> acknowledged. The rules that keep the
 * count exact are in covey/telemetry.h; whoever touches open windows holds the port's lock. */
#include "internal.h"

#define MODELS(a) ((a)->config->model_count)

static covey_telemetry_t* telemetry_of(const covey_agent_t* a, size_t model) {
  return a->config->models[model].telemetry;
}

static void lock(const covey_agent_t* a) {
  if (covey_port(a)->lock != NULL) covey_port(a)->lock(covey_port(a)->lock_ctx);
}

static void unlock(const covey_agent_t* a) {
  if (covey_port(a)->unlock != NULL) covey_port(a)->unlock(covey_port(a)->lock_ctx);
}

static void open_anew(covey_open_window_t* open, uint64_t now_ms) {
  unsigned i;
  memset(open, 0, sizeof *open);
  open->t0_ms = now_ms;
  for (i = 0; i < COVEY_FEATURE_ROOM; ++i) {
    open->features[i].min = INT16_MAX;
    open->features[i].max = INT16_MIN;
  }
}

void covey_telemetry_reset(covey_telemetry_t* t) {
  if (t == NULL) return;
  memset(t, 0, sizeof *t);
  t->stream = COVEY_NO_STREAM;
}

/* ---- Streams and cells */

static uint8_t stream_of(const covey_telemetry_t* t, const uint8_t* manifest) {
  uint8_t s;
  for (s = 0; s < COVEY_STREAMS_MAX; ++s) {
    if (t->streams[s].used && memcmp(t->streams[s].manifest, manifest, COVEY_PREFIX_BYTES) == 0) {
      return s;
    }
  }
  return COVEY_NO_STREAM;
}

static uint8_t free_stream(const covey_telemetry_t* t) {
  uint8_t s;
  for (s = 0; s < COVEY_STREAMS_MAX; ++s) {
    if (!t->streams[s].used) return s;
  }
  return COVEY_NO_STREAM;
}

static covey_window_t* cell_of(covey_telemetry_t* t, uint8_t stream) {
  unsigned c;
  for (c = 0; c < COVEY_BACKLOG_CELLS; ++c) {
    if (t->cells[c].merged != 0 && t->cells[c].stream == stream) return &t->cells[c];
  }
  for (c = 0; c < COVEY_BACKLOG_CELLS; ++c) {
    if (t->cells[c].merged == 0) return &t->cells[c];
  }
  return NULL;
}

static bool nothing_held(const covey_telemetry_t* t) {
  unsigned i;
  for (i = 0; i < COVEY_BACKLOG_CELLS; ++i) {
    if (t->cells[i].merged != 0) return false;
  }
  for (i = 0; i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
    if (t->frozen[i].sequence != 0) return false;
  }
  return true;
}

bool covey_telemetry_drained(const covey_agent_t* a) {
  size_t k;
  for (k = 0; k < MODELS(a); ++k) {
    const covey_telemetry_t* t = telemetry_of(a, k);
    if (t == NULL) continue;
    if (!nothing_held(t) || t->open.inferences != 0 || t->open.errors != 0) return false;
  }
  return true;
}

/* Every place for a stream is taken and nothing is on its way: as after a reboot, a new boot id
 * begins new streams. What the open windows hold belongs to them; samples, whose ids were given
 * under the old boot id, are dropped. */
static void renew_boot(covey_agent_t* a) {
  const covey_crypto_t* crypto = &covey_port(a)->crypto;
  uint64_t boot_id;
  size_t k;
  for (k = 0; k < MODELS(a); ++k) {
    if (telemetry_of(a, k) != NULL && !nothing_held(telemetry_of(a, k))) return;
  }
  if (crypto->random(crypto->ctx, &boot_id, sizeof boot_id) != 0 || boot_id == 0) return;
  a->boot_id = boot_id;
  a->status_number = 0;
  a->status_acked = 0;
  a->hello_due = true;
  a->hello_at_ms = a->now_ms;
  covey_status_changed(a);
  lock(a);
  for (k = 0; k < MODELS(a); ++k) {
    covey_telemetry_t* t = telemetry_of(a, k);
    uint8_t s;
    if (t == NULL) continue;
    t->open.samples.count = 0;
    for (s = 0; s < COVEY_STREAMS_MAX; ++s) {
      t->streams[s].used = s == t->stream;
      t->streams[s].sequence = 0;
      t->streams[s].inferences_total = 0;
    }
  }
  unlock(a);
}

bool covey_telemetry_room(covey_agent_t* a, size_t model, const uint8_t* manifest) {
  covey_telemetry_t* t = telemetry_of(a, model);
  unsigned foreign = 0;
  uint8_t stream;
  unsigned c;
  if (t == NULL) return true;
  stream = stream_of(t, manifest);
  if (stream == COVEY_NO_STREAM && free_stream(t) == COVEY_NO_STREAM) {
    renew_boot(a);
    if (free_stream(t) == COVEY_NO_STREAM) return false;
  }
  for (c = 0; c < COVEY_BACKLOG_CELLS; ++c) {
    if (t->cells[c].merged != 0 && t->cells[c].stream != stream &&
        t->cells[c].stream != t->stream) {
      ++foreign;
    }
  }
  return foreign + 2 <= COVEY_BACKLOG_CELLS;
}

/* ---- Merging */

/* A uniform choice of all hits of both: drawn one by one, from either side with a chance in
 * proportion to the hits that it stands for. */
static void merge_samples(covey_agent_t* a, covey_samples_t* into, const covey_samples_t* from) {
  covey_samples_t side[2];
  uint32_t left[2];
  side[0] = *into;
  side[1] = *from;
  left[0] = into->hits;
  left[1] = from->hits;
  into->hits += from->hits;
  into->count = 0;
  while (into->count < COVEY_SAMPLES_MAX && left[0] + left[1] > 0) {
    const unsigned which = covey_jitter(a, left[0] + left[1]) < left[0] ? 0 : 1;
    covey_samples_t* s = &side[which];
    uint32_t place;
    --left[which];
    if (s->count == 0) continue; /* hits that were dropped before */
    place = covey_jitter(a, s->count);
    into->at[into->count++] = s->at[place];
    s->at[place] = s->at[--s->count];
  }
}

static void add16(uint32_t* into, const uint16_t* from, unsigned count) {
  while (count-- > 0) into[count] += from[count];
}

/* The open window into its stream's cell; then it is open anew. */
static void close_open(covey_agent_t* a, covey_telemetry_t* t) {
  covey_open_window_t* open = &t->open;
  covey_window_t* cell;
  unsigned i;
  if (open->inferences == 0 && open->errors == 0) {
    open->t0_ms = a->now_ms;
    return;
  }
  cell = cell_of(t, t->stream);
  if (cell == NULL) { /* covey_telemetry_room() was not asked: stay open rather than lose */
    covey_bug(a);
    return;
  }
  if (cell->merged == 0) {
    memset(cell, 0, sizeof *cell);
    cell->stream = t->stream;
    cell->t0_ms = open->t0_ms;
    cell->class_count = t->tables.class_count;
    cell->feature_count = t->tables.feature_count;
    for (i = 0; i < t->tables.feature_count; ++i) {
      cell->bin_counts[i] = (uint8_t)(t->tables.edge_counts[i] + 1);
      cell->features[i].min = INT16_MAX;
      cell->features[i].max = INT16_MIN;
    }
  }
  ++cell->merged;
  cell->t1_ms = a->now_ms;
  if (cell->inferences == 0) cell->first_inference = open->first_inference;
  cell->inferences += open->inferences;
  cell->errors += open->errors;
  cell->latency_sum_us += open->latency_sum_us;
  if (open->latency_max_us > cell->latency_max_us) cell->latency_max_us = open->latency_max_us;
  add16(cell->classes, open->classes, COVEY_CLASSES_MAX);
  add16(cell->confidence, open->confidence, COVEY_CONFIDENCE_BINS);
  add16(cell->latency, open->latency, COVEY_LATENCY_BUCKETS);
  for (i = 0; i < t->tables.feature_count; ++i) {
    covey_feature_t* into = &cell->features[i];
    const covey_open_feature_t* from = &open->features[i];
    add16(into->bins, from->bins, COVEY_BINS_MAX);
    into->missing += from->missing;
    into->below += from->below;
    into->above += from->above;
    into->sum += from->sum;
    into->sum_squares += from->sum_squares;
    if (from->min < into->min) into->min = from->min;
    if (from->max > into->max) into->max = from->max;
  }
  merge_samples(a, &cell->samples, &open->samples);
  t->streams[t->stream].inferences_total += open->inferences;
  open_anew(open, a->now_ms);
}

void covey_telemetry_close(covey_agent_t* a, size_t model) {
  covey_telemetry_t* t = telemetry_of(a, model);
  if (t != NULL && t->stream != COVEY_NO_STREAM) close_open(a, t);
}

void covey_agent_flush(covey_agent_t* a, uint64_t now_ms) {
  size_t k;
  a->now_ms = now_ms;
  lock(a);
  for (k = 0; k < MODELS(a); ++k) covey_telemetry_close(a, k);
  unlock(a);
}

void covey_telemetry_switch(covey_agent_t* a, size_t model, const uint8_t* manifest,
                            covey_bytes_t tables) {
  covey_telemetry_t* t = telemetry_of(a, model);
  uint8_t stream = COVEY_NO_STREAM;
  if (t == NULL) return;
  lock(a);
  if (t->stream != COVEY_NO_STREAM) close_open(a, t);
  if (manifest != NULL) {
    stream = stream_of(t, manifest);
    if (stream == COVEY_NO_STREAM) stream = free_stream(t);
    if (stream == COVEY_NO_STREAM) {
      covey_bug(a); /* a fall-back is always to a stream that was here, or early in a boot */
    } else if (!t->streams[stream].used) {
      memset(&t->streams[stream], 0, sizeof t->streams[stream]);
      memcpy(t->streams[stream].manifest, manifest, COVEY_PREFIX_BYTES);
      t->streams[stream].used = true;
    }
    if (covey_tables_parse(tables, &t->tables) != 0) { /* was good once: the flash forgets */
      ++a->counters.tables_bad;
      memset(&t->tables, 0, sizeof t->tables);
      t->tables.class_count = COVEY_CLASSES_MAX;
    }
  }
  t->stream = stream;
  open_anew(&t->open, a->now_ms);
  unlock(a);
}

/* ---- Sending */

static covey_frozen_window_t* free_frozen(covey_telemetry_t* t) {
  unsigned i;
  for (i = 0; i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
    if (t->frozen[i].sequence == 0) return &t->frozen[i];
  }
  return NULL;
}

static unsigned in_flight(const covey_agent_t* a) {
  unsigned count = 0;
  size_t k;
  for (k = 0; k < MODELS(a); ++k) {
    const covey_telemetry_t* t = telemetry_of(a, k);
    unsigned i;
    for (i = 0; t != NULL && i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
      count += t->frozen[i].sequence != 0;
    }
  }
  return count;
}

/* From now on this window has a number and never changes. */
static void freeze(covey_agent_t* a, covey_telemetry_t* t, covey_window_t* cell) {
  covey_frozen_window_t* frozen = free_frozen(t);
  covey_stream_t* stream = &t->streams[cell->stream];
  unsigned i;
  uint32_t base = ++stream->sequence;
  for (i = 0; i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
    const covey_frozen_window_t* other = &t->frozen[i];
    if (other->sequence != 0 && other->window.stream == cell->stream && other->sequence < base) {
      base = other->sequence;
    }
  }
  frozen->window = *cell;
  frozen->sequence = stream->sequence;
  frozen->base_sequence = base;
  frozen->inferences_total = stream->inferences_total;
  frozen->next_send_ms = a->now_ms;
  frozen->tries = 0;
  memset(cell, 0, sizeof *cell);
}

static void freeze_next(covey_agent_t* a, covey_telemetry_t* t) {
  unsigned pass;
  unsigned c;
  /* First what ran before, then what runs: its cell may be needed. */
  for (pass = 0; pass < 2; ++pass) {
    for (c = 0; c < COVEY_BACKLOG_CELLS; ++c) {
      covey_window_t* cell = &t->cells[c];
      if (cell->merged == 0 || (cell->stream == t->stream) != (pass == 1)) continue;
      if (free_frozen(t) == NULL || in_flight(a) >= a->credit) return;
      freeze(a, t, cell);
    }
  }
}

static void count_again(covey_telemetry_t* t, const covey_frozen_window_t* frozen) {
  covey_window_t* cell = cell_of(t, frozen->window.stream);
  if (frozen->tries != 1 || cell == NULL || cell->merged != 0) return;
  *cell = frozen->window;
  t->streams[cell->stream].inferences_total += cell->inferences;
}

static bool send_frozen(covey_agent_t* a, covey_telemetry_t* t, covey_frozen_window_t* frozen) {
  covey_writer_t w = covey_send_writer(a);
  covey_encode_report(&w, a->boot_id, t, frozen);
  if (covey_send(a, "report", &w, 0) != 0) {
    frozen->next_send_ms = a->now_ms + 100;
    covey_wake_at(a, frozen->next_send_ms);
    return false;
  }
  if (COVEY_BREAKS(RECOUNT)) count_again(t, frozen);
  frozen->next_send_ms = covey_backoff(a, frozen->tries);
  if (frozen->tries < 16) ++frozen->tries;
  return true;
}

static void send_step(covey_agent_t* a, covey_telemetry_t* t) {
  unsigned i;
  if (a->now_ms < a->report_at_ms) {
    covey_wake_at(a, a->report_at_ms);
    return;
  }
  freeze_next(a, t);
  for (i = 0; i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
    covey_frozen_window_t* frozen = &t->frozen[i];
    if (frozen->sequence == 0) continue;
    if (a->now_ms >= frozen->next_send_ms && !send_frozen(a, t, frozen)) return;
    covey_wake_at(a, frozen->next_send_ms);
  }
}

void covey_telemetry_step(covey_agent_t* a) {
  size_t k;
  if (a->now_ms >= a->window_at_ms) {
    covey_agent_flush(a, a->now_ms);
    a->window_at_ms = a->now_ms + a->times.report_interval_ms;
  }
  covey_wake_at(a, a->window_at_ms);
  if (!a->hello_sent) return; /* not connected */
  for (k = 0; k < MODELS(a); ++k) {
    if (telemetry_of(a, k) != NULL) send_step(a, telemetry_of(a, k));
  }
}

void covey_telemetry_connected(covey_agent_t* a) {
  size_t k;
  for (k = 0; k < MODELS(a); ++k) {
    covey_telemetry_t* t = telemetry_of(a, k);
    unsigned i;
    for (i = 0; t != NULL && i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
      t->frozen[i].tries = t->frozen[i].tries > 0 ? 1 : 0;
      t->frozen[i].next_send_ms = a->now_ms + covey_jitter(a, a->times.retry_min_ms / 4 + 1);
    }
  }
}

void covey_telemetry_ack(covey_agent_t* a, const uint8_t* prefix, uint32_t cumulative,
                         uint64_t bitmap) {
  size_t k;
  for (k = 0; k < MODELS(a); ++k) {
    covey_telemetry_t* t = telemetry_of(a, k);
    uint8_t stream;
    unsigned i;
    if (t == NULL) continue;
    stream = stream_of(t, prefix);
    if (stream == COVEY_NO_STREAM) continue;
    for (i = 0; i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
      covey_frozen_window_t* frozen = &t->frozen[i];
      const uint32_t ahead = frozen->sequence - cumulative - 1;
      if (frozen->sequence == 0 || frozen->window.stream != stream) continue;
      if (frozen->sequence <= cumulative || (ahead < 64 && (bitmap >> ahead & 1) != 0)) {
        frozen->sequence = 0;
      }
    }
  }
}

uint64_t covey_agent_unacknowledged(const covey_agent_t* a, size_t model) {
  const covey_telemetry_t* t = model < MODELS(a) ? telemetry_of(a, model) : NULL;
  uint64_t count = 0;
  unsigned i;
  if (t == NULL) return 0;
  if (t->stream != COVEY_NO_STREAM) count += t->open.inferences;
  for (i = 0; i < COVEY_BACKLOG_CELLS; ++i) {
    if (t->cells[i].merged != 0) count += t->cells[i].inferences;
  }
  for (i = 0; i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
    if (t->frozen[i].sequence != 0) count += t->frozen[i].window.inferences;
  }
  return count;
}
