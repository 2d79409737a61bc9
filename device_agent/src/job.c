/* The one transfer at a time: manifest, erase, tables, chunks, verification. A job lives in memory
 * only; what it achieved is in the slot and is found again by hashing (covey_chunks_scan). */
#include "internal.h"

#define AGAIN_MAX 3U

static covey_model_t* model_of(covey_agent_t* a) { return &a->models[a->job.model]; }

static const uint8_t* wanted(const covey_agent_t* a, const covey_slot_view_t* view) {
  switch (a->job.state) {
    case COVEY_JOB_MANIFEST:
      return a->models[a->job.model].goal.candidate;
    case COVEY_JOB_TABLE:
      return view->manifest.chunk_table_digest;
    case COVEY_JOB_TABLES:
      return view->manifest.tables_digest;
  }
  return NULL;
}

static int view_of(covey_agent_t* a, covey_slot_view_t* view) {
  return a->job.state == COVEY_JOB_MANIFEST ? COVEY_OK
                                            : covey_slot_view(a, a->job.model, a->job.slot, view);
}

static void unsubscribe(covey_agent_t* a) {
  const covey_link_t* link = &covey_port(a)->link;
  covey_slot_view_t view;
  char topic[COVEY_TOPIC_BYTES_MAX];
  const uint8_t* digest;
  if (!a->job.subscribed || view_of(a, &view) != 0) return;
  digest = wanted(a, &view);
  a->job.subscribed = false;
  a->job.asked = false;
  if (digest == NULL || !a->connected) return;
  covey_topic_digest(digest, topic);
  (void)link->unsubscribe(link->ctx, topic); /* a leftover brings one message nobody waits for */
}

void covey_job_enter(covey_agent_t* a, enum covey_job_state state) {
  unsubscribe(a);
  a->job.state = (uint8_t)state;
  a->job.asked = false;
  a->job.tries = 0;
  a->job.why = 0;
  a->job.cursor = 0;
  a->job.received = 0;
  a->job.deadline_ms = 0;
  covey_wake_at(a, a->now_ms);
}

static uint8_t pick_slot(const covey_agent_t* a, size_t model) {
  const covey_model_record_t* record = &a->models[model].record;
  uint8_t best = COVEY_NO_SLOT;
  uint8_t slot;
  for (slot = 0; slot < a->config->models[model].slot_count; ++slot) {
    if (slot == record->confirmed) continue;
    if (best == COVEY_NO_SLOT || best == record->fallback) best = slot;
  }
  return best;
}

int covey_job_commit(covey_agent_t* a, covey_phase_t phase) {
  covey_model_record_t record = model_of(a)->record;
  record.phase = (uint8_t)phase;
  record.candidate = a->job.slot;
  if (record.fallback == a->job.slot && phase == COVEY_PHASE_DOWNLOADING) {
    record.fallback = COVEY_NO_SLOT; /* it is about to be overwritten */
  }
  return covey_model_commit(a, a->job.model, &record);
}

void covey_job_start(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  covey_slot_view_t view;
  const int found = covey_slot_find(a, model, m->goal.candidate);
  int error = COVEY_OK;
  memset(&a->job, 0, sizeof a->job);
  a->job.model = (uint8_t)model;
  a->job.slot = found >= 0 ? (uint8_t)found : pick_slot(a, model);
  m->chunks_have = 0;
  m->chunks_total = 0;
  if (a->job.slot == COVEY_NO_SLOT) {
    covey_model_end(a, model, COVEY_PHASE_DECLINED, COVEY_ERROR_SLOT_TOO_SMALL);
    return;
  }
  if (found < 0) {
    covey_job_enter(a, COVEY_JOB_MANIFEST);
    return;
  }
  /* Begun before: but the floor, the firmware and the keys may be others now. */
  error = covey_slot_view(a, model, a->job.slot, &view);
  if (error == 0) error = covey_manifest_accept(a, model, a->job.slot, view.message);
  if (error != 0) {
    covey_model_end(a, model, COVEY_PHASE_DECLINED, error);
    return;
  }
  if (covey_job_commit(a, COVEY_PHASE_DOWNLOADING) != 0) return;
  a->job.bytes_left = (uint64_t)view.manifest.image_size * COVEY_BYTE_BUDGET_FACTOR;
  m->chunks_total = view.manifest.chunk_count;
  covey_job_enter(a, COVEY_JOB_SCAN);
}

void covey_job_abort(covey_agent_t* a, size_t model) {
  if (a->job.state == COVEY_JOB_NONE || a->job.model != model) return;
  covey_job_enter(a, COVEY_JOB_NONE);
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

void covey_job_retry(covey_agent_t* a, int error) {
  covey_job_t* job = &a->job;
  if (job->why == 0 || error != COVEY_ERROR_FETCH_TIMEOUT) job->why = covey_reason(error);
  if (++job->tries > COVEY_FETCH_TRIES_MAX) covey_job_fail(a, -(int)job->why);
}

void covey_job_connected(covey_agent_t* a) { /* a new session: nothing is subscribed or asked */
  a->job.subscribed = false;
  a->job.asked = false;
}

bool covey_job_wants(covey_agent_t* a, const uint8_t* digest) {
  covey_slot_view_t view;
  const uint8_t* mine = NULL;
  if (a->job.state == COVEY_JOB_NONE || view_of(a, &view) != 0) return false;
  mine = wanted(a, &view);
  return mine != NULL && covey_digest_equal(mine, digest);
}

int covey_job_manifest(covey_agent_t* a, covey_bytes_t message) {
  const size_t model = a->job.model;
  covey_model_t* m = &a->models[model];
  covey_slot_view_t view;
  int error = covey_manifest_accept(a, model, a->job.slot, message);
  if (error != 0) { /* nothing was touched; unless it was this slot that went bad before */
    covey_model_end(a, model,
                    m->record.phase == COVEY_PHASE_IDLE ? COVEY_PHASE_DECLINED : COVEY_PHASE_FAILED,
                    error);
    return error;
  }
  if (covey_job_commit(a, COVEY_PHASE_DOWNLOADING) != 0) {
    covey_job_abort(a, model);
    return COVEY_OK;
  }
  error = covey_slot_begin(a, model, a->job.slot, message);
  if (error == 0) error = covey_slot_view(a, model, a->job.slot, &view);
  if (error != 0) {
    covey_job_fail(a, error);
    return error;
  }
  if (a->job.bytes_left == 0) {
    a->job.bytes_left = (uint64_t)view.manifest.image_size * COVEY_BYTE_BUDGET_FACTOR;
  }
  m->chunks_have = 0;
  m->chunks_total = view.manifest.chunk_count;
  covey_job_enter(a, COVEY_JOB_ERASE);
  return COVEY_OK;
}

static void erase_step(covey_agent_t* a, const covey_slot_view_t* view) {
  covey_job_t* job = &a->job;
  const uint32_t unit = covey_port(a)->flash.erase_unit_bytes;
  int error;
  if (job->cursor == 0) job->cursor = covey_align(view->table - view->base, unit);
  if (view->base + job->cursor < view->image + view->manifest.image_size) {
    error = covey_flash_erase(a, view->base + job->cursor);
    job->cursor += unit;
  } else {
    error = covey_slot_mark_erased(a, view);
    if (error == 0) {
      covey_slots_scan(a, job->model);
      covey_job_enter(a, COVEY_JOB_TABLE);
    }
  }
  if (error != 0) covey_job_fail(a, error);
}

/* ---- Retained tables, streamed into flash */

static void tables_done(covey_agent_t* a) {
  memset(a->job.have, 0, sizeof a->job.have);
  covey_job_enter(a, COVEY_JOB_CHUNKS);
}

static void table_complete(covey_agent_t* a, const covey_slot_view_t* view, uint32_t at,
                           uint32_t size) {
  const bool chunk_table = a->job.state == COVEY_JOB_TABLE;
  covey_bytes_t tables;
  uint8_t digest[COVEY_DIGEST_BYTES];
  int error = covey_flash_digest(a, at, size, digest);
  if (error != 0) {
    covey_job_fail(a, error);
  } else if (!covey_digest_equal(digest, chunk_table ? view->manifest.chunk_table_digest
                                                     : view->manifest.tables_digest)) {
    covey_job_again(a, chunk_table ? COVEY_ERROR_CHUNK_TABLE_DIGEST : COVEY_ERROR_TABLES_INVALID);
  } else if (chunk_table) {
    covey_job_enter(a, COVEY_JOB_TABLES);
  } else {
    tables.bytes = covey_slot_bytes(a, at);
    tables.size = size;
    error = covey_tables_parse(tables, NULL);
    if (error != 0) {
      covey_job_fail(a, error);
    } else {
      tables_done(a);
    }
  }
}

int covey_job_table(covey_agent_t* a, const uint8_t* piece, size_t size, size_t offset,
                    size_t total) {
  covey_job_t* job = &a->job;
  covey_slot_view_t view;
  const bool chunk_table = job->state == COVEY_JOB_TABLE;
  uint32_t at;
  int error = covey_slot_view(a, job->model, job->slot, &view);
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
  /* After an interruption the message comes again from its beginning: what is in flash already is
   * not written twice. */
  if (offset > job->received) return COVEY_OK;
  if (job->received - offset >= size && job->received < total) return COVEY_OK;
  piece += job->received - offset;
  size -= job->received - offset;
  while (size-- > 0 && error == 0) {
    const uint32_t in_row = job->received % COVEY_ROW_BYTES;
    job->row[in_row] = *piece++;
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

/* No message can carry nothing: an empty table needs none. */
static bool tables_are_empty(covey_agent_t* a, const covey_slot_view_t* view) {
  uint8_t digest[COVEY_DIGEST_BYTES];
  covey_digest(a, digest, 0, digest);
  return covey_digest_equal(digest, view->manifest.tables_digest);
}

/* Subscribes to the retained message, and again when it does not come. */
static void wait_step(covey_agent_t* a, const covey_slot_view_t* view) {
  const covey_link_t* link = &covey_port(a)->link;
  covey_job_t* job = &a->job;
  char topic[COVEY_TOPIC_BYTES_MAX];
  if (job->state == COVEY_JOB_TABLES && tables_are_empty(a, view)) {
    const int error = covey_slot_write_tables_row(a, view, 0);
    if (error != 0) {
      covey_job_fail(a, error);
    } else {
      tables_done(a);
    }
    return;
  }
  if (!a->hello_sent) return; /* also: not connected */
  if (job->asked && a->now_ms >= job->deadline_ms) {
    unsubscribe(a);
    covey_job_retry(a, COVEY_ERROR_FETCH_TIMEOUT);
    if (job->state == COVEY_JOB_NONE) return;
  }
  if (!job->asked) {
    covey_topic_digest(wanted(a, view), topic);
    job->subscribed = true;
    if (link->subscribe(link->ctx, topic, 1) != 0) {
      covey_wake_at(a, a->now_ms + 100);
      return;
    }
    job->asked = true;
    job->deadline_ms = covey_backoff(a, job->tries);
  }
  covey_wake_at(a, job->deadline_ms);
}

void covey_job_step(covey_agent_t* a) {
  covey_slot_view_t view;
  int error;
  if (a->job.state == COVEY_JOB_NONE) return;
  error = view_of(a, &view);
  if (error != 0) {
    covey_job_again(a, error);
    return;
  }
  switch ((enum covey_job_state)a->job.state) {
    case COVEY_JOB_MANIFEST:
    case COVEY_JOB_TABLE:
    case COVEY_JOB_TABLES:
      wait_step(a, &view);
      return;
    case COVEY_JOB_ERASE:
      erase_step(a, &view);
      break;
    case COVEY_JOB_SCAN:
      covey_chunks_scan(a, &view);
      break;
    case COVEY_JOB_CHUNKS:
      covey_chunks_step(a, &view);
      return;
    case COVEY_JOB_VERIFY:
      covey_verify_step(a, &view);
      break;
    case COVEY_JOB_NONE:
      return;
  }
  covey_wake_at(a, a->now_ms);
}
