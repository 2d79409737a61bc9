/* SPDX-License-Identifier: Apache-2.0 */
/* Goals: authenticated, newer than the last, made for this boot; then journaled, then acted upon.
 * All or nothing: a goal that is refused changes nothing. */
#include "parts.h"

#define MODE_UNKNOWN UINT8_MAX /* of a candidate: one that this firmware does not know, or none */

#if COVEY_SETTINGS
#define REPORT_INTERVAL_S_MAX 86400U

/* covey.device.v1.Settings */
typedef struct settings {
  uint32_t report_interval_s;
  uint32_t sample_scale;
} settings_t;

static const covey_member_t settings_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_U32, settings_t, report_interval_s),
    COVEY_MEMBER(2, COVEY_MEMBER_U32, settings_t, sample_scale), COVEY_MEMBERS_END(settings_t)};
#endif

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
    COVEY_MEMBER(6, COVEY_MEMBER_U32, change_t, goal.work.attempt),
    COVEY_MEMBER(7, COVEY_MEMBER_U32, change_t, goal.security_floor),
    COVEY_MEMBER(8, COVEY_MEMBER_U32, change_t, shadow_one_in),
    COVEY_MEMBERS_END(change_t)};

/* covey.device.v1.Goal */
typedef struct goal {
  uint64_t counter;
  uint64_t nonce;
  covey_bytes_t device_id;
#if COVEY_SETTINGS
  covey_bytes_t settings;
#endif
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
#if COVEY_SETTINGS
    COVEY_MEMBER(8, COVEY_MEMBER_BYTES, goal_t, settings),
#endif
    COVEY_MEMBERS_END(goal_t)};

/* What the message says about one model; about others: nothing to do, and nothing wrong. */
static bool parse_model(covey_agent_t* a, const covey_model_t* m, covey_bytes_t message,
                        change_t* c) {
  covey_bytes_t r = message;
  covey_bytes_t item;
  change_t read;
  bool known;
  uint8_t id[COVEY_DIGEST_BYTES];
  covey_digest_of(a, m->config->name, strlen(m->config->name), id);
  while (covey_read_next(&r, 5, &item)) {
    if (!covey_read_members(item, model_members, &read)) return false;
    if (read.model_id != covey_bytes_load32(id)) continue;
    if (c->named) return false; /* twice: which one counts? */
    read.named = true;
    covey_bytes_copy(c, &read, sizeof read);
  }
  known = c->mode >= COVEY_MODE_STAGED && c->mode <= COVEY_MODE_ACTIVE;
  c->goal.may_confirm = c->may_confirm != 0;
  c->goal.shadow_one_in = (uint16_t)(c->shadow_one_in < UINT16_MAX ? c->shadow_one_in : UINT16_MAX);
  if (c->candidate != NULL) { /* whatever the mode is, it is one */
    covey_bytes_copy(c->goal.work.candidate, c->candidate, COVEY_DIGEST_BYTES);
    c->goal.mode = known ? c->mode : MODE_UNKNOWN;
  }
  return true;
}

/* Whether the goal is about another piece of work than before. */
static bool differ(const covey_model_goal_t* x, const covey_model_goal_t* y) {
  if (x->mode == 0 || y->mode == 0) return x->mode != y->mode;
  return x->work.attempt != y->work.attempt ||
         !covey_bytes_same_digest(x->work.candidate, y->work.candidate);
}

static bool same(const covey_model_goal_t* x, const covey_model_goal_t* y) {
  return x->mode == y->mode && !differ(x, y) && x->security_floor == y->security_floor &&
         x->lease_s == y->lease_s && x->may_confirm == y->may_confirm &&
         x->shadow_one_in == y->shadow_one_in;
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
  c->ran = covey_models_on_probation(m);
  c->other = differ(next, &m->goal);
  keep = next->mode == 0 && (c->ran || !c->other);
  if (c->other) drop_work(a, m, keep);
  if (keep) covey_bytes_copy(&next->work, &m->goal.work, sizeof next->work);
  if (next->security_floor < m->goal.security_floor) { /* it only rises */
    next->security_floor = m->goal.security_floor;
  }
  if (next->lease_s != 0) {
    m->lease.left_ms = covey_clock_seconds(next->lease_s);
  } else if (!c->other) {
    next->lease_s = m->goal.lease_s; /* goes on under the lease that it has */
  }
  if (!same(next, &m->goal)) {
    covey_bytes_copy(&m->goal, next, sizeof *next);
    error = covey_journal_goal(a, m);
  }
  return error != 0 ? error : covey_journal_record(a, m); /* epoch and counter, at least */
}

/* All models, or none. The copy is on the stack no longer than that. */
static COVEY_OUTLINE int apply_all(covey_agent_t* a, goal_t* goal) {
  const uint64_t counter = a->goal_counter;
  const uint32_t site_epoch = a->site_epoch;
  covey_model_t before[COVEY_MODELS_MAX];
  change_t* c = goal->changes;
  covey_model_t* m;
  covey_bytes_copy(before, a->models, sizeof before);
  a->site_epoch = goal->site_epoch;
  a->goal_counter = goal->counter;
  for (m = a->models; m != covey_models_end(a); ++m) {
    const int error = apply(a, m, c);
    ++c;
    if (error != 0) {
      covey_bytes_copy(a->models, before, sizeof before);
      a->goal_counter = counter;
      a->site_epoch = site_epoch;
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
  covey_news_status(a);
  return COVEY_OK;
}

#if COVEY_SETTINGS
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
#endif

enum { NEW = 0, AGAIN = 1 };

/* NEW; AGAIN, the retained one; or an error. */
static int judge(covey_agent_t* a, const goal_t* goal) {
  if (goal->site_epoch < a->site_epoch) {
    ++a->counters.epoch_lower;
    return COVEY_ERROR_SITE_EPOCH_LOWER;
  }
  if (goal->site_epoch == a->site_epoch) {
    if (goal->counter == a->goal_counter) return AGAIN;
    if (goal->counter < a->goal_counter) {
      ++a->counters.goals_stale;
      return COVEY_ERROR_GOAL_STALE;
    }
  }
  if (goal->nonce == a->nonce) return NEW;
  ++a->counters.nonce_mismatch; /* made for an earlier boot: our hello brings a new one */
  return COVEY_ERROR_NONCE_MISMATCH;
}

int covey_goal_receive(covey_agent_t* a, covey_bytes_t message) {
  const covey_model_t* m;
  goal_t goal;
  change_t* c = goal.changes;
  int result = covey_seal_open(a, "goal", &message);
  if (result != 0) return result;
  if (!covey_read_members(message, goal_members, &goal) ||
      !covey_bytes_are_text(a->config->device_id, goal.device_id.bytes, goal.device_id.size)) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  for (m = a->models; m != covey_models_end(a); ++m) {
    if (!parse_model(a, m, message, c)) return COVEY_ERROR_MESSAGE_MALFORMED;
    c->goal.lease_s = goal.lease_s;
    ++c;
  }
  result = judge(a, &goal);
  if (result < 0) return result;
#if COVEY_SETTINGS
  configure(a, goal.settings);
#endif
  result = result == NEW ? accept(a, &goal) : COVEY_OK;
  if (result == 0 && goal.nonce == a->nonce) covey_news_answered(a);
  return result;
}
