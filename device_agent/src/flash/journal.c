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

/* The other half becomes the journal, with everything as it is in memory now. */
static int snapshot(covey_agent_t* a) {
  covey_journal_t* j = &a->journal;
  const covey_journal_t before = *j;
  uint32_t key;
  int error;
  j->next = a->config->journal_offset;
  if (j->ready && j->half == j->next) j->next += half_bytes(a);
  j->half = j->next;
  error = covey_flash_erase(a, j->half, half_bytes(a));
  for (key = 0; key <= keys(a) && error == 0; ++key) error = put(a, key < keys(a) ? key : END);
  if (error != 0) {
    *j = before;
    return error;
  }
  j->ready = true;
  j->clean = true;
  return COVEY_OK;
}

static int append(covey_agent_t* a, uint32_t key) {
  covey_journal_t* j = &a->journal;
  unsigned tries;
  int error = COVEY_OK;
  for (tries = 0; tries < 2; ++tries) { /* a bad word costs a position, not the state */
    error = j->ready && j->clean && j->next - j->half < half_bytes(a) ? put(a, key) : snapshot(a);
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
  }
}
