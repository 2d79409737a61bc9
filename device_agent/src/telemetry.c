/* Windows on their way: open -> backlog cell -> frozen -> acknowledged. The rules that keep the
 * count exact, also while somebody records, are in covey/telemetry.h. */
#include "internal.h"

void covey_telemetry_reset(covey_telemetry_t* t) {
  if (t == NULL) return;
  memset(t, 0, sizeof *t);
  t->stream = COVEY_NO_STREAM;
  t->state = COVEY_SPARE;
}

/* ---- Streams and cells */

static const uint8_t FREE[COVEY_PREFIX_BYTES] = {0}; /* in the place of a manifest */

static uint8_t stream_of(const covey_telemetry_t* t, const uint8_t* manifest) {
  uint8_t s = 0;
  while (memcmp(t->streams[s].manifest, manifest, COVEY_PREFIX_BYTES) != 0) {
    if (++s == COVEY_STREAMS_MAX) return COVEY_NO_STREAM;
  }
  return s;
}

static bool is_cell(const covey_window_t* w) { return w->merged != 0 && w->sequence == 0; }

static bool nothing_held(const covey_telemetry_t* t) {
  uint32_t held = 0;
  unsigned i;
  for (i = 0; i < COVEY_WINDOWS; ++i) held |= t->windows[i].merged;
  return held == 0;
}

static bool empty(const covey_open_window_t* open) {
  return (open->tally.inferences | open->tally.errors) == 0;
}

bool covey_telemetry_drained(const covey_agent_t* a) {
  const covey_model_t* m;
  for (m = a->models; m != covey_models_end(a); ++m) {
    const covey_telemetry_t* t = m->config->telemetry;
    if (t != NULL && !(nothing_held(t) && empty(&t->open[0]) && empty(&t->open[1]))) return false;
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
  a->renewed_at = a->inference;
  a->status_number = 0;
  a->status_acked = 0;
  covey_hello_again(a, 0);
  covey_status_changed(a);
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_telemetry_t* t = m->config->telemetry;
    uint8_t s;
    for (s = 0; t != NULL && s < COVEY_STREAMS_MAX; ++s) {
      if (s != t->stream) memset(t->streams[s].manifest, 0, COVEY_PREFIX_BYTES);
      t->streams[s].sequence = 0;
      t->streams[s].inferences_total = 0;
    }
  }
}

bool covey_telemetry_room(covey_agent_t* a, const covey_model_t* m, const uint8_t* manifest) {
  covey_telemetry_t* t = m->config->telemetry;
  unsigned foreign = 0;
  uint8_t stream;
  unsigned i;
  if (t == NULL) return true;
  stream = stream_of(t, manifest);
  if (stream == COVEY_NO_STREAM && stream_of(t, FREE) == COVEY_NO_STREAM) {
    renew_boot(a);
    if (stream_of(t, FREE) == COVEY_NO_STREAM) return false;
  }
  for (i = 0; i < COVEY_WINDOWS; ++i) {
    const covey_window_t* w = &t->windows[i];
    foreign += is_cell(w) && w->stream != stream && w->stream != t->stream;
  }
  return foreign + 2 <= COVEY_BACKLOG_CELLS;
}

/* ---- Merging */

/* The stream's cell, begun if there is none yet. */
static covey_window_t* cell_of(covey_telemetry_t* t) {
  covey_window_t* cell = NULL;
  covey_window_t* w;
  unsigned i;
  for (w = t->windows; w != &t->windows[COVEY_WINDOWS]; ++w) {
    if (is_cell(w) && w->stream == t->stream) return w;
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
    if (s->inference > a->renewed_at) covey_keep_sample(into, s);
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

#if COVEY_SHADOW
/* Shadow counts are about one candidate: those of an older one make way. */
static void merge_shadow(covey_window_t* cell, covey_shadow_counts_t* shadow) {
  uint32_t* counts = &cell->counts[COVEY_COUNTS_OPEN];
  unsigned i;
  if (memcmp(cell->shadow, shadow->candidate, COVEY_PREFIX_BYTES) != 0) {
    memset(counts, 0, (COVEY_COUNTS - COVEY_COUNTS_OPEN) * sizeof counts[0]);
    memcpy(cell->shadow, shadow->candidate, COVEY_PREFIX_BYTES);
  }
  for (i = 0; i < COVEY_COUNTS - COVEY_COUNTS_OPEN; ++i) counts[i] += shadow->counts[i];
  memset(shadow->counts, 0, sizeof shadow->counts);
}
#endif

/* What was closed goes into its stream's cell, if the recorder has left it. */
static void merge_closed(covey_agent_t* a, covey_telemetry_t* t) {
  const uint32_t recording = t->recording;
  const unsigned state = t->state;
  covey_open_window_t* from = &t->open[(state & 1U) ^ 1U];
  covey_window_t* cell;
  covey_tally_t* into;
  unsigned i;
  if ((state & COVEY_SPARE) != 0) return;
  if ((recording & 1U) != 0 && recording == t->inside) return;
  COVEY_BARRIER();
  cell = cell_of(t);
  if (cell == NULL) { /* covey_telemetry_room() was not asked: kept rather than lost */
    covey_bug(a);
    return;
  }
  into = &cell->tally;
#if COVEY_SHADOW
  merge_shadow(cell, &t->shadow);
#endif
  for (i = 0; i < COVEY_COUNTS_OPEN; ++i) cell->counts[i] += from->counts[i];
  for (i = 0; i < COVEY_SUMS; ++i) into->sums[i] += from->tally.sums[i];
  for (i = 0; i < 2 * COVEY_FEATURE_ROOM; ++i) {
    if (from->tally.extremes[i] > into->extremes[i]) into->extremes[i] = from->tally.extremes[i];
  }
  if (from->tally.latency_max_us > into->latency_max_us) {
    into->latency_max_us = from->tally.latency_max_us;
  }
  if (into->inferences == 0) into->first_inference = from->tally.first_inference;
  into->inferences += from->tally.inferences;
  into->errors += from->tally.errors;
#if COVEY_SAMPLES_MAX > 0
  merge_samples(a, &into->samples, &from->tally.samples);
#endif
#if COVEY_HEALTH
  take_health(cell, t);
#endif
#if COVEY_OUTBOX
  cell->kept = false;
#endif
  ++cell->merged;
  cell->t1_ms = a->now_ms;
  t->streams[t->stream].inferences_total += from->tally.inferences;
  memset(from, 0, sizeof *from);
  t->opened_ms = a->now_ms;
  COVEY_BARRIER();
  t->state = (uint8_t)(state | COVEY_SPARE);
}

void covey_telemetry_close(covey_agent_t* a, covey_telemetry_t* t) {
  unsigned state;
  merge_closed(a, t);
  state = t->state;
  if (empty(&t->open[state & 1U])) {
    t->opened_ms = a->now_ms;
  } else if ((state & COVEY_SPARE) != 0) {
    t->state = (uint8_t)((state & 1U) ^ 1U);
    COVEY_BARRIER();
    t->inside = t->recording;
    merge_closed(a, t);
  }
}

static void close_all(covey_agent_t* a) {
  const covey_model_t* m;
  covey_lock(a);
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_telemetry_t* t = m->config->telemetry;
    if (t != NULL && t->stream != COVEY_NO_STREAM) covey_telemetry_close(a, t);
  }
  covey_unlock(a);
}

void covey_agent_flush(covey_agent_t* a, uint64_t now_ms) {
  covey_clock(a, now_ms);
  close_all(a);
  covey_outbox_keep_all(a);
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

static void begin_stream(covey_agent_t* a, covey_telemetry_t* t, const uint8_t* manifest) {
  t->stream = stream_of(t, manifest);
  if (t->stream == COVEY_NO_STREAM) t->stream = stream_of(t, FREE);
  if (t->stream == COVEY_NO_STREAM) {
    covey_bug(a); /* a fall-back is always to a stream that was here, or early in a boot */
    return;
  }
  memcpy(t->streams[t->stream].manifest, manifest, COVEY_PREFIX_BYTES);
}

/* All that was counted goes to the stream before; then comes what is active now. False: somebody is
 * inside, so not yet. */
static bool exchange(covey_agent_t* a, const covey_model_t* m, covey_telemetry_t* t) {
  const uint8_t* manifest = covey_slot_digest(m, m->active);
  if ((t->recording & 1U) != 0) return false;
  COVEY_BARRIER();
  if (t->stream != COVEY_NO_STREAM) {
    covey_telemetry_close(a, t);
    if ((t->state & COVEY_SPARE) == 0 || !empty(&t->open[t->state & 1U])) return false;
  }
  t->stream = COVEY_NO_STREAM;
  t->opened_ms = a->now_ms;
  t->random = covey_random32(a);
  if (manifest != NULL) {
    begin_stream(a, t, manifest);
    load_tables(a, m, &t->tables);
  }
  COVEY_BARRIER();
  t->counting = t->stream != COVEY_NO_STREAM;
  return true;
}

void covey_telemetry_switch(covey_agent_t* a, const covey_model_t* m) {
  covey_telemetry_t* t = m->config->telemetry;
  if (t == NULL) return;
  covey_lock(a);
  t->counting = false;
  COVEY_BARRIER();
  t->exchange = !exchange(a, m, t);
  covey_unlock(a);
}

/* ---- Sending */

void covey_telemetry_number(const covey_telemetry_t* t, covey_window_t* cell) {
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

static void freeze_next(covey_agent_t* a, covey_telemetry_t* t) {
  unsigned i;
  /* First what ran before, then what runs: its cell may be needed. */
  for (i = 0; i < 2 * COVEY_WINDOWS; ++i) {
    covey_window_t* cell = &t->windows[i % COVEY_WINDOWS];
    if (t->in_flight == COVEY_WINDOWS_IN_FLIGHT || a->in_flight >= a->credit) return;
    if (!is_cell(cell) || (cell->stream == t->stream && i < COVEY_WINDOWS)) continue;
    /* From now on this window has a number and never changes. */
    covey_telemetry_number(t, cell);
    ++t->streams[cell->stream].sequence;
    ++t->in_flight;
    ++a->in_flight;
  }
}

/* What a broken agent does (covey/broken.h). */
static void count_again(covey_telemetry_t* t, const covey_window_t* frozen) {
  unsigned i;
  for (i = 0; frozen->resend.tries == 1 && i < COVEY_WINDOWS; ++i) {
    if (t->windows[i].merged != 0) continue;
    t->windows[i] = *frozen;
    t->windows[i].sequence = 0;
    t->streams[frozen->stream].inferences_total += frozen->tally.inferences;
    return;
  }
}

static void send_step(covey_agent_t* a, covey_telemetry_t* t) {
  covey_window_t* frozen;
  freeze_next(a, t);
  for (frozen = t->windows; frozen != &t->windows[COVEY_WINDOWS]; ++frozen) {
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

/* What waited for the recorder to leave; polled until then. */
static void catch_up(covey_agent_t* a, const covey_model_t* m, covey_telemetry_t* t) {
  static const covey_timer_t later = {COVEY_SHORT_WAIT_MS, 0};
  covey_lock(a);
  if (t->exchange) {
    t->exchange = !exchange(a, m, t);
  } else {
    merge_closed(a, t);
  }
  covey_unlock(a);
  if (t->exchange || (t->state & COVEY_SPARE) == 0) (void)covey_due(a, &later);
}

void covey_telemetry_step(covey_agent_t* a) {
  covey_timer_t* window = &a->timers[COVEY_TIMER_WINDOW];
  const covey_model_t* m;
  bool send;
  covey_outbox_step(a); /* before windows close: what is there now waited for more than a moment */
  if (covey_due(a, window)) {
    close_all(a);
    window->left_ms = a->times.report_interval_ms;
    (void)covey_due(a, window);
  }
  /* Connected, and not asked to wait? */
  send = a->hello_sent && covey_due(a, &a->timers[COVEY_TIMER_REPORT]);
  send = send && covey_outbox_send(a);
  for (m = a->models; m != covey_models_end(a); ++m) {
    if (m->config->telemetry == NULL) continue;
    catch_up(a, m, m->config->telemetry);
    if (send) send_step(a, m->config->telemetry);
  }
}

void covey_telemetry_connected(covey_agent_t* a) {
  const covey_model_t* m;
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_telemetry_t* t = m->config->telemetry;
    unsigned i;
    for (i = 0; t != NULL && i < COVEY_WINDOWS; ++i) {
      covey_timer_t* resend = &t->windows[i].resend;
      resend->tries = resend->tries > 0 ? 1 : 0;
      resend->left_ms = covey_jitter(a, a->times.retry_min_ms / 4 + 1);
    }
  }
}

bool covey_acknowledges(const covey_stream_ack_t* ack, uint32_t sequence) {
  const uint32_t ahead = sequence - ack->cumulative - 1;
  return sequence <= ack->cumulative || (ahead < 64 && (ack->bitmap >> ahead & 1) != 0);
}

void covey_telemetry_ack(covey_agent_t* a, const covey_stream_ack_t* ack) {
  const covey_model_t* m;
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_telemetry_t* t = m->config->telemetry;
    unsigned i;
    for (i = 0; t != NULL && i < COVEY_WINDOWS; ++i) {
      covey_window_t* frozen = &t->windows[i];
      if (frozen->sequence == 0 ||
          memcmp(t->streams[frozen->stream].manifest, ack->manifest, COVEY_PREFIX_BYTES) != 0) {
        continue;
      }
      if (covey_acknowledges(ack, frozen->sequence)) {
        covey_outbox_release(a, frozen);
        frozen->sequence = 0;
        frozen->merged = 0;
        --t->in_flight;
        --a->in_flight;
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
  count = (uint64_t)t->open[0].tally.inferences + t->open[1].tally.inferences;
  for (i = 0; i < COVEY_WINDOWS; ++i) {
    if (t->windows[i].merged != 0) count += t->windows[i].tally.inferences;
  }
  return count;
}
