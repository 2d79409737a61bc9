/* The one transfer at a time: manifest, erase, tables, chunks, verification. A job lives in memory
 * only; what it achieved is in the slot and is found again by hashing (covey_chunks_scan). */
#include "internal.h"

#define AGAIN_MAX 3U

static covey_timer_t* timer_of(covey_agent_t* a) { return &a->timers[COVEY_TIMER_JOB]; }

static int view_of(covey_agent_t* a, covey_slot_view_t* view) {
  return covey_slot_view(a, a->job.model, a->job.slot, view);
}

const uint8_t* covey_job_wants(covey_agent_t* a) {
  covey_slot_view_t view;
  if (a->job.state == COVEY_JOB_MANIFEST) return a->job.model->goal.candidate;
  if (a->job.state != COVEY_JOB_TABLE && a->job.state != COVEY_JOB_TABLES) return NULL;
  if (view_of(a, &view) != 0) return NULL;
  return a->job.state == COVEY_JOB_TABLE ? view.manifest.chunk_table_digest
                                         : view.manifest.tables_digest;
}

/* Subscribes to the retained message that is waited for, or ends that. */
static int subscribe(covey_agent_t* a, bool on) {
  const covey_link_t* link = &covey_port(a)->link;
  char topic[COVEY_TOPIC_BYTES_MAX];
  const uint8_t* digest = covey_job_wants(a);
  if (on == a->job.subscribed || digest == NULL) return COVEY_OK;
  a->job.subscribed = on;
  covey_topic_digest(digest, topic);
  /* A subscription left over brings one message that nobody waits for. */
  return on ? link->subscribe(link->ctx, topic, 1) : link->unsubscribe(link->ctx, topic);
}

void covey_job_enter(covey_agent_t* a, enum covey_job_state state) {
  covey_job_t* job = &a->job;
  (void)subscribe(a, false);
  job->state = (uint8_t)state;
  job->asked = false;
  job->subscribed = false;
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
  covey_model_record_t* record = covey_model_edit(a->job.model);
  record->phase = (uint8_t)phase;
  record->candidate = a->job.slot;
  if (record->fallback == a->job.slot && phase == COVEY_PHASE_DOWNLOADING) {
    record->fallback = COVEY_NO_SLOT; /* it is about to be overwritten */
  }
  return covey_model_commit(a, a->job.model);
}

/* The slot's manifest is good and its content is this job's work. */
static void begin(covey_agent_t* a, const covey_slot_view_t* view, enum covey_job_state state) {
  if (a->job.bytes_left == 0) {
    a->job.bytes_left = (uint64_t)view->manifest.image_size * COVEY_BYTE_BUDGET_FACTOR;
  }
  memset(a->job.have, 0, sizeof a->job.have);
  a->job.missing = 0;
  a->job.model->chunks_have = 0;
  a->job.model->chunks_total = view->manifest.chunk_count;
  covey_job_enter(a, state);
}

void covey_job_start(covey_agent_t* a, covey_model_t* m) {
  const uint8_t found = covey_slot_find(m, m->goal.candidate);
  covey_slot_view_t view;
  int error = COVEY_ERROR_SLOT_TOO_SMALL;
  memset(&a->job, 0, sizeof a->job);
  a->job.model = m;
  a->job.slot = found != COVEY_NO_SLOT ? found : pick_slot(m);
  m->chunks_have = 0;
  m->chunks_total = 0;
  if (found == COVEY_NO_SLOT && a->job.slot != COVEY_NO_SLOT) {
    covey_job_enter(a, COVEY_JOB_MANIFEST);
    return;
  }
  /* Begun before: but the floor, the firmware and the keys may be others now. */
  if (found != COVEY_NO_SLOT) error = view_of(a, &view);
  if (error == 0) error = covey_manifest_accept(a, m, found, &view.message);
  if (error != 0) {
    covey_model_end(a, m, COVEY_PHASE_DECLINED, error);
  } else if (covey_job_commit(a, COVEY_PHASE_DOWNLOADING) == 0) {
    begin(a, &view, COVEY_JOB_SCAN);
  }
}

void covey_job_abort(covey_agent_t* a, const covey_model_t* m) {
  if (a->job.model == m) covey_job_enter(a, COVEY_JOB_NONE);
}

void covey_job_fail(covey_agent_t* a, int error) {
  covey_model_end(a, a->job.model, COVEY_PHASE_FAILED, error);
}

void covey_job_again(covey_agent_t* a, int error) {
  if (++a->job.bad > AGAIN_MAX) {
    covey_job_fail(a, error);
  } else {
    covey_job_enter(a, COVEY_JOB_MANIFEST);
  }
}

bool covey_job_retry(covey_agent_t* a, int error) {
  covey_job_t* job = &a->job;
  job->asked = false;
  if (job->why == 0 || error != COVEY_ERROR_FETCH_TIMEOUT) job->why = covey_reason(error);
  if (++timer_of(a)->tries <= COVEY_FETCH_TRIES_MAX) return true;
  covey_job_fail(a, -(int)job->why);
  return false;
}

void covey_job_connected(covey_agent_t* a) { /* a new session: nothing is subscribed or asked */
  a->job.subscribed = false;
  a->job.asked = false;
  timer_of(a)->left_ms = 0;
}

int covey_job_manifest(covey_agent_t* a, covey_bytes_t message) {
  covey_model_t* m = a->job.model;
  covey_slot_view_t view;
  int error;
  if (a->job.state != COVEY_JOB_MANIFEST) return COVEY_OK;
  error = covey_manifest_accept(a, m, a->job.slot, &message);
  if (error != 0) { /* nothing was touched; unless it was this slot that went bad before */
    covey_model_end(a, m,
                    m->record.phase == COVEY_PHASE_IDLE ? COVEY_PHASE_DECLINED : COVEY_PHASE_FAILED,
                    error);
    return error;
  }
  if (covey_job_commit(a, COVEY_PHASE_DOWNLOADING) != 0) {
    covey_job_abort(a, m);
    return COVEY_OK;
  }
  error = covey_slot_begin(a, m, a->job.slot, message);
  if (error == 0) error = view_of(a, &view);
  if (error == 0) {
    begin(a, &view, COVEY_JOB_ERASE);
  } else {
    covey_job_fail(a, error);
  }
  return error;
}

static int erase_step(covey_agent_t* a, const covey_slot_view_t* view) {
  covey_job_t* job = &a->job;
  const uint32_t unit = covey_port(a)->flash.erase_unit_bytes;
  int error;
  if (job->cursor == 0) job->cursor = covey_align(view->table - view->base, unit);
  if (view->base + job->cursor < view->image + view->manifest.image_size) {
    error = covey_flash_erase(a, view->base + job->cursor, unit);
    job->cursor += unit;
    return error;
  }
  error = covey_slot_mark_erased(a, view);
  if (error != 0) return error;
  covey_slots_scan(a, job->model);
  covey_job_enter(a, COVEY_JOB_TABLE);
  return COVEY_OK;
}

/* ---- Retained tables, streamed into flash */

static void table_complete(covey_agent_t* a, const covey_slot_view_t* view, uint32_t at,
                           uint32_t size) {
  const bool chunk_table = a->job.state == COVEY_JOB_TABLE;
  covey_bytes_t tables;
  if (!covey_flash_matches(
          a, at, size,
          chunk_table ? view->manifest.chunk_table_digest : view->manifest.tables_digest)) {
    covey_job_again(a, chunk_table ? COVEY_ERROR_CHUNK_TABLE_DIGEST : COVEY_ERROR_TABLES_INVALID);
    return;
  }
  if (chunk_table) {
    covey_job_enter(a, COVEY_JOB_TABLES);
    return;
  }
  tables.bytes = covey_slot_bytes(a, at);
  tables.size = size;
  if (covey_tables_parse(tables, NULL) != 0) {
    covey_job_fail(a, COVEY_ERROR_TABLES_INVALID);
  } else {
    covey_job_enter(a, COVEY_JOB_CHUNKS);
  }
}

int covey_job_table(covey_agent_t* a, const uint8_t* piece, size_t size, size_t offset,
                    size_t total) {
  covey_job_t* job = &a->job;
  covey_slot_view_t view;
  const bool chunk_table = job->state == COVEY_JOB_TABLE;
  uint32_t at;
  int error;
  if (!chunk_table && job->state != COVEY_JOB_TABLES) return COVEY_OK;
  error = view_of(a, &view);
  if (error != 0) return error;
  at = chunk_table ? view.table : view.tables;
  if (chunk_table
          ? total != (size_t)view.manifest.chunk_count * COVEY_CHUNK_DIGEST_BYTES
          : total > COVEY_TABLES_BYTES_MAX || (view.tables_present && total != view.tables_size)) {
    covey_job_again(a, chunk_table ? COVEY_ERROR_CHUNK_TABLE_DIGEST : COVEY_ERROR_TABLES_INVALID);
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  if (!chunk_table && !view.tables_present) {
    error = covey_slot_write_tables_row(a, &view, (uint32_t)total);
  }
  for (; size-- > 0 && error == 0; ++offset, ++piece) {
    const uint32_t in_row = job->received % COVEY_ROW_BYTES;
    /* After an interruption the message comes again from its beginning: what is in flash already
     * is not written twice. */
    if (offset != job->received) continue;
    job->row[in_row] = *piece;
    ++job->received;
    if (in_row == COVEY_ROW_BYTES - 1 || job->received == total) {
      error = covey_flash_write(a, at + job->received - in_row - 1, job->row, in_row + 1);
    }
  }
  if (error != 0) {
    covey_job_fail(a, error);
  } else if (job->received == total) {
    table_complete(a, &view, at, (uint32_t)total);
  }
  return error;
}

/* Subscribes to the retained message, and again when it does not come. */
static int wait_step(covey_agent_t* a, const covey_slot_view_t* view) {
  covey_job_t* job = &a->job;
  /* No message can carry nothing: an empty table needs none. */
  if (job->state == COVEY_JOB_TABLES &&
      covey_flash_matches(a, view->tables, 0, view->manifest.tables_digest)) {
    const int error = covey_slot_write_tables_row(a, view, 0);
    if (error == 0) covey_job_enter(a, COVEY_JOB_CHUNKS);
    return error;
  }
  if (!a->hello_sent || !covey_due(a, timer_of(a))) return COVEY_OK; /* also: not connected */
  if (job->asked) {
    (void)subscribe(a, false);
    if (!covey_job_retry(a, COVEY_ERROR_FETCH_TIMEOUT)) return COVEY_OK;
  }
  job->asked = subscribe(a, true) == 0;
  job->subscribed = job->asked;
  timer_of(a)->left_ms =
      job->asked ? covey_backoff(a, timer_of(a)->tries) : (uint32_t)COVEY_SHORT_WAIT_MS;
  (void)covey_due(a, timer_of(a));
  return COVEY_OK;
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
      error = wait_step(a, &view);
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
  if (error != 0) covey_job_fail(a, error);
}
