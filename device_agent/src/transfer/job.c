/* SPDX-License-Identifier: Apache-2.0 */
/* The one transfer at a time: manifest, erase, tables, chunks, verification. A job lives in memory
 * only; what it achieved is in the slot and is found again by hashing (covey_chunks_scan). */
#include "parts.h"

#define AGAIN_MAX 3U
#define CHUNKS_BAD_MAX 8U

static int view_of(covey_agent_t* a, covey_slot_view_t* view) {
  return covey_slot_view(a->job.model, a->job.slot, view);
}

const uint8_t* covey_job_wants(covey_agent_t* a) {
  const uint32_t table = (uint32_t)a->job.state - COVEY_JOB_TABLE;
  covey_slot_view_t view;
  if (a->job.state == COVEY_JOB_MANIFEST) return a->job.model->goal.work.candidate;
  return table < COVEY_STREAMED_TABLES && view_of(a, &view) == 0 ? view.tables[table].digest : NULL;
}

/* Subscribes to the retained message that is waited for, or ends that. */
static int subscribe(covey_agent_t* a, bool on) {
  const covey_link_t* link = &covey_core_port(a)->link;
  char topic[COVEY_TOPIC_BYTES_MAX];
  const uint8_t* digest = covey_job_wants(a);
  if (digest == NULL) return COVEY_OK;
  covey_topic_digest(digest, topic);
  /* A subscription left over brings one message that nobody waits for. */
  return on ? link->subscribe(link->ctx, topic, 1) : link->unsubscribe(link->ctx, topic);
}

static void enter(covey_agent_t* a, enum covey_job_state state) {
  covey_job_t* job = &a->job;
  if (job->asked) (void)subscribe(a, false);
  job->state = (uint8_t)state;
  job->cursor = 0;
  job->received = 0;
  covey_request_reset(a);
  covey_clock_soon(a);
}

/* The attempt is over, without success. Returns the error. */
static int end(covey_agent_t* a, covey_phase_t phase, int error) {
  covey_transition_end(a->job.model, phase, error);
  enter(a, COVEY_JOB_NONE);
  return error;
}

static int fail(covey_agent_t* a, int error) { return end(a, COVEY_PHASE_FAILED, error); }

/* What is in the slot is no good: begins anew, or fails when that happened too often. */
static void again(covey_agent_t* a, int error) {
  if (++a->job.bad > AGAIN_MAX) {
    (void)fail(a, error);
  } else {
    enter(a, COVEY_JOB_MANIFEST);
  }
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

static int commit(covey_agent_t* a, covey_phase_t phase) {
  covey_model_t* m = a->job.model;
  m->record.phase = (uint8_t)phase;
  m->record.candidate = a->job.slot;
  if (m->record.fallback == a->job.slot && phase == COVEY_PHASE_DOWNLOADING) {
    m->record.fallback = COVEY_NO_SLOT; /* it is about to be overwritten */
  }
  return covey_transition_commit(m);
}

/* Begins with a manifest: a new one, or that of the slot, which was begun before. */
static int begin(covey_agent_t* a, covey_bytes_t message, bool resumed) {
  covey_job_t* job = &a->job;
  covey_model_t* m = job->model;
  covey_slot_view_t view;
  int error = covey_accept_manifest(a, m, job->slot, &message);
#if COVEY_ROOT
  /* Others may have signed it since. */
  if (resumed && (error == COVEY_ERROR_KEY_UNKNOWN || error == COVEY_ERROR_SIGNATURES_TOO_FEW)) {
    enter(a, COVEY_JOB_MANIFEST);
    return COVEY_OK;
  }
#endif
  if (error != 0) { /* nothing was touched; unless it was this slot that went bad before */
    return end(a, job->bytes_left == 0 ? COVEY_PHASE_DECLINED : COVEY_PHASE_FAILED, error);
  }
  if (commit(a, COVEY_PHASE_DOWNLOADING) != 0) {
    enter(a, COVEY_JOB_NONE);
    return COVEY_OK;
  }
  if (!resumed) error = covey_slot_begin(m, job->slot, message);
  if (error == 0) error = view_of(a, &view);
  if (error != 0) return fail(a, error);
  if (job->bytes_left == 0) job->bytes_left = view.manifest.image_size * COVEY_BYTE_BUDGET_FACTOR;
  covey_chunks_reset(a);
  m->chunks_total = view.manifest.chunk_count;
  enter(a, resumed ? COVEY_JOB_SCAN : COVEY_JOB_ERASE);
  return COVEY_OK;
}

void covey_job_start(covey_model_t* m) {
  covey_agent_t* a = m->agent;
  memset(&a->job, 0, sizeof a->job);
  a->job.model = m;
  a->job.slot = pick_slot(m);
  m->chunks_have = 0;
  m->chunks_total = 0;
#if COVEY_RESUME
  {
    /* Begun before: but the floor, the firmware and the keys may be others now. */
    const uint8_t found = covey_slot_find(m, m->goal.work.candidate);
    covey_slot_view_t view;
    if (found != COVEY_NO_SLOT && covey_slot_view(m, found, &view) == 0) {
      a->job.slot = found;
      (void)begin(a, view.message, true);
      return;
    }
  }
#endif
  if (a->job.slot != COVEY_NO_SLOT) {
    enter(a, COVEY_JOB_MANIFEST);
  } else {
    (void)end(a, COVEY_PHASE_DECLINED, COVEY_ERROR_SLOT_TOO_SMALL);
  }
}

void covey_job_abort(covey_agent_t* a, const covey_model_t* m) {
  if (a->job.model == m) enter(a, COVEY_JOB_NONE);
}

void covey_job_disconnected(covey_agent_t* a) {
  a->job.asked = false;
  covey_request_timer(a)->left_ms = 0;
}

int covey_job_manifest(covey_agent_t* a, covey_bytes_t message) {
  return a->job.state == COVEY_JOB_MANIFEST ? begin(a, message, false) : COVEY_OK;
}

int covey_job_chunk(covey_agent_t* a, covey_bytes_t message) {
  const int error = covey_chunks_receive(a, message);
  const bool bad = error == COVEY_ERROR_CHUNK_DIGEST && ++a->job.bad <= CHUNKS_BAD_MAX;
  if (error == COVEY_OK || error == COVEY_ERROR_MESSAGE_MALFORMED || bad) return error;
  return fail(a, error);
}

static int erase_step(covey_agent_t* a, const covey_slot_view_t* view) {
  covey_job_t* job = &a->job;
  const uint32_t unit = covey_core_port(a)->flash.erase_unit_bytes;
  int error;
  /* What covey_slot_begin did not erase, from the chunk table on. */
  if (job->cursor == 0) job->cursor = covey_core_align(view->tables[COVEY_CHUNK_TABLE].at, unit);
  if (job->cursor < view->image + view->manifest.image_size) {
    error = covey_flash_erase(a, job->cursor, unit);
    job->cursor += unit;
    return error;
  }
  error = covey_slot_erased(a, view);
  if (error != 0) return error;
  covey_slot_scan(job->model);
  enter(a, COVEY_JOB_TABLE);
  return COVEY_OK;
}

/* ---- Retained tables, streamed into flash */

/* All is in flash: the next table, or the image. Errors: `bad`: begins anew. */
static int table_complete(covey_agent_t* a, covey_slot_view_t* view, uint32_t table, int bad) {
  covey_section_t* next = &view->tables[COVEY_TELEMETRY_TABLES];
  covey_bytes_t tables;
  int error;
  if (!covey_digest_matches(a, &view->tables[table], COVEY_DIGEST_BYTES)) {
    again(a, bad);
    return COVEY_OK;
  }
  if (table == COVEY_CHUNK_TABLE) {
    enter(a, COVEY_JOB_TABLES);
    /* No message can carry nothing: an empty table needs none. */
    next->size = 0;
    if (!covey_digest_matches(a, next, COVEY_DIGEST_BYTES)) return COVEY_OK;
    error = covey_slot_tables(a, view, 0);
  } else {
    tables.bytes = covey_flash_bytes(a, next->at);
    tables.size = next->size;
    error = covey_tables_parse(tables, NULL);
  }
  if (error == 0) enter(a, COVEY_JOB_CHUNKS);
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
    error = covey_slot_tables(a, &view, total);
  }
  if (total != view.tables[table].size) {
    again(a, bad);
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
  return error != 0 ? fail(a, error) : COVEY_OK;
}

/* Subscribes to the retained message, and again when it does not come. */
static int wait_step(covey_agent_t* a) {
  if (!a->hello_sent || !covey_clock_due(a, covey_request_timer(a))) return COVEY_OK;
  if (a->job.asked) {
    int error;
    (void)subscribe(a, false);
    error = covey_request_failed(a, COVEY_ERROR_FETCH_TIMEOUT);
    if (error != 0) return error;
  }
  covey_request_sent(a, subscribe(a, true));
  return COVEY_OK;
}

/* ---- Steps; an error ends the attempt */

#if COVEY_RESUME
static int scan_step(covey_agent_t* a, const covey_slot_view_t* view) {
  const int result = covey_chunks_scan(a, view);
  if (result == COVEY_ERROR_FLASH_GEOMETRY || result == COVEY_ERROR_CHUNK_TABLE_DIGEST) {
    again(a, result);
    return COVEY_OK;
  }
  if (result == COVEY_CHUNKS_DONE) {
    enter(a, COVEY_JOB_CHUNKS);
    covey_news_status(a);
  }
  return result;
}
#endif

static int chunks_step(covey_agent_t* a, const covey_slot_view_t* view) {
  const int result = covey_chunks_step(a, view);
  if (result == COVEY_CHUNKS_DONE) {
    enter(a, COVEY_JOB_VERIFY);
    a->job.model->record.phase = COVEY_PHASE_VERIFYING; /* a reboot comes here again */
    covey_transition_shown(a->job.model);
  }
  return result;
}

static int verify_step(covey_agent_t* a, const covey_slot_view_t* view) {
  const int result = covey_chunks_verify(a, view);
  if (result == COVEY_CHUNKS_DONE) {
    (void)commit(a, COVEY_PHASE_STAGED); /* or found again, and verified again */
    enter(a, COVEY_JOB_NONE);
  }
  return result;
}

void covey_job_step(covey_agent_t* a) {
  covey_slot_view_t view;
  int error = COVEY_OK;
  if (a->job.state == COVEY_JOB_NONE) return;
  if (a->job.state != COVEY_JOB_MANIFEST) error = view_of(a, &view);
  if (error != 0) {
    again(a, error);
    return;
  }
  switch ((enum covey_job_state)a->job.state) {
    case COVEY_JOB_NONE:
      break;
    case COVEY_JOB_MANIFEST:
    case COVEY_JOB_TABLE:
    case COVEY_JOB_TABLES:
      error = wait_step(a);
      break;
    case COVEY_JOB_ERASE:
      error = erase_step(a, &view);
      covey_clock_soon(a);
      break;
    case COVEY_JOB_SCAN:
#if COVEY_RESUME
      error = scan_step(a, &view);
      covey_clock_soon(a);
#endif
      break;
    case COVEY_JOB_CHUNKS:
      error = chunks_step(a, &view);
      break;
    case COVEY_JOB_VERIFY:
      error = verify_step(a, &view);
      covey_clock_soon(a);
      break;
  }
  if (error < 0) (void)fail(a, error);
}
