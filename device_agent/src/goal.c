/* Goals: authenticated, newer than the last, made for this boot; then journaled, then acted upon.
 * All or nothing: a goal that is refused changes nothing. */
#include "internal.h"

#define REPORT_INTERVAL_S_MAX 86400U

/* covey.device.v1.Goal */
typedef struct goal {
  uint64_t counter;
  uint64_t nonce;
  covey_bytes_t device_id;
  covey_bytes_t settings;
  uint32_t site_epoch;
  uint32_t lease_s;
} goal_t;

static const covey_member_t goal_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_U32, goal_t, site_epoch),
    COVEY_MEMBER(2, COVEY_MEMBER_U64, goal_t, counter),
    COVEY_MEMBER(3, COVEY_MEMBER_BYTES, goal_t, device_id),
    COVEY_MEMBER(4, COVEY_MEMBER_F64, goal_t, nonce),
    COVEY_MEMBER(7, COVEY_MEMBER_U32, goal_t, lease_s),
    COVEY_MEMBER(8, COVEY_MEMBER_BYTES, goal_t, settings),
    COVEY_MEMBERS_END};

/* covey.device.v1.Settings */
typedef struct settings {
  uint32_t report_interval_s;
  uint32_t sample_scale;
} settings_t;

static const covey_member_t settings_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_U32, settings_t, report_interval_s),
    COVEY_MEMBER(2, COVEY_MEMBER_U32, settings_t, sample_scale), COVEY_MEMBERS_END};

/* covey.device.v1.ModelGoal */
typedef struct model_goal {
  const uint8_t* candidate;
  uint32_t model_id;
  uint32_t attempt;
  uint32_t security_floor;
  uint32_t shadow_one_in;
  uint8_t mode;
  uint8_t may_confirm;
} model_goal_t;

static const covey_member_t model_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_F32, model_goal_t, model_id),
    COVEY_MEMBER(3, COVEY_MEMBER_DIGEST, model_goal_t, candidate),
    COVEY_MEMBER(4, COVEY_MEMBER_U8, model_goal_t, mode),
    COVEY_MEMBER(5, COVEY_MEMBER_U8, model_goal_t, may_confirm),
    COVEY_MEMBER(6, COVEY_MEMBER_U32, model_goal_t, attempt),
    COVEY_MEMBER(7, COVEY_MEMBER_U32, model_goal_t, security_floor),
    COVEY_MEMBER(8, COVEY_MEMBER_U32, model_goal_t, shadow_one_in),
    COVEY_MEMBERS_END};

/* What a goal makes of one model. */
typedef struct change {
  covey_model_goal_t goal;
  bool named;
  bool other; /* another piece of work than before, or none */
  bool ran;   /* the model of before was on probation */
} change_t;

static uint32_t model_id(covey_agent_t* a, const covey_model_t* m) {
  uint8_t digest[COVEY_DIGEST_BYTES];
  covey_digest(a, m->config->name, strlen(m->config->name), digest);
  return covey_load32(digest);
}

static bool parse_models(covey_agent_t* a, covey_bytes_t message, uint32_t lease_s,
                         change_t changes[COVEY_MODELS_MAX]) {
  covey_reader_t r = covey_reader_of(message);
  covey_bytes_t item;
  unsigned k;
  memset(changes, 0, COVEY_MODELS_MAX * sizeof *changes);
  for (k = 0; k < COVEY_MODELS_MAX; ++k) changes[k].goal.lease_s = lease_s;
  while (covey_read_next(&r, 5, &item)) {
    const covey_model_t* m;
    model_goal_t goal;
    if (!covey_read_members(item, model_members, &goal, sizeof goal)) return false;
    for (m = a->models; m != covey_models_end(a); ++m) {
      change_t* c = &changes[m->index];
      if (model_id(a, m) != goal.model_id) continue;
      if (c->named) return false; /* twice: which one counts? */
      c->named = true;
      c->goal.may_confirm = goal.may_confirm != 0;
      c->goal.attempt = goal.attempt;
      c->goal.security_floor = goal.security_floor;
      c->goal.shadow_one_in =
          (uint16_t)(goal.shadow_one_in < UINT16_MAX ? goal.shadow_one_in : UINT16_MAX);
      if (goal.candidate == NULL) continue;
      memcpy(c->goal.candidate, goal.candidate, COVEY_DIGEST_BYTES);
      c->goal.mode = goal.mode != 0 ? goal.mode : UINT8_MAX; /* there is a candidate */
    }
  }
  return true; /* a model that is not mine: nothing to do, and nothing wrong */
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

/* In memory only. */
static void apply(covey_agent_t* a, covey_model_t* m, change_t* c) {
  covey_model_goal_t* next = &c->goal;
  const bool idle = next->mode == 0;
  bool keep = idle && m->goal.mode == 0; /* as before: also what was told about the last one */
  c->ran = covey_on_probation(m);
  if (next->security_floor < m->goal.security_floor) { /* it only rises */
    next->security_floor = m->goal.security_floor;
  }
  c->other = !keep && (idle || m->goal.mode == 0 || next->attempt != m->goal.attempt ||
                       !covey_digest_equal(next->candidate, m->goal.candidate));
  if (c->other) {
    covey_job_abort(a, m);
    drop_work(m, idle);
    keep = m->record.phase == COVEY_PHASE_REVERTED; /* what the report is about */
  } else if (next->lease_s == 0) {
    next->lease_s = m->goal.lease_s; /* goes on under the lease that it has */
  }
  if (keep) {
    memcpy(next->candidate, m->goal.candidate, sizeof next->candidate);
    next->attempt = m->goal.attempt;
  }
}

static int journal(covey_agent_t* a, covey_model_t* m, const covey_model_goal_t* next) {
  int error = COVEY_OK;
  /* Both began zeroed; a difference in padding would only journal once more.
   * NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
  const bool changed = memcmp(next, &m->goal, sizeof *next) != 0;
  m->goal = *next;
  if (changed) error = covey_journal_goal(a, m);
  return error != 0 ? error : covey_journal_record(a, m); /* epoch and counter, at least */
}

static int accept(covey_agent_t* a, const goal_t* goal, change_t changes[COVEY_MODELS_MAX]) {
  struct {
    covey_model_goal_t goal;
    covey_model_record_t record;
  } before[COVEY_MODELS_MAX];
  const uint32_t epoch_before = a->site_epoch;
  const uint64_t counter_before = a->goal_counter;
  covey_model_t* m;
  int error = COVEY_OK;
  for (m = a->models; m != covey_models_end(a); ++m) {
    before[m->index].goal = m->goal;
    before[m->index].record = m->record;
    apply(a, m, &changes[m->index]);
  }
  a->site_epoch = goal->site_epoch;
  a->goal_counter = goal->counter;
  for (m = a->models; m != covey_models_end(a) && error == 0; ++m) {
    error = journal(a, m, &changes[m->index].goal);
  }
  if (error != 0) {
    a->site_epoch = epoch_before;
    a->goal_counter = counter_before;
    for (m = a->models; m != covey_models_end(a); ++m) {
      m->goal = before[m->index].goal;
      m->record = before[m->index].record;
    }
    return error;
  }
  for (m = a->models; m != covey_models_end(a); ++m) {
    const change_t* c = &changes[m->index];
    if (goal->lease_s != 0) {
      m->lease.left_ms = covey_seconds(goal->lease_s);
    } else if (c->other) {
      m->lease.left_ms = COVEY_NEVER;
    }
    if (!c->other) continue;
    m->chunks_have = 0;
    m->chunks_total = 0;
    covey_shadow_unload(m);
    if (c->ran) covey_model_run_confirmed(m);
  }
  ++a->counters.goals_accepted;
  covey_answered(a);
  covey_status_changed(a);
  return COVEY_OK;
}

/* Of the newest goal, also when it is the retained one again: settings are not journaled. */
static void configure(covey_agent_t* a, covey_bytes_t message) {
  covey_timer_t* window = &a->timers[COVEY_TIMER_WINDOW];
  settings_t settings;
  uint32_t interval_ms = a->interval_ms;
  if (!covey_read_members(message, settings_members, &settings, sizeof settings)) return;
  a->sample_scale = settings.sample_scale;
  if (settings.report_interval_s > REPORT_INTERVAL_S_MAX) {
    settings.report_interval_s = REPORT_INTERVAL_S_MAX;
  }
  if (settings.report_interval_s != 0) interval_ms = settings.report_interval_s * 1000;
  a->times.report_interval_ms = interval_ms;
  if (window->left_ms > interval_ms) window->left_ms = interval_ms;
}

int covey_goal_receive(covey_agent_t* a, covey_bytes_t message) {
  change_t changes[COVEY_MODELS_MAX];
  goal_t goal;
  const int error = covey_unseal(a, "goal", &message);
  if (error != 0) return error;
  if (!covey_read_members(message, goal_members, &goal, sizeof goal) ||
      !covey_text_equal(a->config->device_id, goal.device_id) ||
      !parse_models(a, message, goal.lease_s, changes)) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  if (goal.site_epoch < a->site_epoch) return COVEY_ERROR_SITE_EPOCH_LOWER;
  if (goal.site_epoch == a->site_epoch && goal.counter <= a->goal_counter) {
    if (goal.counter < a->goal_counter) return COVEY_ERROR_GOAL_STALE;
    configure(a, goal.settings);
    if (goal.nonce == a->nonce) covey_answered(a);
    return COVEY_OK; /* the retained one, again */
  }
  /* Made for an earlier boot? Our hello brings a new one. */
  if (goal.nonce != a->nonce) return COVEY_ERROR_NONCE_MISMATCH;
  configure(a, goal.settings);
  return accept(a, &goal, changes);
}
