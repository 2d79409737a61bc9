/* The journal: two halves of whole erase units, append-only records of 64 bytes:
 *     {magic u16, version u8, key u8, generation u32, payload 52, crc32}
 * as they are in memory: only this device reads them. The key is 2 * model for a goal, 2 * model +
 * 1 for a model record, END for the end of a snapshot. A half begins with a snapshot of every key
 * and END; later records follow. Replay: the half whose END has the highest generation, there the
 * newest valid record of each key. Full: erase the other half and write a snapshot there; until its
 * END is whole, the old half is the journal, however often power fails meanwhile.
 *
 * A power cut may leave a word that reads as erased though it was touched, and may do so again in
 * the next boot: no number of skipped positions is safe. So the first record after a start that may
 * have been a power cut opens a fresh half. That costs an erase per such start that has something
 * to write; most have not. */
#include "internal.h"

#define MAGIC 0xc07eU
#define VERSION 2U
#define END 0xffU

/* Which goal a model record is about: a cut may fall between the two. */
typedef struct about {
  uint8_t candidate[COVEY_PREFIX_BYTES];
  uint32_t attempt;
} about_t;

typedef struct entry {
  uint16_t magic;
  uint8_t version;
  uint8_t key;
  uint32_t generation;
  union {
    covey_model_goal_t goal;
    struct {
      uint32_t goal_counter[2];
      uint32_t site_epoch;
      covey_model_record_t state;
      about_t about;
    } record;
    uint8_t room[52];
  } payload;
  uint32_t crc; /* of all before it */
} entry_t;
COVEY_STATIC_ASSERT(sizeof(entry_t) == COVEY_ROW_BYTES);

static uint32_t half_bytes(const covey_agent_t* a) { return a->config->journal_bytes / 2; }
static uint32_t positions(const covey_agent_t* a) { return half_bytes(a) / COVEY_ROW_BYTES; }
static uint32_t keys(const covey_agent_t* a) { return 2 * (uint32_t)a->config->model_count; }
static uint32_t address(const covey_agent_t* a, uint32_t half, uint32_t position) {
  return a->config->journal_offset + half * half_bytes(a) + position * COVEY_ROW_BYTES;
}
static uint32_t crc_of(const entry_t* e) {
  return covey_crc32((const uint8_t*)e, offsetof(entry_t, crc));
}
static about_t about_goal(const covey_model_t* m) {
  about_t about;
  memcpy(about.candidate, m->goal.candidate, sizeof about.candidate);
  about.attempt = m->goal.attempt;
  return about;
}

/* Writes at the next position and reads back. */
static int put(covey_agent_t* a, uint32_t key) {
  covey_journal_t* j = &a->journal;
  const uint32_t at = address(a, j->half, j->next);
  entry_t e;
  entry_t check;
  int error;
  memset(&e, 0, sizeof e);
  e.magic = MAGIC;
  e.version = VERSION;
  e.key = (uint8_t)key;
  e.generation = j->generation + 1;
  if (key != END) {
    const covey_model_t* m = &a->models[key / 2];
    if (key % 2 == 0) {
      e.payload.goal = m->goal;
    } else {
      memcpy(e.payload.record.goal_counter, &a->goal_counter, sizeof a->goal_counter);
      e.payload.record.site_epoch = a->site_epoch;
      e.payload.record.state = m->record;
      e.payload.record.about = about_goal(m);
    }
  }
  e.crc = crc_of(&e);
  ++j->next; /* a position is used once, whatever becomes of it */
  error = covey_flash_write(a, at, &e, sizeof e);
  if (error == 0) error = covey_flash_read(a, at, &check, sizeof check);
  /* Byte for byte, padding too: that is what was written.
   * NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
  if (error == 0 && memcmp(&e, &check, sizeof e) != 0) error = COVEY_ERROR_FLASH_WRITE;
  if (error == 0) ++j->generation;
  return error;
}

/* The other half becomes the journal, with everything as it is in memory now. */
static int snapshot(covey_agent_t* a) {
  covey_journal_t* j = &a->journal;
  const covey_journal_t before = *j;
  uint32_t key;
  int error;
  j->half = j->ready ? j->half ^ 1 : 0;
  j->next = 0;
  error = covey_flash_erase(a, address(a, j->half, 0), half_bytes(a));
  for (key = 0; key < keys(a) && error == 0; ++key) error = put(a, key);
  if (error == 0) error = put(a, END);
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
    error = j->ready && j->clean && j->next < positions(a) ? put(a, key) : snapshot(a);
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

/* Reads a record; false if it is torn, foreign or unreadable. */
static bool get(covey_agent_t* a, uint32_t half, uint32_t position, entry_t* e) {
  return covey_flash_read(a, address(a, half, position), e, sizeof *e) == 0 && e->magic == MAGIC &&
         e->version == VERSION && e->crc == crc_of(e) && (e->key == END || e->key < keys(a));
}

/* Into memory; `about` is the model's goal that its record was about. */
static void load(covey_agent_t* a, const entry_t* e, about_t* about) {
  covey_model_t* m = &a->models[e->key / 2];
  if (e->key % 2 == 0) {
    m->goal = e->payload.goal;
  } else {
    memcpy(&a->goal_counter, e->payload.record.goal_counter, sizeof a->goal_counter);
    a->site_epoch = e->payload.record.site_epoch;
    m->record = e->payload.record.state;
    about[m->index] = e->payload.record.about;
  }
}

void covey_journal_replay(covey_agent_t* a) {
  covey_journal_t* j = &a->journal;
  about_t about[COVEY_MODELS_MAX];
  covey_model_t* m;
  uint32_t half;
  uint32_t position;
  entry_t e;
  memset(about, 0, sizeof about);
  for (half = 0; half < 2; ++half) {
    for (position = 0; position < positions(a); ++position) {
      if (!get(a, half, position, &e) || e.key != END || e.generation <= j->generation) continue;
      j->generation = e.generation;
      j->half = (uint8_t)half;
      j->ready = true;
    }
  }
  if (!j->ready) return; /* never used, or beyond repair: as good as new */
  for (position = 0; position < positions(a); ++position) {
    bool blank;
    if (get(a, j->half, position, &e)) {
      j->generation = e.generation;
      if (e.key != END) load(a, &e, about);
      j->next = position + 1;
    } else if (covey_flash_blank(a, address(a, j->half, position), sizeof e, &blank) != 0 ||
               !blank) {
      j->next = position + 1;
    }
  }
  for (m = a->models; m != covey_models_end(a); ++m) {
    const about_t goal = about_goal(m);
    if (memcmp(&goal, &about[m->index], sizeof goal) != 0) {
      m->record.phase = COVEY_PHASE_IDLE; /* the goal is newer: it has not begun */
      m->record.candidate = COVEY_NO_SLOT;
      m->record.reason = 0;
      m->record.starts = 0;
    }
  }
}
