/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: two halves of whole erase units, append-only rows (row.h). Their value is a
 * generation; their key is 2 * model for a goal, 2 * model + 1 for a model record, END for the end
 * of a snapshot. A half begins with a snapshot of every key and END; later records follow. Replay:
 * the half whose END has the highest generation, there the newest valid record of each key. Full:
 * erase the other half and write a snapshot there; until its END is whole, the old half is the
 * journal, however often power fails meanwhile.
 *
 * A power cut may leave a word that reads as erased
 * though it was touched, and may do so again in the next boot: no number of skipped positions is
 * safe. So the first record after a start that may have been a power cut opens a fresh half. That
 * costs an erase per such start that has something to write; most have not. */
#include <string.h>

#include "row.h"

#define END 0x7fU
#define ROOT 0x20U /* and the rows of the root document behind it, first in each half */

static uint32_t half_bytes(const covey_agent_t* a) { return a->config->journal_bytes / 2; }
static uint32_t keys(const covey_agent_t* a) { return 2 * (uint32_t)a->config->model_count; }

/* Which candidate and attempt a model record is about: a cut may fall between goal and record. */
static uint32_t about(const covey_model_goal_t* goal) {
  return covey_bytes_crc32((const uint8_t*)&goal->work, sizeof goal->work);
}

/* Writes at the next position. */
static int put(covey_agent_t* a, uint32_t key) {
  covey_journal_t* j = &a->journal;
  covey_row_t row;
  int error;
  memset(&row, 0, sizeof row);
  row.value = j->generation + 1;
  if (key != END) {
    const covey_model_t* m = &a->models[key / 2];
    if (key % 2 == 0) {
      row.payload.goal = m->goal;
    } else {
      memcpy(row.payload.record.goal_counter, &a->goal_counter, sizeof a->goal_counter);
      row.payload.record.site_epoch = a->site_epoch;
      row.payload.record.state = m->record;
      row.payload.record.state.about = about(&m->goal);
    }
  }
  error = covey_row_write(a, j->next, (uint8_t)key, &row);
  j->next += sizeof row; /* a position is used once, whatever becomes of it */
  if (error == 0) ++j->generation;
  return error;
}

#if COVEY_ROOT
COVEY_STATIC_ASSERT(2 + COVEY_ROOT_BYTES_MAX <=
                    COVEY_ROOT_ROWS_MAX * sizeof(((covey_row_t*)0)->payload.room));

/* A row of the document's size, 2 bytes, and its bytes: from memory, or NULL, from the half of
 * before. */
static int put_root(covey_agent_t* a, uint32_t half_before, uint32_t n, const covey_bytes_t* root) {
  covey_journal_t* j = &a->journal;
  covey_row_t row;
  int error = COVEY_OK;
  memset(&row, 0, sizeof row);
  if (root == NULL) {
    if (covey_row_read(a, half_before + n * (uint32_t)sizeof row, &row) != (int)(ROOT + n)) {
      error = COVEY_ERROR_FLASH_READ;
    }
  } else {
    size_t k;
    for (k = 0; k < sizeof row.payload.room; ++k) {
      const size_t at = n * sizeof row.payload.room + k;
      if (at < 2) {
        row.payload.room[k] = (uint8_t)(root->size >> (8 * at));
      } else if (at - 2 < root->size) {
        row.payload.room[k] = root->bytes[at - 2];
      }
    }
  }
  if (error != 0) return error;
  row.value = j->generation + 1;
  error = covey_row_write(a, j->next, (uint8_t)(ROOT + n), &row);
  j->next += (uint32_t)sizeof row;
  if (error == 0) ++j->generation;
  return error;
}

static uint8_t rows_of(size_t bytes) {
  const size_t room = sizeof(((covey_row_t*)0)->payload.room);
  return (uint8_t)((2 + bytes + room - 1) / room);
}
#endif

/* The other half becomes the journal, with everything as it is in memory now; `root`: and with this
 * document instead of the one of before. */
static int snapshot(covey_agent_t* a, const covey_bytes_t* root) {
  covey_journal_t* j = &a->journal;
  const covey_journal_t before = *j;
  uint32_t key;
  int error;
#if COVEY_ROOT
  const uint32_t rows = root != NULL ? rows_of(root->size) : a->root_rows;
  uint32_t n;
#else
  (void)root;
#endif
  j->next = a->config->journal_offset;
  if (j->ready && j->half == j->next) j->next += half_bytes(a);
  j->half = j->next;
  error = covey_flash_erase(a, j->half, half_bytes(a));
#if COVEY_ROOT
  for (n = 0; n < rows && error == 0; ++n) error = put_root(a, before.half, n, root);
#endif
  for (key = 0; key <= keys(a) && error == 0; ++key) error = put(a, key < keys(a) ? key : END);
  if (error != 0) {
    *j = before;
    return error;
  }
#if COVEY_ROOT
  a->root_rows = (uint8_t)rows;
#endif
  j->ready = true;
  j->clean = true;
  return COVEY_OK;
}

static int append(covey_agent_t* a, uint32_t key) {
  covey_journal_t* j = &a->journal;
  unsigned tries;
  int error = COVEY_OK;
  for (tries = 0; tries < 2; ++tries) { /* a bad word costs a position, not the state */
    error =
        j->ready && j->clean && j->next - j->half < half_bytes(a) ? put(a, key) : snapshot(a, NULL);
    if (error == 0) return COVEY_OK;
    ++a->counters.journal_errors;
  }
  return error;
}

int covey_journal_goal(covey_agent_t* a, const covey_model_t* m) {
  return append(a, 2U * m->index);
}

int covey_journal_record(covey_agent_t* a, const covey_model_t* m) {
  return append(a, 2U * m->index + 1);
}

#if COVEY_ROOT
int covey_journal_root(covey_agent_t* a, covey_bytes_t root) {
  unsigned tries;
  int error = COVEY_ERROR_FLASH_GEOMETRY;
  /* Its rows, those of the models, the end, and room for one more. */
  if ((rows_of(root.size) + keys(a) + 2) * COVEY_ROW_BYTES > half_bytes(a)) return error;
  for (tries = 0; tries < 2 && error != 0; ++tries) {
    error = snapshot(a, &root);
    if (error != 0) ++a->counters.journal_errors;
  }
  return error;
}

int covey_journal_read_root(covey_agent_t* a, uint8_t rows, covey_bytes_t* root) {
  uint8_t* const into = a->config->send_buffer;
  covey_row_t row;
  uint32_t n;
  size_t size = 0;
  size_t filled = 0;
  for (n = 0; n < rows; ++n) {
    const uint8_t* from = row.payload.room;
    size_t room = sizeof row.payload.room;
    if (covey_row_read(a, a->journal.half + n * (uint32_t)sizeof row, &row) != (int)(ROOT + n)) {
      return COVEY_ERROR_FLASH_READ;
    }
    if (n == 0) {
      size = from[0] | (size_t)from[1] << 8;
      if (size > COVEY_ROOT_BYTES_MAX || rows_of(size) != rows) return COVEY_ERROR_JOURNAL_CORRUPT;
      from += 2;
      room -= 2;
    }
    if (room > size - filled) room = size - filled;
    covey_bytes_copy(into + filled, from, room);
    filled += room;
  }
  root->bytes = into;
  root->size = size;
  return COVEY_OK;
}
#endif

/* Into memory. A goal that is newer than the record has not begun. */
static void load(covey_agent_t* a, uint32_t key, const covey_row_t* row) {
  covey_model_t* m = &a->models[key / 2];
  if (key % 2 == 0) {
    m->goal = row->payload.goal;
  } else {
    memcpy(&a->goal_counter, row->payload.record.goal_counter, sizeof a->goal_counter);
    a->site_epoch = row->payload.record.site_epoch;
    m->record = row->payload.record.state;
  }
  if (m->record.about != about(&m->goal)) {
    covey_models_leave_candidate(&m->record, COVEY_PHASE_IDLE);
    m->record.reason = 0;
  }
}

void covey_journal_replay(covey_agent_t* a) {
  covey_journal_t* j = &a->journal;
  const uint32_t begin = a->config->journal_offset;
  uint32_t at;
  covey_row_t row;
  for (at = begin; at < begin + a->config->journal_bytes; at += sizeof row) {
    if (covey_row_read(a, at, &row) == (int)END && row.value > j->generation) {
      j->generation = row.value;
      j->half = at - begin < half_bytes(a) ? begin : begin + half_bytes(a);
      j->ready = true;
    }
  }
  if (!j->ready) return; /* never used, or beyond repair: as good as new */
  for (at = j->half; at - j->half < half_bytes(a); at += sizeof row) {
    const int key = covey_row_read(a, at, &row);
    if (key < 0 && covey_flash_blank(a, at, sizeof row)) continue;
    j->next = at + (uint32_t)sizeof row;
    if (key < 0) continue;
    j->generation = row.value;
    if ((uint32_t)key < keys(a)) load(a, (uint32_t)key, &row);
#if COVEY_ROOT
    if ((uint32_t)key == ROOT + a->root_rows && a->root_rows < COVEY_ROOT_ROWS_MAX) {
      ++a->root_rows;
    }
#endif
  }
}
