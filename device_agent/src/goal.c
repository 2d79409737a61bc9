/* Goals: authenticated, newer than the last, made for this boot; then journaled, then acted upon.
 * All or nothing: a goal that is refused changes nothing. */
#include "internal.h"

typedef struct goal {
  uint32_t site_epoch;
  uint64_t counter;
  uint64_t nonce;
  uint32_t lease_s;
  bool for_me;
  bool named[COVEY_MODELS_MAX];
  covey_model_goal_t models[COVEY_MODELS_MAX];
} goal_t;

static uint32_t model_id(const covey_agent_t* a, size_t model) {
  const char* name = a->config->models[model].name;
  uint8_t digest[COVEY_DIGEST_BYTES];
  covey_digest(a, name, strlen(name), digest);
  return covey_load32(digest);
}

static bool parse_model(const covey_agent_t* a, const covey_field_t* field, goal_t* goal) {
  covey_reader_t r = covey_reader_of(field->bytes, field->size);
  covey_field_t f;
  covey_model_goal_t m;
  uint32_t id = 0;
  size_t k;
  memset(&m, 0, sizeof m);
  while (covey_read(&r, &f)) {
    if (f.number == 1 && f.type == COVEY_FIXED32) id = (uint32_t)f.value;
    if (f.number == 3 && f.type == COVEY_BYTES && f.size != 0) {
      if (f.size != COVEY_DIGEST_BYTES) return false;
      memcpy(m.candidate, f.bytes, f.size);
      if (m.mode == 0) m.mode = 0xff; /* whatever the mode field says, there is a candidate */
    }
    if (f.type != COVEY_VARINT) continue;
    if (f.number == 4) m.mode = (uint8_t)(f.value < 0xff ? f.value : 0xff);
    if (f.number == 5) m.may_confirm = f.value != 0;
    if (f.number == 6) m.attempt = (uint32_t)f.value;
    if (f.number == 7) m.security_floor = (uint32_t)f.value;
  }
  if (r.malformed) return false;
  m.lease_s = goal->lease_s;
  for (k = 0; k < a->config->model_count; ++k) {
    if (model_id(a, k) != id) continue;
    if (goal->named[k]) return false; /* twice: which one counts? */
    goal->named[k] = true;
    goal->models[k] = m;
  }
  return true; /* a model that is not mine: nothing to do, and nothing wrong */
}

static bool parse(const covey_agent_t* a, covey_bytes_t message, goal_t* goal) {
  covey_reader_t r = covey_reader_of(message.bytes, message.size);
  covey_field_t f;
  size_t k;
  memset(goal, 0, sizeof *goal);
  while (covey_read(&r, &f)) {
    if (f.type == COVEY_BYTES && f.number == 3) {
      const char* id = a->config->device_id;
      goal->for_me = f.size == strlen(id) && memcmp(f.bytes, id, f.size) == 0;
    }
    if (f.type == COVEY_BYTES && f.number == 5 && !parse_model(a, &f, goal)) return false;
    if (f.type == COVEY_FIXED64 && f.number == 4) goal->nonce = f.value;
    if (f.type != COVEY_VARINT) continue;
    if (f.number == 1) goal->site_epoch = (uint32_t)f.value;
    if (f.number == 2) goal->counter = f.value;
    if (f.number == 7) goal->lease_s = (uint32_t)f.value;
  }
  for (k = 0; k < COVEY_MODELS_MAX; ++k) {
    covey_model_goal_t* m = &goal->models[k];
    static const uint8_t nothing[COVEY_DIGEST_BYTES] = {0};
    m->lease_s = goal->lease_s; /* the lease may come after the models */
    if (covey_digest_equal(m->candidate, nothing)) m->mode = 0;
  }
  return !r.malformed;
}

/* What the model's record becomes when the work it was about is not wanted any more. */
static void drop_work(covey_model_t* m, bool cancelled) {
  covey_model_record_t* r = &m->record;
  const bool ran = covey_on_probation(m);
  r->phase = COVEY_PHASE_IDLE;
  r->reason = 0;
  r->port_code = 0;
  r->candidate = COVEY_NO_SLOT;
  r->starts = 0;
  r->selftest_passed = false;
  if (cancelled && ran) { /* shown until the next goal */
    r->phase = COVEY_PHASE_REVERTED;
    r->reason = (uint16_t)-COVEY_ERROR_ORDER;
  }
}

/* Memory first, then the journal: goals, at last a record, which carries epoch and counter. */
static int accept(covey_agent_t* a, const goal_t* goal) {
  struct {
    covey_model_goal_t goal;
    covey_model_record_t record;
  } before[COVEY_MODELS_MAX];
  const uint32_t epoch_before = a->site_epoch;
  const uint64_t counter_before = a->goal_counter;
  bool changed[COVEY_MODELS_MAX] = {false};
  bool other[COVEY_MODELS_MAX] = {false}; /* another piece of work, or none */
  bool ran[COVEY_MODELS_MAX] = {false};
  const size_t count = a->config->model_count;
  size_t k;
  int error = COVEY_OK;
  for (k = 0; k < count; ++k) {
    covey_model_t* m = &a->models[k];
    covey_model_goal_t next = goal->models[k];
    before[k].goal = m->goal;
    before[k].record = m->record;
    ran[k] = covey_on_probation(m);
    if (next.security_floor < m->goal.security_floor) {
      next.security_floor = m->goal.security_floor; /* it only rises */
    }
    if (next.mode == 0 &&
        m->goal.mode == 0) { /* as before: also what was told about the last one */
      memcpy(next.candidate, m->goal.candidate, sizeof next.candidate);
      next.attempt = m->goal.attempt;
    } else {
      other[k] = next.mode == 0 || m->goal.mode == 0 || next.attempt != m->goal.attempt ||
                 !covey_digest_equal(next.candidate, m->goal.candidate);
    }
    if (other[k]) {
      covey_job_abort(a, k);
      drop_work(m, next.mode == 0);
      if (m->record.phase == COVEY_PHASE_REVERTED) { /* what the report is about */
        memcpy(next.candidate, m->goal.candidate, sizeof next.candidate);
        next.attempt = m->goal.attempt;
      }
    } else if (next.lease_s == 0) {
      next.lease_s = m->goal.lease_s; /* goes on under the lease that it has */
    }
    /* Both began zeroed; a difference in padding would only journal once more.
     * NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
    changed[k] = memcmp(&next, &m->goal, sizeof next) != 0;
    m->goal = next;
  }
  a->site_epoch = goal->site_epoch;
  a->goal_counter = goal->counter;
  for (k = 0; k < count && error == 0; ++k) {
    if (changed[k]) error = covey_journal_goal(a, k);
    if (error == 0 && (other[k] || k + 1 == count)) error = covey_journal_record(a, k);
  }
  if (error != 0) {
    a->site_epoch = epoch_before;
    a->goal_counter = counter_before;
    for (k = 0; k < count; ++k) {
      a->models[k].goal = before[k].goal;
      a->models[k].record = before[k].record;
    }
    return error;
  }
  for (k = 0; k < count; ++k) {
    covey_model_t* m = &a->models[k];
    if (goal->lease_s != 0) m->lease_until_ms = a->now_ms + (uint64_t)goal->lease_s * 1000;
    if (other[k] && goal->lease_s == 0) m->lease_until_ms = 0;
    if (other[k] && ran[k]) covey_model_run_confirmed(a, k);
    if (other[k]) m->chunks_have = m->chunks_total = 0;
  }
  ++a->counters.goals_accepted;
  covey_answered(a);
  covey_status_changed(a);
  return COVEY_OK;
}

int covey_goal_receive(covey_agent_t* a, covey_bytes_t message) {
  goal_t goal;
  const int size = covey_unseal(a, "goal", message);
  if (size < 0) {
    ++a->counters.mac_invalid;
    return COVEY_ERROR_MAC_INVALID;
  }
  message.size = (size_t)size;
  if (!parse(a, message, &goal) || !goal.for_me) {
    ++a->counters.malformed;
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  if (goal.site_epoch < a->site_epoch) {
    ++a->counters.epoch_lower;
    return COVEY_ERROR_SITE_EPOCH_LOWER;
  }
  if (goal.site_epoch == a->site_epoch && goal.counter <= a->goal_counter) {
    if (goal.counter < a->goal_counter) {
      ++a->counters.goals_stale;
      return COVEY_ERROR_GOAL_STALE;
    }
    if (goal.nonce == a->nonce && a->hello_sent) covey_answered(a);
    return COVEY_OK; /* the retained one, again */
  }
  if (goal.nonce != a->nonce) { /* made for an earlier boot: our hello brings a new one */
    ++a->counters.nonce_mismatch;
    return COVEY_ERROR_NONCE_MISMATCH;
  }
  return accept(a, &goal);
}
