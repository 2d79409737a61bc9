/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks: found again after a reboot, copied from the active slot, fetched, verified. Each is
 * checked against the signed table before it is written.
 *
 * Chunks are written only among the first COVEY_FETCH_WINDOW missing ones. So after a power cut
 * exactly these may have been touched, even if their flash reads as erased: covey_chunks_scan
 * erases their units before anything is written there again. It begins with the last of them: an
 * erase makes more chunks missing, those that shared the unit, and were they before chunks that
 * are still to be erased, then these would not be among the first ones after another cut. */
#include "parts.h"

#define RETRY_AFTER_MS_MAX 600000U
#define VERIFY_STEP_BYTES 4096U

static bool have(const covey_agent_t* a, uint32_t i) {
  return (a->job_have[i / 8] >> (i % 8) & 1) != 0;
}

static void set_have(covey_agent_t* a, uint32_t i, bool value) {
  if (have(a, i) == value) return;
  a->job_have[i / 8] ^= (uint8_t)(1U << (i % 8));
  a->job.model->chunks_have += 2U * value - 1U;
}

void covey_chunks_reset(covey_agent_t* a) {
  memset(a->job_have, 0, sizeof a->job_have);
  a->job.missing = 0;
  a->job.model->chunks_have = 0;
}

static void locate(const covey_agent_t* a, const covey_slot_view_t* view, uint32_t i,
                   covey_section_t* chunk) {
  const covey_manifest_t* m = &view->manifest;
  const uint32_t begin = i * m->chunk_size;
  chunk->at = view->image + begin;
  chunk->size = i + 1 < m->chunk_count ? m->chunk_size : m->image_size - begin;
  chunk->digest =
      covey_flash_bytes(a, view->tables[COVEY_CHUNK_TABLE].at + i * COVEY_CHUNK_DIGEST_BYTES);
}

#if COVEY_RESUME
/* ---- Resume */

/* Erases every unit that has bytes of chunk *i; others that share one are missing then. Sets *i to
 * the first of these. */
static int erase(covey_agent_t* a, const covey_slot_view_t* view, const covey_section_t* chunk,
                 uint32_t* i) {
  const uint32_t unit = covey_core_port(a)->flash.erase_unit_bytes;
  const uint32_t count = view->manifest.chunk_count;
  const uint32_t begin = chunk->at & ~(unit - 1);
  const uint32_t end = covey_core_align(chunk->at + chunk->size, unit);
  uint32_t at = view->image;
  uint32_t k;
  *i = count;
  for (k = 0; k < count && at < end; ++k) {
    if (at == begin) *i = k;
    at += view->manifest.chunk_size;
    if (at > begin) set_have(a, k, false);
  }
  /* With a part of the tables in the units, or of a chunk, whose other part had to be erased too
   * and so on, it is simpler to begin anew. */
  if (*i == count || (k < count && at != end)) return COVEY_ERROR_FLASH_GEOMETRY;
  return covey_flash_erase(a, begin, end - begin);
}

/* Looks at all of them from the first to the last, then erases from the last to the first. */
int covey_chunks_scan(covey_agent_t* a, const covey_slot_view_t* view) {
  const uint32_t count = view->manifest.chunk_count;
  covey_job_t* job = &a->job;
  covey_section_t chunk;
  uint32_t i = job->cursor;
  if (i == 0 &&
      !(view->tables_present &&
        covey_digest_matches(a, &view->tables[COVEY_CHUNK_TABLE], COVEY_DIGEST_BYTES) &&
        covey_digest_matches(a, &view->tables[COVEY_TELEMETRY_TABLES], COVEY_DIGEST_BYTES))) {
    return COVEY_ERROR_CHUNK_TABLE_DIGEST; /* cut before the first chunk: nothing is lost */
  }
  if (i < count) {
    locate(a, view, i, &chunk);
    if (covey_digest_matches(a, &chunk, COVEY_CHUNK_DIGEST_BYTES)) {
      set_have(a, i, true);
    } else if (job->missing < COVEY_FETCH_WINDOW) {
      ++job->missing;
      job->suspect = i;
    }
    ++job->cursor;
    return COVEY_CHUNKS_MORE;
  }
  i = 2 * count - 1 - i;
  locate(a, view, i, &chunk);
  if (!have(a, i) && (i <= job->suspect || !covey_flash_blank(a, chunk.at, chunk.size))) {
    const int error = erase(a, view, &chunk, &i);
    if (error != 0) return error;
  }
  job->cursor = 2 * count - i;
  return i == 0 ? COVEY_CHUNKS_DONE : COVEY_CHUNKS_MORE;
}

#endif

/* ---- Getting what is missing */

static int store(covey_agent_t* a, const covey_section_t* chunk, uint32_t i, const uint8_t* bytes) {
  const int error = covey_flash_write(a, chunk->at, bytes, chunk->size);
  if (error == 0) {
    set_have(a, i, true);
    a->progress_dirty = true;
  }
  return error;
}

#if COVEY_COPY_UNCHANGED
/* Where the confirmed slot has a chunk like i, which need not travel then; 0: it has none. */
static uint32_t find_in_confirmed(covey_agent_t* a, const covey_section_t* chunk, uint32_t i) {
  const covey_model_t* m = a->job.model;
  covey_slot_view_t from;
  covey_section_t candidate;
  uint32_t k;
  if (m->record.confirmed == a->job.slot || covey_slot_view(m, m->record.confirmed, &from) != 0) {
    return 0;
  }
  for (k = 0; k < from.manifest.chunk_count; ++k) {
    /* The same index first: most often only the end differs. */
    locate(a, &from, (i + k) % from.manifest.chunk_count, &candidate);
    if (candidate.size == chunk->size &&
        memcmp(candidate.digest, chunk->digest, COVEY_CHUNK_DIGEST_BYTES) == 0 &&
        covey_digest_matches(a, &candidate, COVEY_CHUNK_DIGEST_BYTES)) {
      return candidate.at;
    }
  }
  return 0;
}
#endif

static void fetch(covey_agent_t* a) {
  covey_job_t* job = &a->job;
  covey_writer_t w = covey_send_writer(a);
  covey_write_bytes(&w, 1, job->model->goal.work.candidate, COVEY_DIGEST_BYTES);
  covey_write_uint(&w, 2, job->fetch_first);
  covey_write_fixed32(&w, 3, job->fetch_bitmap);
  covey_write_uint(&w, 4, job->model->goal.work.attempt);
  covey_request_sent(a, covey_send_message(a, "up/fetch", &w, 0));
}

int covey_chunks_step(covey_agent_t* a, const covey_slot_view_t* view) {
  covey_job_t* job = &a->job;
  const uint32_t count = view->manifest.chunk_count;
  const bool due = covey_clock_due(a, covey_request_timer(a));
#if COVEY_COPY_UNCHANGED
  covey_section_t chunk;
#endif
  uint32_t missing = 0;
  uint32_t i;
  if (job->asked) {
    int error;
    if (!due) return COVEY_CHUNKS_MORE;
    error = covey_request_failed(a, COVEY_ERROR_FETCH_TIMEOUT);
    if (error != 0) return error;
  }
  /* The first few missing: those that can be copied are, the rest is asked for together. */
  job->fetch_bitmap = 0;
  for (i = 0; i < count && missing < COVEY_FETCH_WINDOW; ++i) {
    if (have(a, i)) continue;
#if COVEY_COPY_UNCHANGED
    if (i >= job->cursor) { /* not looked for in the confirmed slot yet */
      uint32_t from;
      locate(a, view, i, &chunk);
      from = find_in_confirmed(a, &chunk, i);
      job->cursor = i + 1;
      if (from != 0) {
        ++a->counters.chunks_copied;
        covey_clock_soon(a);
        return store(a, &chunk, i, covey_flash_bytes(a, from));
      }
    }
#endif
    if (missing++ == 0) job->fetch_first = i;
    if (i - job->fetch_first < 32) job->fetch_bitmap |= 1U << (i - job->fetch_first);
  }
  if (missing == 0) return COVEY_CHUNKS_DONE;
  if (a->hello_sent && due) fetch(a); /* connected, and the gateway is not busy */
  return COVEY_CHUNKS_MORE;
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

static int error_of(uint32_t result) {
  if (result == RESULT_NOT_FOUND) return COVEY_ERROR_NOT_FOUND;
  return result == RESULT_SUPERSEDED ? COVEY_ERROR_SUPERSEDED : COVEY_ERROR_UNSUPPORTED;
}

/* Not now, or never: errors: that was said too often. */
static int refused(covey_agent_t* a, const chunk_t* chunk) {
  covey_timer_t* timer = covey_request_timer(a);
  uint32_t ms = chunk->retry_after_ms;
  int error;
  if (chunk->result == RESULT_BUSY) { /* says nothing against the download */
    if (ms > RETRY_AFTER_MS_MAX) ms = RETRY_AFTER_MS_MAX;
    a->job.asked = false;
    timer->left_ms = ms == 0 ? covey_clock_backoff(a, 0) : covey_clock_later(a, ms);
    return COVEY_OK;
  }
  error = covey_request_failed(a, error_of(chunk->result));
  if (error == 0) timer->left_ms = covey_clock_backoff(a, timer->tries);
  return error;
}

int covey_chunks_receive(covey_agent_t* a, covey_bytes_t message) {
  covey_timer_t* timer = covey_request_timer(a);
  covey_job_t* job = &a->job;
  covey_slot_view_t view;
  covey_section_t place;
  uint8_t digest[COVEY_DIGEST_BYTES];
  chunk_t chunk;
  uint32_t bit;
  int error;
  if (!covey_read_members(message, chunk_members, &chunk) || chunk.manifest == NULL) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  /* Answers to what was asked before: no harm, no use. */
  if (job->state != COVEY_JOB_CHUNKS || !job->asked ||
      !covey_bytes_same_prefix(chunk.manifest, job->model->goal.work.candidate)) {
    return COVEY_OK;
  }
  if (chunk.result != RESULT_OK) return refused(a, &chunk);
  bit = chunk.index - job->fetch_first;
  if (bit >= 32 || (job->fetch_bitmap >> bit & 1) == 0 ||
      covey_slot_view(job->model, job->slot, &view) != 0) {
    return COVEY_OK;
  }
  if (job->bytes_left < chunk.data.size) return COVEY_ERROR_BYTE_BUDGET;
  job->bytes_left -= (uint32_t)chunk.data.size;
  covey_digest_of(a, chunk.data.bytes, chunk.data.size, digest);
  locate(a, &view, chunk.index, &place);
  if (chunk.data.size != place.size ||
      memcmp(digest, place.digest, COVEY_CHUNK_DIGEST_BYTES) != 0) {
    ++a->counters.chunks_bad;
    return COVEY_ERROR_CHUNK_DIGEST;
  }
  error = store(a, &place, chunk.index, chunk.data.bytes);
  if (error != 0) return error;
  ++a->counters.chunks_fetched;
  if (!job->heard) covey_clock_answered(a, timer, timer->tries != 0);
  job->heard = true;
  timer->tries = 0;
  timer->left_ms = covey_clock_backoff(a, 0); /* the rest is on its way */
  job->fetch_bitmap &= ~(1U << bit);
  if (job->fetch_bitmap == 0) { /* the next ones at once */
    job->asked = false;
    timer->left_ms = 0;
  }
  return COVEY_OK;
}

/* ---- Verification of the whole */

int covey_chunks_verify(covey_agent_t* a, const covey_slot_view_t* view) {
  const covey_crypto_t* crypto = &covey_core_port(a)->crypto;
  const covey_manifest_t* m = &view->manifest;
  covey_job_t* job = &a->job;
  const uint32_t left = m->image_size - job->cursor;
  const uint32_t size = left < VERIFY_STEP_BYTES ? left : VERIFY_STEP_BYTES;
  covey_section_t section;
  uint8_t digest[COVEY_DIGEST_BYTES];
  int error;
  if (job->cursor == 0) crypto->hash_begin(crypto->ctx, &a->job_work.hash);
  error = covey_digest_add(a, &a->job_work.hash, view->image + job->cursor, size);
  job->cursor += size;
  if (error != 0 || size < left) return error;
  crypto->hash_finish(crypto->ctx, &a->job_work.hash, digest);
  section.at = view->image + covey_core_align(m->model_size, 16);
  section.size = m->preprocessing_size;
  section.digest = m->preprocessing_digest;
  if (!covey_bytes_same_digest(digest, m->artifact_digest) ||
      !covey_digest_matches(a, &section, COVEY_DIGEST_BYTES)) {
    return COVEY_ERROR_IMAGE_DIGEST;
  }
  section.at = covey_selftest_at(view);
  section.size = m->selftest_size;
  section.digest = m->selftest_digest;
  if (!covey_digest_matches(a, &section, COVEY_DIGEST_BYTES)) return COVEY_ERROR_SELFTEST_INVALID;
  error = covey_selftest_check(a, view);
  return error != 0 ? error : COVEY_CHUNKS_DONE;
}
