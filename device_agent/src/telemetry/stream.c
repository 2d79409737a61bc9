/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: under which manifest is counted, and how that changes while somebody records. */
#include "parts.h"

static const uint8_t FREE[COVEY_PREFIX_BYTES] = {0}; /* in the place of a manifest */

static uint8_t stream_of(const covey_telemetry_t* t, const uint8_t* manifest) {
  uint8_t s = 0;
  while (!covey_bytes_same_prefix(t->streams[s].manifest, manifest)) {
    if (++s == COVEY_STREAMS_MAX) return COVEY_NO_STREAM;
  }
  return s;
}

/* Every place for a stream is taken and nothing is on its way: as after a reboot, a new boot id
 * begins new streams. What the open windows hold belongs to them; samples, whose ids were given
 * under the old boot id, are dropped. */
static void renew_boot(covey_agent_t* a) {
  const covey_crypto_t* crypto = &covey_core_port(a)->crypto;
  uint64_t boot_id;
  covey_model_t* m;
  for (m = a->models; m != covey_models_end(a); ++m) {
    if (m->config->telemetry != NULL && !covey_window_none_held(m->config->telemetry)) return;
  }
  if (crypto->random(crypto->ctx, &boot_id, sizeof boot_id) != 0 || boot_id == 0) return;
  a->boot_id = boot_id;
  a->renewed_at = a->inference;
  a->status_number = 0;
  a->status_acked = 0;
  covey_news_hello(a, 0);
  covey_news_status(a);
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

bool covey_stream_room(covey_agent_t* a, const covey_model_t* m, const uint8_t* manifest) {
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
    foreign += covey_window_is_cell(w) && w->stream != stream && w->stream != t->stream;
  }
  return foreign + 2 <= COVEY_BACKLOG_CELLS;
}

static void load_tables(covey_agent_t* a, const covey_model_t* m, covey_tables_t* tables) {
  covey_slot_view_t view;
  covey_bytes_t bytes = {NULL, 0};
  if (covey_slot_view(m, m->active, &view) == 0 && view.tables_present) {
    bytes.bytes = covey_flash_bytes(a, view.tables[COVEY_TELEMETRY_TABLES].at);
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
    covey_core_bug(a); /* a fall-back is always to a stream that was here, or early in a boot */
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
    covey_window_close(a, t);
    if ((t->state & COVEY_SPARE) == 0 || !covey_window_empty(&t->open[t->state & 1U])) return false;
  }
  t->stream = COVEY_NO_STREAM;
  t->opened_ms = a->now_ms;
  t->random = covey_random_next(a);
  if (manifest != NULL) {
    begin_stream(a, t, manifest);
    load_tables(a, m, &t->tables);
  }
  COVEY_BARRIER();
  t->counting = t->stream != COVEY_NO_STREAM;
  return true;
}

void covey_stream_switch(covey_agent_t* a, const covey_model_t* m) {
  covey_telemetry_t* t = m->config->telemetry;
  if (t == NULL) return;
  covey_core_lock(a);
  t->counting = false;
  COVEY_BARRIER();
  t->exchange = !exchange(a, m, t);
  covey_core_unlock(a);
}

bool covey_stream_catch_up(covey_agent_t* a, const covey_model_t* m) {
  covey_telemetry_t* t = m->config->telemetry;
  covey_core_lock(a);
  if (t->exchange) {
    t->exchange = !exchange(a, m, t);
  } else {
    covey_window_merge(a, t);
  }
  covey_core_unlock(a);
  return !t->exchange && (t->state & COVEY_SPARE) != 0;
}
