/* Chunks: found again after a reboot, copied from the active slot, fetched, verified. Each is
 * checked against the signed table before it is written.
 *
 * Chunks are written only among the first COVEY_FETCH_WINDOW missing ones. So after a power cut
 * exactly these may have been touched, even if their flash reads as erased: covey_chunks_scan
 * erases their units before anything is written there again. */
#include "internal.h"

#define CHUNKS_BAD_MAX 8U
#define RETRY_AFTER_MS_MAX 600000U
#define VERIFY_STEP_BYTES 4096U

static bool have(const covey_job_t* job, uint32_t i) {
  return (job->have[i / 8] >> (i % 8) & 1) != 0;
}

static void set_have(covey_agent_t* a, uint32_t i, bool value) {
  covey_job_t* job = &a->job;
  if (have(job, i) == value) return;
  job->have[i / 8] ^= (uint8_t)(1U << (i % 8));
  job->model->chunks_have += value ? 1U : UINT32_MAX;
}

static uint32_t size_of(const covey_manifest_t* m, uint32_t i) {
  return i + 1 < m->chunk_count ? m->chunk_size : m->image_size - i * m->chunk_size;
}

static uint32_t address(const covey_slot_view_t* view, uint32_t i) {
  return view->image + i * view->manifest.chunk_size;
}

static const uint8_t* entry(const covey_agent_t* a, const covey_slot_view_t* view, uint32_t i) {
  return covey_slot_bytes(a, view->table + i * COVEY_CHUNK_DIGEST_BYTES);
}

/* Whether flash at `at` holds chunk i. */
static bool in_flash(covey_agent_t* a, const covey_slot_view_t* view, uint32_t at, uint32_t i) {
  uint8_t digest[COVEY_DIGEST_BYTES];
  return covey_flash_digest(a, at, size_of(&view->manifest, i), digest) == 0 &&
         memcmp(digest, entry(a, view, i), COVEY_CHUNK_DIGEST_BYTES) == 0;
}

/* ---- Resume */

/* Erases every unit that has bytes of chunk i; chunks that share one are missing then. */
static int erase_chunk(covey_agent_t* a, const covey_slot_view_t* view, uint32_t i) {
  const uint32_t unit = covey_port(a)->flash.erase_unit_bytes;
  const covey_manifest_t* m = &view->manifest;
  const uint32_t begin = address(view, i) / unit * unit;
  const uint32_t end = covey_align(address(view, i) + size_of(m, i), unit);
  uint32_t k;
  if (begin < view->image) return COVEY_ERROR_FLASH_GEOMETRY; /* would take the tables with it */
  for (k = (begin - view->image) / m->chunk_size; k < m->chunk_count && address(view, k) < end;
       ++k) {
    set_have(a, k, false);
  }
  return covey_flash_erase(a, begin, end - begin);
}

static bool tables_whole(covey_agent_t* a, const covey_slot_view_t* view) {
  const covey_manifest_t* m = &view->manifest;
  return view->tables_present &&
         covey_flash_matches(a, view->table, m->chunk_count * COVEY_CHUNK_DIGEST_BYTES,
                             m->chunk_table_digest) &&
         covey_flash_matches(a, view->tables, view->tables_size, m->tables_digest);
}

int covey_chunks_scan(covey_agent_t* a, const covey_slot_view_t* view) {
  covey_job_t* job = &a->job;
  const uint32_t i = job->cursor;
  bool blank = false;
  int error = COVEY_OK;
  if (i == 0 && !tables_whole(a, view)) { /* cut before the first chunk: nothing is lost */
    covey_job_again(a, COVEY_ERROR_CHUNK_TABLE_DIGEST);
    return COVEY_OK;
  }
  if (in_flash(a, view, address(view, i), i)) {
    set_have(a, i, true);
  } else {
    if (job->missing++ >= COVEY_FETCH_WINDOW) {
      error = covey_flash_blank(a, address(view, i), size_of(&view->manifest, i), &blank);
    }
    if (!blank || error != 0) error = erase_chunk(a, view, i);
  }
  if (error == COVEY_ERROR_FLASH_GEOMETRY) {
    covey_job_again(a, error);
    return COVEY_OK;
  }
  if (error == 0 && ++job->cursor == view->manifest.chunk_count) {
    covey_job_enter(a, COVEY_JOB_CHUNKS);
    covey_status_changed(a);
  }
  return error;
}

/* ---- Getting what is missing */

static int store(covey_agent_t* a, const covey_slot_view_t* view, uint32_t i,
                 const uint8_t* bytes) {
  const int error = covey_flash_write(a, address(view, i), bytes, size_of(&view->manifest, i));
  if (error != 0) return error;
  set_have(a, i, true);
  a->progress_dirty = true;
  return COVEY_OK;
}

/* Where the confirmed slot has a chunk like i, which need not travel then; 0: it has none. */
static uint32_t find_in_confirmed(covey_agent_t* a, const covey_slot_view_t* view, uint32_t i) {
  const covey_model_t* m = a->job.model;
  covey_slot_view_t from;
  uint32_t k;
  if (m->record.confirmed == a->job.slot ||
      covey_slot_view(a, m, m->record.confirmed, &from) != 0) {
    return 0;
  }
  for (k = 0; k < from.manifest.chunk_count; ++k) {
    /* The same index first: most often only the end differs. */
    const uint32_t j = (i + k) % from.manifest.chunk_count;
    if (size_of(&from.manifest, j) == size_of(&view->manifest, i) &&
        memcmp(entry(a, &from, j), entry(a, view, i), COVEY_CHUNK_DIGEST_BYTES) == 0 &&
        in_flash(a, view, address(&from, j), i)) {
      return address(&from, j);
    }
  }
  return 0;
}

static void fetch(covey_agent_t* a) {
  covey_job_t* job = &a->job;
  covey_timer_t* timer = &a->timers[COVEY_TIMER_JOB];
  covey_writer_t w = covey_send_writer(a);
  covey_write_bytes(&w, 1, job->model->goal.candidate, COVEY_DIGEST_BYTES);
  covey_write_uint(&w, 2, job->fetch_first);
  covey_write_fixed32(&w, 3, job->fetch_bitmap);
  covey_write_uint(&w, 4, job->model->goal.attempt);
  job->asked = covey_send(a, "up/fetch", &w, 0) == 0;
  timer->left_ms = job->asked ? covey_backoff(a, timer->tries) : (uint32_t)COVEY_SHORT_WAIT_MS;
  (void)covey_due(a, timer);
}

int covey_chunks_step(covey_agent_t* a, const covey_slot_view_t* view) {
  covey_job_t* job = &a->job;
  const uint32_t count = view->manifest.chunk_count;
  const bool due = covey_due(a, &a->timers[COVEY_TIMER_JOB]);
  uint32_t missing = 0;
  uint32_t i;
  if (job->asked && !due) return COVEY_OK;
  if (job->asked && !covey_job_retry(a, COVEY_ERROR_FETCH_TIMEOUT)) return COVEY_OK;
  /* The first few missing: those that can be copied are, the rest is asked for together. */
  job->fetch_bitmap = 0;
  for (i = 0; i < count && missing < COVEY_FETCH_WINDOW; ++i) {
    if (have(job, i)) continue;
    if (i >= job->cursor) { /* not looked for in the confirmed slot yet */
      const uint32_t from = find_in_confirmed(a, view, i);
      job->cursor = i + 1;
      if (from != 0) {
        ++a->counters.chunks_copied;
        covey_soon(a);
        return store(a, view, i, covey_slot_bytes(a, from));
      }
    }
    if (missing++ == 0) job->fetch_first = i;
    if (i - job->fetch_first < 32) job->fetch_bitmap |= 1U << (i - job->fetch_first);
  }
  if (missing == 0) {
    covey_job_enter(a, COVEY_JOB_VERIFY);
    job->model->record.phase = COVEY_PHASE_VERIFYING; /* a reboot comes here again */
    covey_status_changed(a);
  } else if (a->hello_sent && due) { /* connected, and the gateway is not busy */
    fetch(a);
  }
  return COVEY_OK;
}

/* covey.device.v1.Chunk */
typedef struct chunk {
  const uint8_t* manifest;
  covey_bytes_t data;
  uint32_t index;
  uint32_t retry_after_ms;
  uint32_t result;
} chunk_t;

static const covey_member_t chunk_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_PREFIX, chunk_t, manifest),
    COVEY_MEMBER(2, COVEY_MEMBER_U32, chunk_t, index),
    COVEY_MEMBER(3, COVEY_MEMBER_U32, chunk_t, result),
    COVEY_MEMBER(4, COVEY_MEMBER_U32, chunk_t, retry_after_ms),
    COVEY_MEMBER(5, COVEY_MEMBER_BYTES, chunk_t, data),
    COVEY_MEMBERS_END(chunk_t)};

/* covey.device.v1.ChunkResult */
enum { RESULT_OK = 0, RESULT_BUSY = 1, RESULT_SUPERSEDED = 2, RESULT_NOT_FOUND = 3 };

static void refused(covey_agent_t* a, const chunk_t* chunk) {
  covey_timer_t* timer = &a->timers[COVEY_TIMER_JOB];
  a->job.asked = false;
  if (chunk->result == RESULT_BUSY) { /* says nothing against the download */
    const uint32_t ms = chunk->retry_after_ms;
    timer->left_ms = ms == 0 ? covey_backoff(a, 0)
                             : covey_later(a, ms < RETRY_AFTER_MS_MAX ? ms : RETRY_AFTER_MS_MAX);
  } else if (covey_job_retry(a, chunk->result == RESULT_SUPERSEDED  ? COVEY_ERROR_SUPERSEDED
                                : chunk->result == RESULT_NOT_FOUND ? COVEY_ERROR_NOT_FOUND
                                                                    : COVEY_ERROR_UNSUPPORTED)) {
    timer->left_ms = covey_backoff(a, timer->tries);
  }
}

int covey_chunks_receive(covey_agent_t* a, covey_bytes_t message) {
  covey_job_t* job = &a->job;
  covey_slot_view_t view;
  uint8_t digest[COVEY_DIGEST_BYTES];
  chunk_t chunk;
  uint32_t bit;
  int error;
  if (!covey_read_members(message, chunk_members, &chunk) || chunk.manifest == NULL) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  /* Answers to what was asked before: no harm, no use. */
  if (job->state != COVEY_JOB_CHUNKS || !job->asked ||
      memcmp(chunk.manifest, job->model->goal.candidate, COVEY_PREFIX_BYTES) != 0) {
    return COVEY_OK;
  }
  if (chunk.result != RESULT_OK) {
    refused(a, &chunk);
    return COVEY_OK;
  }
  bit = chunk.index - job->fetch_first;
  if (bit >= 32 || (job->fetch_bitmap >> bit & 1) == 0 ||
      covey_slot_view(a, job->model, job->slot, &view) != 0) {
    return COVEY_OK;
  }
  if (job->bytes_left < chunk.data.size) {
    covey_job_fail(a, COVEY_ERROR_BYTE_BUDGET);
    return COVEY_ERROR_BYTE_BUDGET;
  }
  job->bytes_left -= chunk.data.size;
  covey_digest(a, chunk.data.bytes, chunk.data.size, digest);
  if (chunk.data.size != size_of(&view.manifest, chunk.index) ||
      memcmp(digest, entry(a, &view, chunk.index), COVEY_CHUNK_DIGEST_BYTES) != 0) {
    if (++job->bad > CHUNKS_BAD_MAX) covey_job_fail(a, COVEY_ERROR_CHUNK_DIGEST);
    return COVEY_ERROR_CHUNK_DIGEST;
  }
  error = store(a, &view, chunk.index, chunk.data.bytes);
  if (error != 0) {
    covey_job_fail(a, error);
    return error;
  }
  ++a->counters.chunks_fetched;
  a->timers[COVEY_TIMER_JOB].tries = 0;
  job->fetch_bitmap &= ~(1U << bit);
  if (job->fetch_bitmap == 0) { /* the next ones at once */
    job->asked = false;
    a->timers[COVEY_TIMER_JOB].left_ms = 0;
  }
  return COVEY_OK;
}

/* ---- Verification of the whole */

int covey_verify_step(covey_agent_t* a, const covey_slot_view_t* view) {
  const covey_crypto_t* crypto = &covey_port(a)->crypto;
  const covey_manifest_t* m = &view->manifest;
  const uint32_t preprocessing = view->image + covey_align(m->model_size, 16);
  covey_job_t* job = &a->job;
  const uint32_t left = m->image_size - job->cursor;
  const uint32_t size = left < VERIFY_STEP_BYTES ? left : VERIFY_STEP_BYTES;
  uint8_t digest[COVEY_DIGEST_BYTES];
  int error;
  if (job->cursor == 0) crypto->hash_begin(crypto->ctx, &job->hash);
  error = covey_flash_hash(a, &job->hash, view->image + job->cursor, size);
  job->cursor += size;
  if (error != 0 || size < left) return error;
  crypto->hash_finish(crypto->ctx, &job->hash, digest);
  if (!covey_digest_equal(digest, m->artifact_digest) ||
      !covey_flash_matches(a, preprocessing, m->preprocessing_size, m->preprocessing_digest)) {
    return COVEY_ERROR_IMAGE_DIGEST;
  }
  if (!covey_flash_matches(a, covey_selftest_at(view), m->selftest_size, m->selftest_digest)) {
    return COVEY_ERROR_SELFTEST_INVALID;
  }
  error = covey_selftest_check(a, view);
  if (error != 0) return error;
  (void)covey_job_commit(a, COVEY_PHASE_STAGED); /* or found again, and verified again */
  covey_job_enter(a, COVEY_JOB_NONE);
  return COVEY_OK;
}
