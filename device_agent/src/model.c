/* One model's life: goal -> download -> staged -> probation -> grant -> confirmed, and every way
 * back. Level-triggered: each step looks at goal and record, never at how they came about. A
 * transition is journaled before it shows; whatever must run, runs also when journaling fails. */
#include "internal.h"

/* covey.device.v1.GoalMode */
enum { MODE_STAGED = 1, MODE_ACTIVE = 3 };

#define JOURNAL_RETRY_MS 60000U
#define FAULTS_FORGIVEN_AFTER 100U /* good inferences */

static bool present(const covey_model_t* m, uint8_t slot) {
  return slot < COVEY_SLOTS_MAX && (m->slots_present >> slot & 1) != 0;
}

static bool holds(const covey_model_t* m, uint8_t slot, const uint8_t* digest) {
  return present(m, slot) && covey_digest_equal(m->slot_digest[slot], digest);
}

bool covey_on_probation(const covey_model_t* m) {
  return m->record.phase == COVEY_PHASE_PROBATION || m->record.phase == COVEY_PHASE_PROBATION_OK;
}

static bool lease_expired(const covey_agent_t* a, const covey_model_t* m) {
  return m->lease_until_ms != 0 && a->now_ms >= m->lease_until_ms;
}

static void tell(covey_agent_t* a, size_t model, covey_event_t event) {
  if (a->config->event != NULL) a->config->event(a->config->app, event, model);
}

int covey_model_commit(covey_agent_t* a, size_t model, const covey_model_record_t* record) {
  covey_model_t* m = &a->models[model];
  const covey_model_record_t before = m->record;
  int error;
  m->record = *record;
  error = covey_journal_record(a, model);
  if (error != 0) {
    m->record = before;
    a->journal_retry_ms = a->now_ms + JOURNAL_RETRY_MS;
    return error;
  }
  covey_status_changed(a);
  if (before.phase != record->phase) tell(a, model, COVEY_EVENT_STATE);
  return COVEY_OK;
}

/* A phase that need not survive a reboot: it follows from what does. */
static void show(covey_agent_t* a, size_t model, covey_phase_t phase) {
  a->models[model].record.phase = (uint8_t)phase;
  a->models[model].phase_since_ms = a->now_ms;
  covey_status_changed(a);
  tell(a, model, COVEY_EVENT_STATE);
}

/* ---- What runs */

/* The confirmed model does not: what was confirmed before it takes over, if there is such. */
static bool fall_back(covey_agent_t* a, size_t model, int error) {
  covey_model_t* m = &a->models[model];
  covey_model_record_t record = m->record;
  const uint8_t left = record.confirmed;
  const uint16_t reason =
      covey_reason(error) != 0 ? covey_reason(error) : covey_reason(COVEY_ERROR_MODEL_FAULTING);
  const bool found = record.fallback != left && present(m, record.fallback);
  if (!found && record.fallback_reason == reason) return false;
  record.fallback_reason = reason;
  record.faults = 0;
  if (found) {
    if (present(m, left)) {
      memcpy(record.rejected, m->slot_digest[left], COVEY_PREFIX_BYTES);
      record.rejected_attempt = m->goal.attempt;
      if (record.phase == COVEY_PHASE_CONFIRMED && holds(m, left, m->goal.candidate)) {
        record.phase = COVEY_PHASE_REVERTED;
        record.reason = reason;
      }
    }
    record.confirmed = record.fallback;
    record.fallback = COVEY_NO_SLOT;
    if (record.candidate == record.confirmed) { /* it was about to be tried: it is there now */
      record.candidate = COVEY_NO_SLOT;
      record.phase = COVEY_PHASE_IDLE;
    }
  }
  /* A journal that fails must not keep the device without a model. */
  if (covey_model_commit(a, model, &record) != 0) m->record = record;
  return found;
}

void covey_model_run_confirmed(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  unsigned tries;
  covey_unload(a, model);
  for (tries = 0; tries < 2 && m->record.confirmed != COVEY_NO_SLOT; ++tries) {
    const int error = covey_load(a, model, m->record.confirmed);
    if (error == 0) {
      covey_activate(a, model);
      break;
    }
    if (!fall_back(a, model, error)) break;
  }
  covey_status_changed(a);
  tell(a, model, COVEY_EVENT_MODEL);
}

void covey_model_end(covey_agent_t* a, size_t model, covey_phase_t phase, int error) {
  covey_model_t* m = &a->models[model];
  covey_model_record_t record = m->record;
  const bool ran = covey_on_probation(m);
  record.phase = (uint8_t)phase;
  record.reason = covey_reason(error);
  record.port_code = error <= -300 && error > -400 ? a->flash_error : 0;
  if (record.reason == 0) {
    record.reason = covey_reason(COVEY_ERROR_MODEL_FAULTING);
    record.port_code = error;
  }
  if (ran && record.candidate == record.fallback && error != COVEY_ERROR_NO_GRANT &&
      error != COVEY_ERROR_LEASE_EXPIRED) {
    record.fallback = COVEY_NO_SLOT; /* confirmed once, but it failed now */
  }
  memcpy(record.rejected, m->goal.candidate, COVEY_PREFIX_BYTES);
  record.rejected_attempt = m->goal.attempt;
  record.candidate = COVEY_NO_SLOT;
  record.starts = 0;
  record.selftest_passed = false;
  covey_job_abort(a, model);
  /* A journal that fails must not keep a bad model running. */
  if (covey_model_commit(a, model, &record) != 0) m->record = record;
  if (ran) covey_model_run_confirmed(a, model);
}

/* ---- Probation */

static void load_candidate(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  const int error = covey_load(a, model, m->record.candidate);
  m->selftest_next = 0;
  m->invoke_errors = 0;
  tell(a, model, COVEY_EVENT_MODEL);
  if (error != 0) covey_model_end(a, model, COVEY_PHASE_REVERTED, error);
}

/* The start is counted before the load: a corrupt model can be a bus fault, not an error. */
static void probation_start(covey_agent_t* a, size_t model, uint8_t starts) {
  covey_model_record_t record = a->models[model].record;
  record.phase = COVEY_PHASE_PROBATION;
  record.starts = (uint8_t)(starts + 1);
  record.selftest_passed = false;
  if (covey_model_commit(a, model, &record) == 0) load_candidate(a, model);
}

static void probation_step(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  covey_model_record_t record = m->record;
  if (lease_expired(a, m)) {
    covey_model_end(a, model, COVEY_PHASE_REVERTED, COVEY_ERROR_LEASE_EXPIRED);
  } else if (m->loaded != record.candidate) {
    probation_start(a, model, record.starts); /* the journal failed at start */
  } else if (m->active != record.candidate) {
    const int result = covey_selftest_step(a, model);
    if (result < 0) {
      covey_model_end(a, model, COVEY_PHASE_REVERTED, result);
    } else if (result == 1) {
      record.selftest_passed = true;
      if (covey_model_commit(a, model, &record) != 0) { /* all vectors again, then */
        m->selftest_next = 0;
        return;
      }
      covey_activate(a, model);
      m->phase_since_ms = a->now_ms;
      tell(a, model, COVEY_EVENT_MODEL);
    }
    covey_wake_at(a, a->now_ms);
  } else if (m->good_inferences >= a->times.probation_inferences ||
             a->now_ms - m->phase_since_ms >= a->times.probation_ms) {
    show(a, model, COVEY_PHASE_PROBATION_OK);
    covey_wake_at(a, a->now_ms);
  } else {
    covey_wake_at(a, m->phase_since_ms + a->times.probation_ms);
  }
}

static void confirm(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  covey_model_record_t record = m->record;
  if (record.candidate != record.confirmed) record.fallback = record.confirmed;
  record.confirmed = record.candidate;
  record.candidate = COVEY_NO_SLOT;
  record.phase = COVEY_PHASE_CONFIRMED;
  record.reason = 0;
  record.port_code = 0;
  record.fallback_reason = 0;
  record.starts = 0;
  record.faults = 0;
  if (COVEY_BREAKS(FORGET_CONFIRM)) {
    m->record = record;
    covey_status_changed(a);
    return;
  }
  (void)covey_model_commit(a, model, &record); /* or again later */
}

/* ---- Steps */

static void begin(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  const covey_model_goal_t* goal = &m->goal;
  covey_model_record_t record = m->record;
  int veto = 0;
  record.reason = 0;
  record.port_code = 0;
  m->retry_after_s = 0;
  if (holds(m, record.confirmed, goal->candidate)) {
    record.phase = COVEY_PHASE_CONFIRMED;
    record.candidate = COVEY_NO_SLOT;
    (void)covey_model_commit(a, model, &record);
  } else if (goal->mode != MODE_STAGED && goal->mode != MODE_ACTIVE) {
    covey_model_end(a, model, COVEY_PHASE_DECLINED, COVEY_ERROR_UNSUPPORTED);
  } else if (record.rejected_attempt == goal->attempt &&
             memcmp(record.rejected, goal->candidate, COVEY_PREFIX_BYTES) == 0) {
    covey_model_end(a, model, COVEY_PHASE_DECLINED, COVEY_ERROR_REJECTED_BEFORE);
  } else if (m->lease_until_ms == 0) {
    return; /* no work may start */
  } else if (holds(m, record.fallback, goal->candidate)) {
    record.candidate = record.fallback; /* no download, and no floor: it was confirmed once */
    record.phase = COVEY_PHASE_STAGED;
    (void)covey_model_commit(a, model, &record);
  } else if (a->job.state != COVEY_JOB_NONE) {
    return; /* another model's turn */
  } else {
    if (a->config->permit != NULL) {
      veto = a->config->permit(a->config->app, model, &m->retry_after_s);
    }
    if (veto != 0) {
      covey_model_end(a, model, COVEY_PHASE_DECLINED, veto);
    } else {
      m->retry_after_s = 0;
      covey_job_start(a, model);
    }
  }
  covey_wake_at(a, a->now_ms);
}

static void staged_step(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  if (m->goal.mode != MODE_ACTIVE) return;
  if (lease_expired(a, m)) {
    covey_model_end(a, model, COVEY_PHASE_FAILED, COVEY_ERROR_LEASE_EXPIRED);
  } else if (covey_telemetry_room(a, model, m->goal.candidate)) {
    probation_start(a, model, 0);
    covey_wake_at(a, a->now_ms);
  }
}

static void confirmed_faults(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  covey_model_record_t record = m->record;
  if (m->active == COVEY_NO_SLOT || m->active != record.confirmed) return;
  if (m->invoke_errors >= COVEY_CONFIRMED_FAULTS_MAX) {
    m->invoke_errors = 0;
    if (fall_back(a, model, m->invoke_error)) covey_model_run_confirmed(a, model);
  } else if (record.faults != 0 && m->good_inferences >= FAULTS_FORGIVEN_AFTER) {
    record.faults = 0;
    (void)covey_model_commit(a, model, &record);
  }
}

void covey_model_step(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  if (a->now_ms < a->journal_retry_ms) {
    covey_wake_at(a, a->journal_retry_ms);
    return;
  }
  confirmed_faults(a, model);
  switch ((covey_phase_t)m->record.phase) {
    case COVEY_PHASE_IDLE:
      if (m->goal.mode == 0) return;
      if (lease_expired(a, m)) {
        covey_model_end(a, model, COVEY_PHASE_FAILED, COVEY_ERROR_LEASE_EXPIRED);
      } else if (a->job.state == COVEY_JOB_NONE || a->job.model != model) {
        begin(a, model);
      }
      break;
    case COVEY_PHASE_DOWNLOADING:
    case COVEY_PHASE_VERIFYING:
      if (lease_expired(a, m)) {
        covey_model_end(a, model, COVEY_PHASE_FAILED, COVEY_ERROR_LEASE_EXPIRED);
      } else if (a->job.state == COVEY_JOB_NONE) {
        covey_job_start(a, model); /* resumes */
      }
      break;
    case COVEY_PHASE_STAGED:
      staged_step(a, model);
      break;
    case COVEY_PHASE_PROBATION:
    case COVEY_PHASE_PROBATION_OK:
      if (m->invoke_errors > 0) {
        covey_model_end(a, model, COVEY_PHASE_REVERTED, m->invoke_error);
      } else if (m->goal.mode != MODE_ACTIVE) {
        covey_model_record_t record = m->record;
        record.phase = COVEY_PHASE_STAGED;
        record.starts = 0;
        if (covey_model_commit(a, model, &record) == 0) covey_model_run_confirmed(a, model);
      } else if (m->record.phase == COVEY_PHASE_PROBATION) {
        probation_step(a, model);
      } else if (m->goal.may_confirm) {
        confirm(a, model);
      } else if (a->now_ms - m->phase_since_ms >= a->times.grant_ms) {
        covey_model_end(a, model, COVEY_PHASE_REVERTED, COVEY_ERROR_NO_GRANT);
      } else {
        covey_wake_at(a, m->phase_since_ms + a->times.grant_ms);
      }
      break;
    case COVEY_PHASE_SHADOWING:
    case COVEY_PHASE_CONFIRMED:
    case COVEY_PHASE_DECLINED:
    case COVEY_PHASE_FAILED:
    case COVEY_PHASE_REVERTED:
      return;
  }
  if (m->lease_until_ms > a->now_ms) covey_wake_at(a, m->lease_until_ms);
}

/* ---- Start */

/* The record may name slots whose content is gone (a slot that was being overwritten, a failing
 * part): what is not there is not named any more. */
static void forget_missing(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  covey_model_record_t record = m->record;
  const bool working = record.phase == COVEY_PHASE_DOWNLOADING ||
                       record.phase == COVEY_PHASE_VERIFYING ||
                       record.phase == COVEY_PHASE_STAGED || covey_on_probation(m);
  if (!present(m, record.fallback)) record.fallback = COVEY_NO_SLOT;
  if (working && !holds(m, record.candidate, m->goal.candidate)) {
    record.candidate = COVEY_NO_SLOT;
    record.phase = COVEY_PHASE_IDLE;
    record.starts = 0;
  }
  if (record.confirmed != COVEY_NO_SLOT && !present(m, record.confirmed)) {
    record.confirmed = record.fallback;
    record.fallback = COVEY_NO_SLOT;
    record.fallback_reason = covey_reason(COVEY_ERROR_FLASH_READ);
  }
  m->record = record; /* follows from flash: need not be journaled */
}

void covey_model_start(covey_agent_t* a, size_t model, covey_start_cause_t cause, bool crashed) {
  covey_model_t* m = &a->models[model];
  const bool abnormal = cause == COVEY_START_WATCHDOG || cause == COVEY_START_FAULT;
  covey_slots_scan(a, model);
  forget_missing(a, model);
  if (m->goal.mode != 0 && m->goal.lease_s != 0) { /* uptime is all there is: it starts anew */
    m->lease_until_ms = a->now_ms + (uint64_t)m->goal.lease_s * 1000;
  }
  if (covey_on_probation(m)) {
    const bool clean = cause == COVEY_START_POWER_ON || cause == COVEY_START_SOFTWARE ||
                       cause == COVEY_START_SLEEP;
    uint8_t starts = m->record.starts;
    /* A brown-out, or a sleep after the self-test passed, is no failed start. */
    if (starts > 0 && (cause == COVEY_START_BROWN_OUT || (clean && m->record.selftest_passed))) {
      --starts;
    }
    if (starts >= COVEY_PROBATION_STARTS_MAX) {
      covey_model_end(a, model, COVEY_PHASE_REVERTED, COVEY_ERROR_BOOT_LOOP);
    } else {
      probation_start(a, model, starts);
      /* Without a journal there is no probation, but there is a model. */
      if (m->loaded == COVEY_NO_SLOT && covey_on_probation(m)) covey_model_run_confirmed(a, model);
    }
    return;
  }
  if (crashed && (abnormal || cause == COVEY_START_UNKNOWN) &&
      m->record.confirmed != COVEY_NO_SLOT) {
    covey_model_record_t record = m->record;
    if (record.faults < COVEY_CONFIRMED_FAULTS_MAX) ++record.faults;
    (void)covey_model_commit(a, model, &record);
    if (record.faults >= COVEY_CONFIRMED_FAULTS_MAX) {
      (void)fall_back(
          a, model,
          cause == COVEY_START_WATCHDOG ? COVEY_ERROR_WATCHDOG : COVEY_ERROR_MODEL_FAULTING);
    }
  }
  covey_model_run_confirmed(a, model);
}
