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
  covey_model_t* m = &a->models[job->model];
  if (have(job, i) == value) return;
  job->have[i / 8] ^= (uint8_t)(1U << (i % 8));
  m->chunks_have = value ? m->chunks_have + 1 : m->chunks_have - 1;
}

static uint32_t size_of(const covey_manifest_t* m, uint32_t i) {
  return i + 1 < m->chunk_count ? m->chunk_size : m->image_size - i * m->chunk_size;
}

static const uint8_t* entry(const covey_agent_t* a, const covey_slot_view_t* view, uint32_t i) {
  return covey_slot_bytes(a, view->table + i * COVEY_CHUNK_DIGEST_BYTES);
}

static bool in_flash(covey_agent_t* a, const covey_slot_view_t* view, uint32_t at, uint32_t i,
                     uint32_t size) {
  uint8_t digest[COVEY_DIGEST_BYTES];
  return covey_flash_digest(a, at, size, digest) == 0 &&
         memcmp(digest, entry(a, view, i), COVEY_CHUNK_DIGEST_BYTES) == 0;
}

/* ---- Resume */

/* Erases every unit that has bytes of chunk i; chunks that share one are missing then. */
static int erase_chunk(covey_agent_t* a, const covey_slot_view_t* view, uint32_t i) {
  const uint32_t unit = covey_port(a)->flash.erase_unit_bytes;
  const covey_manifest_t* m = &view->manifest;
  const uint32_t begin = (view->image + i * m->chunk_size) / unit * unit;
  const uint32_t end = covey_align(view->image + i * m->chunk_size + size_of(m, i), unit);
  uint32_t at;
  uint32_t k;
  if (begin < view->image) return COVEY_ERROR_FLASH_GEOMETRY; /* would take the tables with it */
  for (at = begin; at < end; at += unit) {
    const int error = covey_flash_erase(a, at);
    if (error != 0) return error;
  }
  for (k = (begin - view->image) / m->chunk_size; k < m->chunk_count; ++k) {
    if (view->image + k * m->chunk_size >= end) break;
    set_have(a, k, false);
  }
  return COVEY_OK;
}

static bool tables_whole(covey_agent_t* a, const covey_slot_view_t* view) {
  uint8_t digest[COVEY_DIGEST_BYTES];
  return view->tables_present &&
         covey_flash_digest(a, view->table, view->manifest.chunk_count * COVEY_CHUNK_DIGEST_BYTES,
                            digest) == 0 &&
         covey_digest_equal(digest, view->manifest.chunk_table_digest) &&
         covey_flash_digest(a, view->tables, view->tables_size, digest) == 0 &&
         covey_digest_equal(digest, view->manifest.tables_digest);
}

void covey_chunks_scan(covey_agent_t* a, const covey_slot_view_t* view) {
  covey_job_t* job = &a->job;
  const uint32_t i = job->cursor;
  uint32_t at;
  bool blank = false;
  int error = COVEY_OK;
  if (i == 0) {
    a->models[job->model].chunks_have = 0;
    memset(job->have, 0, sizeof job->have);
    job->missing = 0;
    if (!tables_whole(a, view)) { /* cut before the first chunk: nothing is lost */
      covey_job_again(a, COVEY_ERROR_CHUNK_TABLE_DIGEST);
      return;
    }
  }
  at = view->image + i * view->manifest.chunk_size;
  if (in_flash(a, view, at, i, size_of(&view->manifest, i))) {
    set_have(a, i, true);
  } else {
    if (job->missing++ >= COVEY_FETCH_WINDOW) {
      error = covey_flash_blank(a, at, size_of(&view->manifest, i), &blank);
    }
    if (!blank || error != 0) error = erase_chunk(a, view, i);
  }
  if (error == COVEY_ERROR_FLASH_GEOMETRY) {
    covey_job_again(a, error);
  } else if (error != 0) {
    covey_job_fail(a, error);
  } else if (++job->cursor == view->manifest.chunk_count) {
    covey_job_enter(a, COVEY_JOB_CHUNKS);
    covey_status_changed(a);
  }
}

/* ---- Getting what is missing */

static int store(covey_agent_t* a, const covey_slot_view_t* view, uint32_t i,
                 const uint8_t* bytes) {
  const int error = covey_flash_write(a, view->image + i * view->manifest.chunk_size, bytes,
                                      size_of(&view->manifest, i));
  if (error != 0) {
    covey_job_fail(a, error);
    return error;
  }
  set_have(a, i, true);
  a->progress_dirty = true;
  return COVEY_OK;
}

/* A chunk with the same digest in the confirmed slot need not travel. */
static bool copy(covey_agent_t* a, const covey_slot_view_t* view, uint32_t i) {
  const covey_model_t* m = &a->models[a->job.model];
  const uint32_t size = size_of(&view->manifest, i);
  covey_slot_view_t from;
  uint32_t k;
  if (m->record.confirmed == a->job.slot ||
      covey_slot_view(a, a->job.model, m->record.confirmed, &from) != 0) {
    return false;
  }
  for (k = 0; k < from.manifest.chunk_count; ++k) {
    /* The same index first: most often only the end differs. */
    const uint32_t j = (i + k) % from.manifest.chunk_count;
    const uint32_t at = from.image + j * from.manifest.chunk_size;
    if (memcmp(entry(a, &from, j), entry(a, view, i), COVEY_CHUNK_DIGEST_BYTES) != 0) continue;
    if (size_of(&from.manifest, j) != size || !in_flash(a, view, at, i, size)) continue;
    if (store(a, view, i, covey_slot_bytes(a, at)) == 0) ++a->counters.chunks_copied;
    return true;
  }
  return false;
}

static void fetch(covey_agent_t* a) {
  const covey_model_t* m = &a->models[a->job.model];
  covey_job_t* job = &a->job;
  covey_writer_t w = covey_send_writer(a);
  covey_encode_fetch(a, &w, m->goal.candidate, m->goal.attempt);
  if (covey_send(a, "fetch", &w, 0) != 0) {
    covey_wake_at(a, a->now_ms + 100);
    return;
  }
  job->asked = true;
  job->deadline_ms = covey_backoff(a, job->tries);
}

void covey_chunks_step(covey_agent_t* a, const covey_slot_view_t* view) {
  covey_job_t* job = &a->job;
  const uint32_t count = view->manifest.chunk_count;
  uint32_t missing = 0;
  uint32_t i;
  if (job->asked && job->fetch_bitmap != 0 && a->now_ms < job->deadline_ms) {
    covey_wake_at(a, job->deadline_ms);
    return;
  }
  if (job->asked && job->fetch_bitmap != 0) {
    job->asked = false;
    covey_job_retry(a, COVEY_ERROR_FETCH_TIMEOUT);
    if (job->state != COVEY_JOB_CHUNKS) return;
  }
  /* The first few missing: those that can be copied are, the rest is asked for together. */
  job->fetch_bitmap = 0;
  for (i = 0; i < count && missing < COVEY_FETCH_WINDOW; ++i) {
    if (have(job, i)) continue;
    if (i >= job->cursor) { /* not looked for in the confirmed slot yet */
      job->cursor = i + 1;
      if (copy(a, view, i)) {
        covey_wake_at(a, a->now_ms);
        return;
      }
    }
    if (missing++ == 0) job->fetch_first = i;
    if (i - job->fetch_first < 32) job->fetch_bitmap |= 1U << (i - job->fetch_first);
  }
  if (missing == 0) {
    covey_job_enter(a, COVEY_JOB_VERIFY);
    a->models[job->model].record.phase = COVEY_PHASE_VERIFYING; /* a reboot comes here again */
    covey_status_changed(a);
    return;
  }
  if (!a->hello_sent) return;                        /* not connected */
  if (!job->asked && a->now_ms < job->deadline_ms) { /* the gateway is busy */
    covey_wake_at(a, job->deadline_ms);
    return;
  }
  fetch(a);
  covey_wake_at(a, job->deadline_ms);
}

/* covey.device.v1.ChunkResult */
enum { RESULT_OK = 0, RESULT_BUSY = 1, RESULT_SUPERSEDED = 2, RESULT_NOT_FOUND = 3 };

static void refused(covey_agent_t* a, uint64_t result, uint64_t retry_after_ms) {
  covey_job_t* job = &a->job;
  if (retry_after_ms > RETRY_AFTER_MS_MAX) retry_after_ms = RETRY_AFTER_MS_MAX;
  if (result != RESULT_BUSY) { /* busy says nothing against the download */
    covey_job_retry(a, result == RESULT_SUPERSEDED  ? COVEY_ERROR_SUPERSEDED
                       : result == RESULT_NOT_FOUND ? COVEY_ERROR_NOT_FOUND
                                                    : COVEY_ERROR_UNSUPPORTED);
    if (job->state != COVEY_JOB_CHUNKS) return;
  }
  job->asked = false;
  job->fetch_bitmap = 0;
  job->deadline_ms = covey_backoff(a, result == RESULT_BUSY ? 0 : job->tries);
  if (result == RESULT_BUSY && retry_after_ms != 0) {
    job->deadline_ms =
        a->now_ms + retry_after_ms + covey_jitter(a, (uint32_t)retry_after_ms / 4 + 1);
  }
}

int covey_chunks_receive(covey_agent_t* a, covey_bytes_t message) {
  covey_job_t* job = &a->job;
  covey_reader_t r = covey_reader_of(message.bytes, message.size);
  covey_field_t f;
  covey_slot_view_t view;
  covey_bytes_t manifest = {NULL, 0};
  covey_bytes_t data = {NULL, 0};
  uint64_t index = 0;
  uint64_t result = 0;
  uint64_t retry_after_ms = 0;
  uint8_t digest[COVEY_DIGEST_BYTES];
  while (covey_read(&r, &f)) {
    if (f.number == 1 && f.type == COVEY_BYTES) manifest.bytes = f.bytes, manifest.size = f.size;
    if (f.number == 2 && f.type == COVEY_VARINT) index = f.value;
    if (f.number == 3 && f.type == COVEY_VARINT) result = f.value;
    if (f.number == 4 && f.type == COVEY_VARINT) retry_after_ms = f.value;
    if (f.number == 5 && f.type == COVEY_BYTES) data.bytes = f.bytes, data.size = f.size;
  }
  if (r.malformed || manifest.size != COVEY_PREFIX_BYTES) return COVEY_ERROR_MESSAGE_MALFORMED;
  /* Answers to what was asked before: no harm, no use. */
  if (job->state != COVEY_JOB_CHUNKS || !job->asked ||
      memcmp(manifest.bytes, a->models[job->model].goal.candidate, manifest.size) != 0) {
    return COVEY_OK;
  }
  if (result != RESULT_OK) {
    refused(a, result, retry_after_ms);
    return COVEY_OK;
  }
  if (index < job->fetch_first || index - job->fetch_first >= 32 ||
      (job->fetch_bitmap >> (index - job->fetch_first) & 1) == 0 ||
      covey_slot_view(a, job->model, job->slot, &view) != 0) {
    return COVEY_OK;
  }
  if (job->bytes_left < data.size) {
    covey_job_fail(a, COVEY_ERROR_BYTE_BUDGET);
    return COVEY_ERROR_BYTE_BUDGET;
  }
  job->bytes_left -= data.size;
  if (data.size == size_of(&view.manifest, (uint32_t)index)) {
    covey_digest(a, data.bytes, data.size, digest);
  } else {
    memset(digest, 0, sizeof digest);
  }
  if (memcmp(digest, entry(a, &view, (uint32_t)index), COVEY_CHUNK_DIGEST_BYTES) != 0) {
    ++a->counters.chunks_bad;
    if (++job->bad > CHUNKS_BAD_MAX) covey_job_fail(a, COVEY_ERROR_CHUNK_DIGEST);
    return COVEY_ERROR_CHUNK_DIGEST;
  }
  if (store(a, &view, (uint32_t)index, data.bytes) != 0) return COVEY_ERROR_FLASH_WRITE;
  ++a->counters.chunks_fetched;
  job->fetch_bitmap &= ~(1U << (index - job->fetch_first));
  job->tries = 0;
  if (job->fetch_bitmap == 0) { /* the next ones at once */
    job->asked = false;
    job->deadline_ms = a->now_ms;
  }
  return COVEY_OK;
}

/* ---- Verification of the whole */

static int verify_sections(covey_agent_t* a, const covey_slot_view_t* view) {
  const covey_manifest_t* m = &view->manifest;
  const uint32_t preprocessing = view->image + covey_align(m->model_size, 16);
  const uint32_t selftest = preprocessing + covey_align(m->preprocessing_size, 16);
  uint8_t digest[COVEY_DIGEST_BYTES];
  int error = covey_flash_digest(a, preprocessing, m->preprocessing_size, digest);
  if (error != 0) return error;
  if (!covey_digest_equal(digest, m->preprocessing_digest)) return COVEY_ERROR_IMAGE_DIGEST;
  error = covey_flash_digest(a, selftest, m->selftest_size, digest);
  if (error != 0) return error;
  if (!covey_digest_equal(digest, m->selftest_digest)) return COVEY_ERROR_SELFTEST_INVALID;
  return covey_selftest_check(a, view);
}

void covey_verify_step(covey_agent_t* a, const covey_slot_view_t* view) {
  const covey_crypto_t* crypto = &covey_port(a)->crypto;
  covey_job_t* job = &a->job;
  const uint32_t left = view->manifest.image_size - job->cursor;
  const uint32_t size = left < VERIFY_STEP_BYTES ? left : VERIFY_STEP_BYTES;
  uint8_t digest[COVEY_DIGEST_BYTES];
  int error;
  if (job->cursor == 0) crypto->hash_begin(crypto->ctx, &job->hash);
  error = covey_flash_hash(a, &job->hash, view->image + job->cursor, size);
  job->cursor += size;
  if (error == 0 && size < left) return;
  if (error == 0) {
    crypto->hash_finish(crypto->ctx, &job->hash, digest);
    error = covey_digest_equal(digest, view->manifest.artifact_digest) ? verify_sections(a, view)
                                                                       : COVEY_ERROR_IMAGE_DIGEST;
  }
  if (error != 0) {
    covey_job_fail(a, error);
    return;
  }
  error = covey_job_commit(a, COVEY_PHASE_STAGED);
  covey_job_enter(a, COVEY_JOB_NONE);
}
