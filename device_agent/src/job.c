/* The one transfer at a time: manifest, erase, tables, chunks, verification. A job lives in memory
 * only; what it achieved is in the slot and is found again by hashing (covey_chunks_scan). */
#include "internal.h"

#define AGAIN_MAX 3U

static covey_timer_t* timer_of(covey_agent_t* a) { return &a->timers[COVEY_TIMER_JOB]; }

static int view_of(covey_agent_t* a, covey_slot_view_t* view) {
  return covey_slot_view(a->job.model, a->job.slot, view);
}

const uint8_t* covey_job_wants(covey_agent_t* a) {
  const uint32_t table = (uint32_t)a->job.state - COVEY_JOB_TABLE;
  covey_slot_view_t view;
  if (a->job.state == COVEY_JOB_MANIFEST) return a->job.model->goal.candidate;
  return table < COVEY_STREAMED_TABLES && view_of(a, &view) == 0 ? view.tables[table].digest : NULL;
}

/* Subscribes to the retained message that is waited for, or ends that. */
static int subscribe(covey_agent_t* a, bool on) {
  const covey_link_t* link = &covey_port(a)->link;
  char topic[COVEY_TOPIC_BYTES_MAX];
  const uint8_t* digest = covey_job_wants(a);
  if (digest == NULL) return COVEY_OK;
  covey_topic_digest(digest, topic);
  /* A subscription left over brings one message that nobody waits for. */
  return on ? link->subscribe(link->ctx, topic, 1) : link->unsubscribe(link->ctx, topic);
}

void covey_job_enter(covey_agent_t* a, enum covey_job_state state) {
  covey_job_t* job = &a->job;
  if (job->asked) (void)subscribe(a, false);
  job->state = (uint8_t)state;
  job->asked = false;
  job->why = 0;
  job->cursor = 0;
  job->received = 0;
  timer_of(a)->left_ms = 0;
  timer_of(a)->tries = 0;
  covey_soon(a);
}

static uint8_t pick_slot(const covey_model_t* m) {
  uint8_t best = COVEY_NO_SLOT;
  uint8_t slot;
  for (slot = 0; slot < m->config->slot_count; ++slot) {
    if (slot == m->record.confirmed) continue;
    if (best == COVEY_NO_SLOT || best == m->record.fallback) best = slot;
  }
  return best;
}

int covey_job_commit(covey_agent_t* a, covey_phase_t phase) {
  covey_model_t* m = a->job.model;
  m->record.phase = (uint8_t)phase;
  m->record.candidate = a->job.slot;
  if (m->record.fallback == a->job.slot && phase == COVEY_PHASE_DOWNLOADING) {
    m->record.fallback = COVEY_NO_SLOT; /* it is about to be overwritten */
  }
  return covey_model_commit(m);
}

/* Begins with a manifest: a new one, or that of the slot, which was begun before. */
static int begin(covey_agent_t* a, covey_bytes_t message, bool again) {
  covey_job_t* job = &a->job;
  covey_model_t* m = job->model;
  covey_slot_view_t view;
  int error = covey_manifest_accept(a, m, job->slot, &message);
  if (error != 0) { /* nothing was touched; unless it was this slot that went bad before */
    covey_model_end(m, job->bytes_left == 0 ? COVEY_PHASE_DECLINED : COVEY_PHASE_FAILED, error);
    return error;
  }
  if (covey_job_commit(a, COVEY_PHASE_DOWNLOADING) != 0) {
    covey_job_enter(a, COVEY_JOB_NONE);
    return COVEY_OK;
  }
  if (!again) error = covey_slot_begin(m, job->slot, message);
  if (error == 0) error = view_of(a, &view);
  if (error != 0) return covey_job_fail(a, error);
  if (job->bytes_left == 0) job->bytes_left = view.manifest.image_size * COVEY_BYTE_BUDGET_FACTOR;
  memset(a->job_have, 0, sizeof a->job_have);
  job->missing = 0;
  m->chunks_have = 0;
  m->chunks_total = view.manifest.chunk_count;
  covey_job_enter(a, again ? COVEY_JOB_SCAN : COVEY_JOB_ERASE);
  return COVEY_OK;
}

void covey_job_start(covey_model_t* m) {
  covey_agent_t* a = m->agent;
  const uint8_t found = covey_slot_find(m, m->goal.candidate);
  covey_slot_view_t view;
  int error = COVEY_ERROR_SLOT_TOO_SMALL;
  memset(&a->job, 0, sizeof a->job);
  a->job.model = m;
  a->job.slot = found != COVEY_NO_SLOT ? found : pick_slot(m);
  m->chunks_have = 0;
  m->chunks_total = 0;
  if (found != COVEY_NO_SLOT) {
    /* Begun before: but the floor, the firmware and the keys may be others now. */
    error = view_of(a, &view);
    if (error == 0) {
      (void)begin(a, view.message, true);
      return;
    }
  } else if (a->job.slot != COVEY_NO_SLOT) {
    covey_job_enter(a, COVEY_JOB_MANIFEST);
    return;
  }
  covey_model_end(m, COVEY_PHASE_DECLINED, error);
}

void covey_job_abort(covey_agent_t* a, const covey_model_t* m) {
  if (a->job.model == m) covey_job_enter(a, COVEY_JOB_NONE);
}

int covey_job_fail(covey_agent_t* a, int error) {
  covey_model_fail(a->job.model, error);
  return error;
}

void covey_job_again(covey_agent_t* a, int error) {
  if (++a->job.bad > AGAIN_MAX) {
    (void)covey_job_fail(a, error);
  } else {
    covey_job_enter(a, COVEY_JOB_MANIFEST);
  }
}

bool covey_job_retry(covey_agent_t* a, int error) {
  covey_job_t* job = &a->job;
  job->asked = false;
  if (job->why == 0 || error != COVEY_ERROR_FETCH_TIMEOUT) job->why = (int16_t)error;
  if (++timer_of(a)->tries <= COVEY_FETCH_TRIES_MAX) return true;
  (void)covey_job_fail(a, job->why);
  return false;
}

void covey_job_connected(covey_agent_t* a) { /* a new session: nothing is subscribed or asked */
  a->job.asked = false;
  timer_of(a)->left_ms = 0;
}

int covey_job_manifest(covey_agent_t* a, covey_bytes_t message) {
  return a->job.state == COVEY_JOB_MANIFEST ? begin(a, message, false) : COVEY_OK;
}

static int erase_step(covey_agent_t* a, const covey_slot_view_t* view) {
  covey_job_t* job = &a->job;
  const uint32_t unit = covey_port(a)->flash.erase_unit_bytes;
  int error;
  /* What covey_slot_begin did not erase, from the chunk table on. */
  if (job->cursor == 0) job->cursor = covey_align(view->tables[COVEY_CHUNK_TABLE].at, unit);
  if (job->cursor < view->image + view->manifest.image_size) {
    error = covey_flash_erase(a, job->cursor, unit);
    job->cursor += unit;
    return error;
  }
  error = covey_slot_mark(a, view->base + COVEY_ROW_BYTES, COVEY_ROW_ERASED, 0);
  if (error != 0) return error;
  covey_slots_scan(job->model);
  covey_job_enter(a, COVEY_JOB_TABLE);
  return COVEY_OK;
}

/* ---- Retained tables, streamed into flash */

static int write_tables_row(covey_agent_t* a, const covey_slot_view_t* view, uint32_t size) {
  return covey_slot_mark(a, view->tables[COVEY_TELEMETRY_TABLES].at - COVEY_ROW_BYTES,
                         COVEY_ROW_TABLES, size);
}

/* All is in flash: the next table, or the image. Errors: `bad`: begins anew. */
static int table_complete(covey_agent_t* a, covey_slot_view_t* view, uint32_t table, int bad) {
  covey_section_t* next = &view->tables[COVEY_TELEMETRY_TABLES];
  covey_bytes_t tables;
  int error;
  if (!covey_flash_matches(a, &view->tables[table], COVEY_DIGEST_BYTES)) {
    covey_job_again(a, bad);
    return COVEY_OK;
  }
  if (table == COVEY_CHUNK_TABLE) {
    covey_job_enter(a, COVEY_JOB_TABLES);
    /* No message can carry nothing: an empty table needs none. */
    next->size = 0;
    if (!covey_flash_matches(a, next, COVEY_DIGEST_BYTES)) return COVEY_OK;
    error = write_tables_row(a, view, 0);
  } else {
    tables.bytes = covey_slot_bytes(a, next->at);
    tables.size = next->size;
    error = covey_tables_parse(tables, NULL);
  }
  if (error == 0) covey_job_enter(a, COVEY_JOB_CHUNKS);
  return error;
}

int covey_job_table(covey_agent_t* a, const uint8_t* piece, size_t size, size_t offset) {
  const uint32_t total = a->inbox.total;
  covey_job_t* job = &a->job;
  const uint32_t table = (uint32_t)job->state - COVEY_JOB_TABLE;
  const int bad =
      table == COVEY_CHUNK_TABLE ? COVEY_ERROR_CHUNK_TABLE_DIGEST : COVEY_ERROR_TABLES_INVALID;
  covey_slot_view_t view;
  int error;
  if (table >= COVEY_STREAMED_TABLES) return COVEY_OK;
  error = view_of(a, &view);
  if (error != 0) return error;
  if (table == COVEY_TELEMETRY_TABLES && !view.tables_present && total <= COVEY_TABLES_BYTES_MAX) {
    view.tables[table].size = total;
    error = write_tables_row(a, &view, total);
  }
  if (total != view.tables[table].size) {
    covey_job_again(a, bad);
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  for (; size-- > 0 && error == 0; ++offset, ++piece) {
    const uint32_t in_row = job->received % COVEY_ROW_BYTES;
    /* After an interruption the message comes again from its beginning: what is in flash already
     * is not written twice. */
    if (offset != job->received) continue;
    a->job_work.row[in_row] = *piece;
    ++job->received;
    if (in_row == COVEY_ROW_BYTES - 1 || job->received == total) {
      error = covey_flash_write(a, view.tables[table].at + job->received - in_row - 1,
                                a->job_work.row, in_row + 1);
    }
  }
  if (error == 0 && job->received == total) error = table_complete(a, &view, table, bad);
  return error != 0 ? covey_job_fail(a, error) : COVEY_OK;
}

void covey_job_asked(covey_agent_t* a, int error) {
  covey_timer_t* timer = timer_of(a);
  a->job.asked = error == 0;
  timer->left_ms = error == 0 ? covey_backoff(a, timer->tries) : (uint32_t)COVEY_SHORT_WAIT_MS;
  (void)covey_due(a, timer);
}

/* Subscribes to the retained message, and again when it does not come. */
static void wait_step(covey_agent_t* a) {
  if (!a->hello_sent || !covey_due(a, timer_of(a))) return; /* also: not connected */
  if (a->job.asked) {
    (void)subscribe(a, false);
    if (!covey_job_retry(a, COVEY_ERROR_FETCH_TIMEOUT)) return;
  }
  covey_job_asked(a, subscribe(a, true));
}

void covey_job_step(covey_agent_t* a) {
  covey_slot_view_t view;
  int error = COVEY_OK;
  if (a->job.state == COVEY_JOB_NONE) return;
  if (a->job.state != COVEY_JOB_MANIFEST) error = view_of(a, &view);
  if (error != 0) {
    covey_job_again(a, error);
    return;
  }
  switch ((enum covey_job_state)a->job.state) {
    case COVEY_JOB_NONE:
      break;
    case COVEY_JOB_MANIFEST:
    case COVEY_JOB_TABLE:
    case COVEY_JOB_TABLES:
      wait_step(a);
      break;
    case COVEY_JOB_ERASE:
      error = erase_step(a, &view);
      covey_soon(a);
      break;
    case COVEY_JOB_SCAN:
      error = covey_chunks_scan(a, &view);
      covey_soon(a);
      break;
    case COVEY_JOB_CHUNKS:
      error = covey_chunks_step(a, &view);
      break;
    case COVEY_JOB_VERIFY:
      error = covey_verify_step(a, &view);
      covey_soon(a);
      break;
  }
  if (error != 0) (void)covey_job_fail(a, error);
}
