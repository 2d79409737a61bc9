/* Goals: authenticated, newer than the last, made for this boot; then journaled, then acted upon.
 * All or nothing: a goal that is refused changes nothing. */
#include "internal.h"

#define REPORT_INTERVAL_S_MAX 86400U

/* covey.device.v1.Settings */
typedef struct settings {
  uint32_t report_interval_s;
  uint32_t sample_scale;
} settings_t;

static const covey_member_t settings_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_U32, settings_t, report_interval_s),
    COVEY_MEMBER(2, COVEY_MEMBER_U32, settings_t, sample_scale), COVEY_MEMBERS_END(settings_t)};

/* What a goal changes: these members of the agent and what lies between them. */
#define STATE_AT offsetof(covey_agent_t, goal_counter)
#define STATE_BYTES \
  (offsetof(covey_agent_t, models) + sizeof(((covey_agent_t*)0)->models) - STATE_AT)

/* covey.device.v1.ModelGoal, and what it makes of a model */
typedef struct change {
  covey_model_goal_t goal;
  const uint8_t* candidate;
  uint32_t model_id;
  uint32_t mode;
  uint32_t may_confirm;
  uint32_t shadow_one_in;
  bool named;
  bool other; /* another piece of work than before, or none */
  bool ran;   /* the model of before was on probation */
} change_t;

static const covey_member_t model_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_F32, change_t, model_id),
    COVEY_MEMBER(3, COVEY_MEMBER_DIGEST, change_t, candidate),
    COVEY_MEMBER(4, COVEY_MEMBER_U32, change_t, mode),
    COVEY_MEMBER(5, COVEY_MEMBER_U32, change_t, may_confirm),
    COVEY_MEMBER(6, COVEY_MEMBER_U32, change_t, goal.attempt),
    COVEY_MEMBER(7, COVEY_MEMBER_U32, change_t, goal.security_floor),
    COVEY_MEMBER(8, COVEY_MEMBER_U32, change_t, shadow_one_in),
    COVEY_MEMBERS_END(change_t)};

/* covey.device.v1.Goal */
typedef struct goal {
  uint64_t counter;
  uint64_t nonce;
  covey_bytes_t device_id;
  covey_bytes_t settings;
  uint32_t site_epoch;
  uint32_t lease_s;
  change_t changes[COVEY_MODELS_MAX]; /* by model */
} goal_t;

static const covey_member_t goal_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_U32, goal_t, site_epoch),
    COVEY_MEMBER(2, COVEY_MEMBER_U64, goal_t, counter),
    COVEY_MEMBER(3, COVEY_MEMBER_BYTES, goal_t, device_id),
    COVEY_MEMBER(4, COVEY_MEMBER_F64, goal_t, nonce),
    COVEY_MEMBER(7, COVEY_MEMBER_U32, goal_t, lease_s),
    COVEY_MEMBER(8, COVEY_MEMBER_BYTES, goal_t, settings),
    COVEY_MEMBERS_END(goal_t)};

static uint32_t at_most(uint32_t value, uint32_t limit) { return value < limit ? value : limit; }

/* What the message says about one model; about others: nothing to do, and nothing wrong. */
static bool parse_model(covey_agent_t* a, const covey_model_t* m, covey_bytes_t message,
                        change_t* c) {
  covey_bytes_t r = message;
  covey_bytes_t item;
  change_t read;
  uint8_t id[COVEY_DIGEST_BYTES];
  covey_digest(a, m->config->name, strlen(m->config->name), id);
  while (covey_read_next(&r, 5, &item)) {
    if (!covey_read_members(item, model_members, &read)) return false;
    if (read.model_id != covey_load32(id)) continue;
    if (c->named) return false; /* twice: which one counts? */
    read.named = true;
    covey_copy(c, &read, sizeof read);
  }
  c->goal.may_confirm = c->may_confirm != 0;
  c->goal.shadow_one_in = (uint16_t)at_most(c->shadow_one_in, UINT16_MAX);
  if (c->candidate != NULL) { /* whatever the mode is, it is one */
    covey_copy(c->goal.candidate, c->candidate, COVEY_DIGEST_BYTES);
    c->goal.mode = (uint8_t)(at_most(c->mode - 1, UINT8_MAX - 1) + 1);
  }
  return true;
}

/* Whether the goal is about another piece of work than before. */
static bool differ(const covey_model_goal_t* x, const covey_model_goal_t* y) {
  if (x->mode == 0 || y->mode == 0) return x->mode != y->mode;
  return x->attempt != y->attempt || !covey_digest_equal(x->candidate, y->candidate);
}

/* The work that the record was about is not wanted any more. */
static void drop_work(covey_agent_t* a, covey_model_t* m, bool cancelled) {
  covey_model_record_t* r = &m->record;
  covey_job_abort(a, m);
  m->lease.left_ms = COVEY_NEVER;
  m->chunks_have = 0;
  m->chunks_total = 0;
  r->phase = COVEY_PHASE_IDLE;
  r->reason = 0;
  r->port_code = 0;
  r->candidate = COVEY_NO_SLOT;
  r->starts = 0;
  r->selftest_passed = false;
  if (!cancelled) return;
  r->phase = COVEY_PHASE_REVERTED; /* shown until the next goal */
  r->reason = (uint16_t)-COVEY_ERROR_ORDER;
}

/* The model, and its journal, after the change; an error leaves it half done. */
static int apply(covey_agent_t* a, covey_model_t* m, change_t* c) {
  covey_model_goal_t* next = &c->goal;
  int error = COVEY_OK;
  bool keep; /* candidate and attempt: what was, or is now, told about the last one */
  c->ran = covey_on_probation(m);
  c->other = differ(next, &m->goal);
  keep = next->mode == 0 && (c->ran || !c->other);
  if (c->other) drop_work(a, m, keep);
  if (keep) { /* the attempt and, behind it, the candidate */
    covey_copy(&next->attempt, &m->goal.attempt, sizeof next->attempt + sizeof next->candidate);
  }
  if (next->security_floor < m->goal.security_floor) { /* it only rises */
    next->security_floor = m->goal.security_floor;
  }
  if (next->lease_s != 0) {
    m->lease.left_ms = covey_seconds(next->lease_s);
  } else if (!c->other) {
    next->lease_s = m->goal.lease_s; /* goes on under the lease that it has */
  }
  /* Both began zeroed; a difference in padding would only journal once more.
   * NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
  if (memcmp(next, &m->goal, sizeof *next) != 0) {
    covey_copy(&m->goal, next, sizeof *next);
    error = covey_journal_goal(a, m);
  }
  return error != 0 ? error : covey_journal_record(a, m); /* epoch and counter, at least */
}

/* All models, or none. The copy is on the stack no longer than that. */
static COVEY_OUTLINE int apply_all(covey_agent_t* a, goal_t* goal) {
  uint8_t before[STATE_BYTES];
  change_t* c = goal->changes;
  covey_model_t* m;
  covey_copy(before, (const uint8_t*)a + STATE_AT, STATE_BYTES);
  a->site_epoch = goal->site_epoch;
  a->goal_counter = goal->counter;
  for (m = a->models; m != covey_models_end(a); ++m) {
    const int error = apply(a, m, c);
    ++c;
    if (error != 0) {
      covey_copy((uint8_t*)a + STATE_AT, before, STATE_BYTES);
      return error;
    }
  }
  return COVEY_OK;
}

static int accept(covey_agent_t* a, goal_t* goal) {
  const change_t* c = goal->changes;
  covey_model_t* m;
  const int error = apply_all(a, goal);
  if (error != 0) return error;
  for (m = a->models; m != covey_models_end(a); ++m) {
    if (c->other) covey_shadow_unload(m);
    if (c->other && c->ran) covey_model_run_confirmed(m);
    ++c;
  }
  ++a->counters.goals_accepted;
  covey_status_changed(a);
  return COVEY_OK;
}

/* Of the newest goal, also when it is the retained one again: settings are not journaled. */
static void configure(covey_agent_t* a, covey_bytes_t message) {
  covey_timer_t* window = &a->timers[COVEY_TIMER_WINDOW];
  settings_t settings;
  uint32_t interval_ms = a->interval_ms;
  if (!covey_read_members(message, settings_members, &settings)) return;
  a->sample_scale = settings.sample_scale;
  if (settings.report_interval_s > REPORT_INTERVAL_S_MAX) {
    settings.report_interval_s = REPORT_INTERVAL_S_MAX;
  }
  if (settings.report_interval_s != 0) interval_ms = settings.report_interval_s * 1000;
  a->times.report_interval_ms = interval_ms;
  if (window->left_ms > interval_ms) window->left_ms = interval_ms;
}

enum { NEW = 0, AGAIN = 1 };

/* NEW; AGAIN, the retained one; or an error. */
static int judge(const covey_agent_t* a, const goal_t* goal) {
  if (goal->site_epoch < a->site_epoch) return COVEY_ERROR_SITE_EPOCH_LOWER;
  if (goal->site_epoch == a->site_epoch) {
    if (goal->counter < a->goal_counter) return COVEY_ERROR_GOAL_STALE;
    if (goal->counter == a->goal_counter) return AGAIN;
  }
  /* Made for an earlier boot? Our hello brings a new one. */
  return goal->nonce == a->nonce ? NEW : COVEY_ERROR_NONCE_MISMATCH;
}

int covey_goal_receive(covey_agent_t* a, covey_bytes_t message) {
  const covey_model_t* m;
  goal_t goal;
  change_t* c = goal.changes;
  int result = covey_unseal(a, "goal", &message);
  if (result != 0) return result;
  if (!covey_read_members(message, goal_members, &goal) ||
      !covey_text_equal(a->config->device_id, goal.device_id.bytes, goal.device_id.size)) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  for (m = a->models; m != covey_models_end(a); ++m) {
    if (!parse_model(a, m, message, c)) return COVEY_ERROR_MESSAGE_MALFORMED;
    c->goal.lease_s = goal.lease_s;
    ++c;
  }
  result = judge(a, &goal);
  if (result < 0) return result;
  configure(a, goal.settings);
  result = result == NEW ? accept(a, &goal) : COVEY_OK;
  if (result == 0 && goal.nonce == a->nonce) covey_answered(a);
  return result;
}
