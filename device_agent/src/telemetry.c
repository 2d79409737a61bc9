/* Windows on their way: open -> backlog cell -> frozen -> acknowledged. The rules that keep the
 * count exact are in covey/telemetry.h; whoever touches open windows holds the port's lock. */
#include "internal.h"

static void clear_tally(covey_tally_t* tally, uint64_t now_ms) {
  unsigned i;
  memset(tally, 0, sizeof *tally);
  tally->t0_ms = now_ms;
  for (i = 0; i < COVEY_FEATURE_ROOM; ++i) {
    tally->moments[i].min = INT16_MAX;
    tally->moments[i].max = INT16_MIN;
  }
}

static void open_anew(covey_open_window_t* open, uint64_t now_ms) {
  memset(open, 0, sizeof *open);
  clear_tally(&open->tally, now_ms);
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
    if (t->cells[c].tally.merged != 0 && t->cells[c].stream == stream) return &t->cells[c];
  }
  for (c = 0; c < COVEY_BACKLOG_CELLS; ++c) {
    if (t->cells[c].tally.merged == 0) return &t->cells[c];
  }
  return NULL;
}

static bool nothing_held(const covey_telemetry_t* t) {
  unsigned i;
  for (i = 0; i < COVEY_BACKLOG_CELLS; ++i) {
    if (t->cells[i].tally.merged != 0) return false;
  }
  for (i = 0; i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
    if (t->frozen[i].sequence != 0) return false;
  }
  return true;
}

bool covey_telemetry_drained(const covey_agent_t* a) {
  const covey_model_t* m;
  for (m = a->models; m != covey_models_end(a); ++m) {
    const covey_telemetry_t* t = m->config->telemetry;
    if (t == NULL) continue;
    if (!nothing_held(t) || t->open.tally.inferences != 0 || t->open.tally.errors != 0) {
      return false;
    }
  }
  return true;
}

/* Every place for a stream is taken and nothing is on its way: as after a reboot, a new boot id
 * begins new streams. What the open windows hold belongs to them; samples, whose ids were given
 * under the old boot id, are dropped. */
static void renew_boot(covey_agent_t* a) {
  const covey_crypto_t* crypto = &covey_port(a)->crypto;
  uint64_t boot_id;
  covey_model_t* m;
  for (m = a->models; m != covey_models_end(a); ++m) {
    if (m->config->telemetry != NULL && !nothing_held(m->config->telemetry)) return;
  }
  if (crypto->random(crypto->ctx, &boot_id, sizeof boot_id) != 0 || boot_id == 0) return;
  a->boot_id = boot_id;
  a->status_number = 0;
  a->status_acked = 0;
  covey_hello_again(a, 0);
  covey_status_changed(a);
  covey_lock(a);
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_telemetry_t* t = m->config->telemetry;
    uint8_t s;
    if (t == NULL) continue;
    t->open.tally.samples.count = 0;
    for (s = 0; s < COVEY_STREAMS_MAX; ++s) {
      t->streams[s].used = s == t->stream;
      t->streams[s].sequence = 0;
      t->streams[s].inferences_total = 0;
    }
  }
  covey_unlock(a);
}

bool covey_telemetry_room(covey_agent_t* a, const covey_model_t* m, const uint8_t* manifest) {
  covey_telemetry_t* t = m->config->telemetry;
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
    if (t->cells[c].tally.merged != 0 && t->cells[c].stream != stream &&
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

static void merge_tally(covey_agent_t* a, covey_tally_t* into, const covey_tally_t* from) {
  unsigned i;
  ++into->merged;
  into->t1_ms = a->now_ms;
  if (into->inferences == 0) into->first_inference = from->first_inference;
  into->inferences += from->inferences;
  into->errors += from->errors;
  into->latency_sum_us += from->latency_sum_us;
  if (from->latency_max_us > into->latency_max_us) into->latency_max_us = from->latency_max_us;
  for (i = 0; i < COVEY_FEATURE_ROOM; ++i) {
    const covey_moments_t* m = &from->moments[i];
    into->moments[i].sum += m->sum;
    into->moments[i].sum_squares += m->sum_squares;
    if (m->min < into->moments[i].min) into->moments[i].min = m->min;
    if (m->max > into->moments[i].max) into->moments[i].max = m->max;
  }
  merge_samples(a, &into->samples, &from->samples);
}

/* Shadow counts are about one candidate: those of an older one make way. */
static void merge_shadow(covey_window_t* cell, const covey_open_window_t* open) {
  static const uint8_t none[COVEY_PREFIX_BYTES] = {0};
  const uint8_t* newer = open->tally.shadow;
  if (memcmp(newer, none, sizeof none) == 0 ||
      memcmp(newer, cell->tally.shadow, sizeof none) == 0) {
    return;
  }
  memcpy(cell->tally.shadow, newer, sizeof none);
  memset(&cell->counts[COVEY_COUNTS_AGREEMENT], 0,
         (COVEY_COUNTS - COVEY_COUNTS_AGREEMENT) * sizeof cell->counts[0]);
}

/* The open window into its stream's cell; then it is open anew. */
static void close_open(covey_agent_t* a, covey_telemetry_t* t) {
  covey_open_window_t* open = &t->open;
  covey_window_t* cell;
  unsigned i;
  if (open->tally.inferences == 0 && open->tally.errors == 0) {
    open->tally.t0_ms = a->now_ms;
    return;
  }
  cell = cell_of(t, t->stream);
  if (cell == NULL) { /* covey_telemetry_room() was not asked: stay open rather than lose */
    covey_bug(a);
    return;
  }
  if (cell->tally.merged == 0) {
    memset(cell, 0, sizeof *cell);
    clear_tally(&cell->tally, open->tally.t0_ms);
    cell->stream = t->stream;
    cell->class_count = t->tables.class_count;
    cell->feature_count = t->tables.feature_count;
    for (i = 0; i < t->tables.feature_count; ++i) {
      cell->bin_counts[i] = (uint8_t)(t->tables.edge_counts[i] + 1);
    }
  }
  merge_shadow(cell, open);
  for (i = 0; i < COVEY_COUNTS; ++i) cell->counts[i] += open->counts[i];
  merge_tally(a, &cell->tally, &open->tally);
  t->streams[t->stream].inferences_total += open->tally.inferences;
  open_anew(open, a->now_ms);
}

void covey_telemetry_close(covey_agent_t* a, const covey_model_t* m) {
  covey_telemetry_t* t = m->config->telemetry;
  if (t != NULL && t->stream != COVEY_NO_STREAM) close_open(a, t);
}

void covey_agent_flush(covey_agent_t* a, uint64_t now_ms) {
  const covey_model_t* m;
  covey_clock(a, now_ms);
  covey_lock(a);
  for (m = a->models; m != covey_models_end(a); ++m) covey_telemetry_close(a, m);
  covey_unlock(a);
}

static uint8_t begin_stream(covey_agent_t* a, covey_telemetry_t* t, const uint8_t* manifest) {
  uint8_t stream = stream_of(t, manifest);
  if (stream != COVEY_NO_STREAM) return stream;
  stream = free_stream(t);
  if (stream == COVEY_NO_STREAM) {
    covey_bug(a); /* a fall-back is always to a stream that was here, or early in a boot */
    return stream;
  }
  memset(&t->streams[stream], 0, sizeof t->streams[stream]);
  memcpy(t->streams[stream].manifest, manifest, COVEY_PREFIX_BYTES);
  t->streams[stream].used = true;
  return stream;
}

static void load_tables(covey_agent_t* a, const covey_model_t* m, covey_tables_t* tables) {
  covey_slot_view_t view;
  covey_bytes_t bytes = {NULL, 0};
  if (covey_slot_view(m, m->active, &view) == 0 && view.tables_present) {
    bytes.bytes = covey_slot_bytes(a, view.tables[COVEY_TELEMETRY_TABLES].at);
    bytes.size = view.tables[COVEY_TELEMETRY_TABLES].size;
  }
  if (covey_tables_parse(bytes, tables) == 0) return;
  ++a->counters.tables_bad; /* was good once: the flash forgets */
  bytes.size = 0;
  (void)covey_tables_parse(bytes, tables);
}

void covey_telemetry_switch(covey_agent_t* a, const covey_model_t* m, const uint8_t* manifest) {
  covey_telemetry_t* t = m->config->telemetry;
  uint8_t stream = COVEY_NO_STREAM;
  if (t == NULL) return;
  covey_lock(a);
  covey_telemetry_close(a, m);
  if (manifest != NULL) {
    stream = begin_stream(a, t, manifest);
    load_tables(a, m, &t->tables);
  }
  t->stream = stream;
  open_anew(&t->open, a->now_ms);
  covey_unlock(a);
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
  const covey_model_t* m;
  unsigned count = 0;
  for (m = a->models; m != covey_models_end(a); ++m) {
    const covey_telemetry_t* t = m->config->telemetry;
    unsigned i;
    for (i = 0; t != NULL && i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
      count += t->frozen[i].sequence != 0;
    }
  }
  return count;
}

/* From now on this window has a number and never changes. */
static void freeze(covey_telemetry_t* t, covey_window_t* cell, covey_frozen_window_t* frozen) {
  covey_stream_t* stream = &t->streams[cell->stream];
  unsigned i;
  memset(&frozen->resend, 0, sizeof frozen->resend);
  frozen->window = *cell;
  frozen->inferences_total = stream->inferences_total;
  frozen->sequence = ++stream->sequence;
  frozen->base_sequence = frozen->sequence;
  for (i = 0; i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
    const covey_frozen_window_t* other = &t->frozen[i];
    if (other->sequence != 0 && other->window.stream == cell->stream &&
        other->sequence < frozen->base_sequence) {
      frozen->base_sequence = other->sequence;
    }
  }
  cell->tally.merged = 0;
}

static void freeze_next(covey_agent_t* a, covey_telemetry_t* t) {
  unsigned pass;
  unsigned c;
  /* First what ran before, then what runs: its cell may be needed. */
  for (pass = 0; pass < 2; ++pass) {
    for (c = 0; c < COVEY_BACKLOG_CELLS; ++c) {
      covey_window_t* cell = &t->cells[c];
      covey_frozen_window_t* frozen = free_frozen(t);
      if (cell->tally.merged == 0 || (cell->stream == t->stream) != (pass == 1)) continue;
      if (frozen == NULL || in_flight(a) >= a->credit) return;
      freeze(t, cell, frozen);
    }
  }
}

/* What a broken agent does (covey/broken.h). */
static void count_again(covey_telemetry_t* t, const covey_frozen_window_t* frozen) {
  covey_window_t* cell = cell_of(t, frozen->window.stream);
  if (frozen->resend.tries != 1 || cell == NULL || cell->tally.merged != 0) return;
  *cell = frozen->window;
  t->streams[cell->stream].inferences_total += cell->tally.inferences;
}

static void send_step(covey_agent_t* a, covey_telemetry_t* t) {
  unsigned i;
  freeze_next(a, t);
  for (i = 0; i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
    covey_frozen_window_t* frozen = &t->frozen[i];
    covey_writer_t w;
    int error;
    if (frozen->sequence == 0 || !covey_due(a, &frozen->resend)) continue;
    if (COVEY_BREAKS(RECOUNT)) count_again(t, frozen);
    w = covey_send_writer(a);
    covey_encode_report(&w, a->boot_id, t, frozen);
    error = covey_send(a, "up/report", &w, 0);
    covey_repeat(a, &frozen->resend, error);
    if (error != 0) return;
  }
}

void covey_telemetry_step(covey_agent_t* a) {
  covey_timer_t* window = &a->timers[COVEY_TIMER_WINDOW];
  const covey_model_t* m;
  if (covey_due(a, window)) {
    covey_agent_flush(a, a->now_ms);
    window->left_ms = a->times.report_interval_ms;
    (void)covey_due(a, window);
  }
  /* Not connected, or asked to wait? */
  if (!a->hello_sent || !covey_due(a, &a->timers[COVEY_TIMER_REPORT])) return;
  for (m = a->models; m != covey_models_end(a); ++m) {
    if (m->config->telemetry != NULL) send_step(a, m->config->telemetry);
  }
}

void covey_telemetry_connected(covey_agent_t* a) {
  const covey_model_t* m;
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_telemetry_t* t = m->config->telemetry;
    unsigned i;
    for (i = 0; t != NULL && i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
      t->frozen[i].resend.tries = t->frozen[i].resend.tries > 0 ? 1 : 0;
      t->frozen[i].resend.left_ms = covey_jitter(a, a->times.retry_min_ms / 4 + 1);
    }
  }
}

void covey_telemetry_ack(covey_agent_t* a, const covey_stream_ack_t* ack) {
  const covey_model_t* m;
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_telemetry_t* t = m->config->telemetry;
    unsigned i;
    for (i = 0; t != NULL && i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
      covey_frozen_window_t* frozen = &t->frozen[i];
      const uint32_t ahead = frozen->sequence - ack->cumulative - 1;
      if (frozen->sequence == 0 || memcmp(t->streams[frozen->window.stream].manifest, ack->manifest,
                                          COVEY_PREFIX_BYTES) != 0) {
        continue;
      }
      if (frozen->sequence <= ack->cumulative || (ahead < 64 && (ack->bitmap >> ahead & 1) != 0)) {
        frozen->sequence = 0;
      }
    }
  }
}

uint64_t covey_agent_unacknowledged(const covey_agent_t* a, size_t model) {
  const covey_telemetry_t* t =
      model < a->config->model_count ? a->models[model].config->telemetry : NULL;
  uint64_t count = 0;
  unsigned i;
  if (t == NULL) return 0;
  if (t->stream != COVEY_NO_STREAM) count += t->open.tally.inferences;
  for (i = 0; i < COVEY_BACKLOG_CELLS; ++i) {
    if (t->cells[i].tally.merged != 0) count += t->cells[i].tally.inferences;
  }
  for (i = 0; i < COVEY_WINDOWS_IN_FLIGHT; ++i) {
    if (t->frozen[i].sequence != 0) count += t->frozen[i].window.tally.inferences;
  }
  return count;
}
