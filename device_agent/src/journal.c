/* The journal: two halves of whole erase units, append-only records of 64 bytes:
 *     {magic u16, version u8, key u8, generation u32, payload 52, crc32}
 * The key is 2 * model for a goal, 2 * model + 1 for a model record, END for the end of a snapshot.
 * A half begins with a snapshot of every key and END; later records follow. Replay: the half whose
 * END has the highest generation, there the newest valid record of each key. Full: erase the other
 * half and write a snapshot there; until its END is whole, the old half is the journal, however
 * often power fails meanwhile.
 *
 * A power cut may leave a word that reads as erased though it was touched, and may do so again in
 * the next boot: no number of skipped positions is safe. So the first record after a start that may
 * have been a power cut opens a fresh half. That costs an erase per such start that has something
 * to write; most have not. */
#include "internal.h"

#define RECORD_BYTES 64U
#define MAGIC 0xc07eU
#define VERSION 1U
#define END 0xffU

static uint32_t half_bytes(const covey_agent_t* a) { return a->config->journal_bytes / 2; }
static uint32_t positions(const covey_agent_t* a) { return half_bytes(a) / RECORD_BYTES; }
static uint32_t keys(const covey_agent_t* a) { return 2 * (uint32_t)a->config->model_count; }
static uint32_t address(const covey_agent_t* a, uint32_t half, uint32_t position) {
  return a->config->journal_offset + half * half_bytes(a) + position * RECORD_BYTES;
}

static void store_goal(const covey_model_goal_t* goal, uint8_t* to) {
  memcpy(to, goal->candidate, COVEY_DIGEST_BYTES);
  covey_store32(to + 32, goal->attempt);
  covey_store32(to + 36, goal->security_floor);
  covey_store32(to + 40, goal->lease_s);
  to[44] = goal->mode;
  to[45] = goal->may_confirm;
}

static void load_goal(covey_model_goal_t* goal, const uint8_t* from) {
  memcpy(goal->candidate, from, COVEY_DIGEST_BYTES);
  goal->attempt = covey_load32(from + 32);
  goal->security_floor = covey_load32(from + 36);
  goal->lease_s = covey_load32(from + 40);
  goal->mode = from[44];
  goal->may_confirm = from[45] != 0;
}

static void store_record(const covey_agent_t* a, const covey_model_t* model, uint8_t* to) {
  const covey_model_record_t* r = &model->record;
  covey_store64(to, a->goal_counter);
  covey_store32(to + 8, a->site_epoch);
  to[12] = r->phase;
  to[13] = r->confirmed;
  to[14] = r->candidate;
  to[15] = r->fallback;
  to[16] = r->starts;
  to[17] = (uint8_t)(r->faults << 1 | r->selftest_passed);
  covey_store32(to + 18, (uint32_t)r->reason | (uint32_t)r->fallback_reason << 16);
  covey_store32(to + 22, (uint32_t)r->port_code);
  memcpy(to + 26, r->rejected, COVEY_PREFIX_BYTES);
  covey_store32(to + 34, r->rejected_attempt);
  /* Which goal this is about: a cut may fall between the records of goal and model. */
  memcpy(to + 38, model->goal.candidate, COVEY_PREFIX_BYTES);
  covey_store32(to + 46, model->goal.attempt);
}

static void load_record(covey_agent_t* a, covey_model_t* model, const uint8_t* from) {
  covey_model_record_t* r = &model->record;
  a->goal_counter = covey_load64(from);
  a->site_epoch = covey_load32(from + 8);
  r->phase = from[12];
  r->confirmed = from[13];
  r->candidate = from[14];
  r->fallback = from[15];
  r->starts = from[16];
  r->faults = from[17] >> 1;
  r->selftest_passed = (from[17] & 1) != 0;
  r->reason = (uint16_t)covey_load32(from + 18);
  r->fallback_reason = (uint16_t)(covey_load32(from + 18) >> 16);
  r->port_code = (int32_t)covey_load32(from + 22);
  memcpy(r->rejected, from + 26, COVEY_PREFIX_BYTES);
  r->rejected_attempt = covey_load32(from + 34);
}

/* Writes at the next position and reads back. */
static int put(covey_agent_t* a, uint32_t key) {
  covey_journal_t* j = &a->journal;
  uint8_t record[RECORD_BYTES];
  uint8_t check[RECORD_BYTES];
  const uint32_t at = address(a, j->half, j->next);
  int error;
  memset(record, 0, sizeof record);
  record[0] = (uint8_t)MAGIC;
  record[1] = (uint8_t)(MAGIC >> 8);
  record[2] = VERSION;
  record[3] = (uint8_t)key;
  covey_store32(record + 4, j->generation + 1);
  if (key != END) {
    const covey_model_t* model = &a->models[key / 2];
    if (key % 2 == 0) {
      store_goal(&model->goal, record + 8);
    } else {
      store_record(a, model, record + 8);
    }
  }
  covey_store32(record + 60, covey_crc32(record, 60));
  ++j->next; /* a position is used once, whatever becomes of it */
  error = covey_flash_write(a, at, record, sizeof record);
  if (error == 0) error = covey_flash_read(a, at, check, sizeof check);
  if (error == 0 && memcmp(record, check, sizeof check) != 0) error = COVEY_ERROR_FLASH_WRITE;
  if (error == 0) ++j->generation;
  return error;
}

/* The other half becomes the journal, with everything as it is in memory now. */
static int snapshot(covey_agent_t* a) {
  covey_journal_t* j = &a->journal;
  const covey_journal_t before = *j;
  const uint8_t half = j->ready ? j->half ^ 1 : 0;
  uint32_t unit;
  uint32_t key;
  int error = COVEY_OK;
  for (unit = 0; unit < half_bytes(a) && error == 0;
       unit += covey_port(a)->flash.erase_unit_bytes) {
    error = covey_flash_erase(a, address(a, half, 0) + unit);
  }
  j->half = half;
  j->next = 0;
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

int covey_journal_goal(covey_agent_t* a, size_t model) { return append(a, 2 * (uint32_t)model); }

int covey_journal_record(covey_agent_t* a, size_t model) {
  return append(a, 2 * (uint32_t)model + 1);
}

int covey_journal_check(const covey_agent_config_t* config) {
  const covey_flash_t* flash = &config->port->flash;
  const uint32_t half = config->journal_bytes / 2;
  if (config->journal_offset % flash->erase_unit_bytes != 0 || half == 0 ||
      half % flash->erase_unit_bytes != 0 || config->journal_bytes % 2 != 0 ||
      config->journal_offset > flash->size_bytes ||
      config->journal_bytes > flash->size_bytes - config->journal_offset ||
      half / RECORD_BYTES < 2 * config->model_count + 4) {
    return COVEY_ERROR_FLASH_GEOMETRY;
  }
  return COVEY_OK;
}

/* Reads a record; false if it is torn, foreign or unreadable. */
static bool get(covey_agent_t* a, uint32_t half, uint32_t position, uint8_t record[RECORD_BYTES],
                bool* blank) {
  size_t i;
  *blank = false;
  if (covey_flash_read(a, address(a, half, position), record, RECORD_BYTES) != 0) return false;
  *blank = true;
  for (i = 0; i < RECORD_BYTES; ++i) {
    *blank = *blank && record[i] == covey_port(a)->flash.erased_value;
  }
  return record[0] == (MAGIC & 0xff) && record[1] == MAGIC >> 8 && record[2] == VERSION &&
         covey_crc32(record, 60) == covey_load32(record + 60) &&
         (record[3] == END || record[3] < keys(a));
}

void covey_journal_replay(covey_agent_t* a) {
  covey_journal_t* j = &a->journal;
  uint8_t about[COVEY_MODELS_MAX][COVEY_PREFIX_BYTES + 4];
  uint8_t record[RECORD_BYTES];
  uint32_t newest = 0;
  uint32_t half;
  uint32_t position;
  size_t m;
  bool blank;
  memset(j, 0, sizeof *j);
  memset(about, 0, sizeof about);
  memset(record, 0, sizeof record);
  for (half = 0; half < 2; ++half) {
    for (position = 0; position < positions(a); ++position) {
      if (!get(a, half, position, record, &blank)) continue;
      if (record[3] != END || covey_load32(record + 4) <= newest) continue;
      newest = covey_load32(record + 4);
      j->half = (uint8_t)half;
      j->ready = true;
    }
  }
  if (!j->ready) return; /* never used, or beyond repair: as good as new */
  for (position = 0; position < positions(a); ++position) {
    const bool valid = get(a, j->half, position, record, &blank);
    covey_model_t* model = &a->models[record[3] / 2 % COVEY_MODELS_MAX];
    if (!blank) j->next = position + 1;
    if (!valid) continue;
    j->generation = covey_load32(record + 4);
    if (record[3] == END) continue;
    if (record[3] % 2 == 0) {
      load_goal(&model->goal, record + 8);
    } else {
      load_record(a, model, record + 8);
      memcpy(about[record[3] / 2], record + 8 + 38, sizeof about[0]);
    }
  }
  for (m = 0; m < a->config->model_count; ++m) {
    covey_model_t* model = &a->models[m];
    uint8_t goal[COVEY_PREFIX_BYTES + 4];
    memcpy(goal, model->goal.candidate, COVEY_PREFIX_BYTES);
    covey_store32(goal + COVEY_PREFIX_BYTES, model->goal.attempt);
    if (memcmp(goal, about[m], sizeof goal) != 0) {
      model->record.phase = COVEY_PHASE_IDLE; /* the goal is newer: it has not begun */
      model->record.candidate = COVEY_NO_SLOT;
      model->record.reason = 0;
      model->record.starts = 0;
    }
  }
}
