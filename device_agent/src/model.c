/* One model's life: goal -> download -> staged -> probation -> grant -> confirmed, and every way
 * back. Level-triggered: each step looks at goal and record, never at how they came about. A
 * transition is journaled before it shows; whatever must run, runs also when journaling fails. */
#include "internal.h"

#define JOURNAL_RETRY_MS 60000U
#define FAULTS_FORGIVEN_AFTER 100U /* good inferences */

bool covey_on_probation(const covey_model_t* m) {
  return m->record.phase == COVEY_PHASE_PROBATION || m->record.phase == COVEY_PHASE_PROBATION_OK;
}

const uint8_t* covey_candidate(const covey_model_t* m) {
  return m->goal.mode != 0 || m->record.phase == COVEY_PHASE_REVERTED ? m->goal.candidate : NULL;
}

void covey_tell(covey_agent_t* a, const covey_model_t* m, covey_event_t event) {
  if (a->config->event != NULL) a->config->event(a->config->app, event, m->index);
}

/* ---- Transitions: edit the record, then commit or insist. */

covey_model_record_t* covey_model_edit(covey_model_t* m) {
  m->saved = m->record;
  return &m->record;
}

static void changed(covey_agent_t* a, const covey_model_t* m) {
  covey_status_changed(a);
  if (m->record.phase != m->saved.phase) covey_tell(a, m, COVEY_EVENT_STATE);
}

int covey_model_commit(covey_agent_t* a, covey_model_t* m) {
  const int error = covey_journal_record(a, m);
  if (error != 0) {
    m->record = m->saved;
    a->timers[COVEY_TIMER_JOURNAL].left_ms = JOURNAL_RETRY_MS;
    return error;
  }
  changed(a, m);
  return COVEY_OK;
}

/* True from now on, durable if the journal can: a journal that fails must neither keep a bad model
 * running nor the device without a model. */
static void insist(covey_agent_t* a, covey_model_t* m) {
  if (covey_journal_record(a, m) != 0) a->timers[COVEY_TIMER_JOURNAL].left_ms = JOURNAL_RETRY_MS;
  changed(a, m);
}

int covey_model_back_to_staged(covey_agent_t* a, covey_model_t* m) {
  covey_model_record_t* record = covey_model_edit(m);
  record->phase = COVEY_PHASE_STAGED;
  record->starts = 0;
  record->selftest_passed = false;
  return covey_model_commit(a, m);
}

static void leave_candidate(covey_model_record_t* record, covey_phase_t phase) {
  record->phase = (uint8_t)phase;
  record->candidate = COVEY_NO_SLOT;
  record->starts = 0;
  record->selftest_passed = false;
}

static void reject(covey_model_record_t* record, const uint8_t* digest, uint32_t attempt) {
  memcpy(record->rejected, digest, COVEY_PREFIX_BYTES);
  record->rejected_attempt = attempt;
}

/* ---- What runs */

/* The confirmed model does not: what was confirmed before it takes over, if there is such. */
static bool fall_back(covey_agent_t* a, covey_model_t* m, int error) {
  covey_model_record_t* record = covey_model_edit(m);
  const uint8_t left = record->confirmed;
  const uint8_t* digest = covey_slot_digest(m, left);
  const uint16_t reason =
      covey_reason(error) != 0 ? covey_reason(error) : covey_reason(COVEY_ERROR_MODEL_FAULTING);
  const bool found = record->fallback != left && covey_slot_digest(m, record->fallback) != NULL;
  if (!found && record->fallback_reason == reason) return false;
  record->fallback_reason = reason;
  record->faults = 0;
  if (found) {
    if (digest != NULL) {
      reject(record, digest, m->goal.attempt);
      if (record->phase == COVEY_PHASE_CONFIRMED && covey_digest_equal(digest, m->goal.candidate)) {
        record->phase = COVEY_PHASE_REVERTED;
        record->reason = reason;
      }
    }
    record->confirmed = record->fallback;
    record->fallback = COVEY_NO_SLOT;
    if (record->candidate == record->confirmed) { /* it was about to be tried: it is there now */
      leave_candidate(record, COVEY_PHASE_IDLE);
    }
  }
  insist(a, m);
  return found;
}

void covey_model_run_confirmed(covey_agent_t* a, covey_model_t* m) {
  int error;
  covey_unload(a, m);
  do {
    if (m->record.confirmed == COVEY_NO_SLOT) break;
    error = covey_load(a, m, m->record.confirmed);
    if (error == 0) covey_activate(a, m);
  } while (error != 0 && fall_back(a, m, error)); /* at most once: there is no second fall-back */
  covey_status_changed(a);
  covey_tell(a, m, COVEY_EVENT_MODEL);
}

void covey_model_end(covey_agent_t* a, covey_model_t* m, covey_phase_t phase, int error) {
  covey_model_record_t* record = covey_model_edit(m);
  const bool ran = covey_on_probation(m);
  record->reason = covey_reason(error);
  record->port_code = error <= -300 && error > -400 ? a->flash_error : 0;
  if (record->reason == 0) { /* the runtime's or the application's own number */
    record->reason = covey_reason(COVEY_ERROR_MODEL_FAULTING);
    record->port_code = error;
  }
  if (ran && record->candidate == record->fallback && error != COVEY_ERROR_NO_GRANT &&
      error != COVEY_ERROR_LEASE_EXPIRED) {
    record->fallback = COVEY_NO_SLOT; /* confirmed once, but it failed now */
  }
  reject(record, m->goal.candidate, m->goal.attempt);
  leave_candidate(record, phase);
  covey_job_abort(a, m);
  covey_shadow_unload(m);
  insist(a, m);
  if (ran) covey_model_run_confirmed(a, m);
}

static bool lease_expired(covey_agent_t* a, covey_model_t* m, covey_phase_t phase) {
  if (!covey_due(a, &m->lease)) return false;
  covey_model_end(a, m, phase, COVEY_ERROR_LEASE_EXPIRED);
  return true;
}

/* ---- Probation */

/* The start is counted before the load: a corrupt model can be a bus fault, not an error. */
static void probation_start(covey_agent_t* a, covey_model_t* m, uint8_t starts) {
  covey_model_record_t* record = covey_model_edit(m);
  int error;
  record->phase = COVEY_PHASE_PROBATION;
  record->starts = (uint8_t)(starts + 1);
  record->selftest_passed = false;
  if (covey_model_commit(a, m) != 0) return;
  error = covey_load(a, m, m->record.candidate);
  m->selftest_next = 0;
  m->invoke_errors = 0;
  covey_soon(a);
  covey_tell(a, m, COVEY_EVENT_MODEL);
  if (error != 0) covey_model_end(a, m, COVEY_PHASE_REVERTED, error);
}

static void selftest_step(covey_agent_t* a, covey_model_t* m) {
  const int result = covey_selftest_step(a, m, m->config->runtime, m->loaded);
  covey_soon(a);
  if (result < 0) {
    covey_model_end(a, m, COVEY_PHASE_REVERTED, result);
  } else if (result == 1) {
    covey_model_edit(m)->selftest_passed = true;
    m->selftest_next = 0; /* all vectors again, should the journal fail */
    if (covey_model_commit(a, m) != 0) return;
    covey_activate(a, m);
    m->phase.left_ms = a->times.probation_ms;
    covey_tell(a, m, COVEY_EVENT_MODEL);
  }
}

static void probation_step(covey_agent_t* a, covey_model_t* m) {
  if (lease_expired(a, m, COVEY_PHASE_REVERTED)) return;
  if (m->loaded != m->record.candidate) {
    probation_start(a, m, m->record.starts); /* the journal failed at start */
  } else if (m->active != m->record.candidate) {
    selftest_step(a, m);
  } else if (covey_due(a, &m->phase) || m->good_inferences >= a->times.probation_inferences) {
    covey_model_edit(m)->phase = COVEY_PHASE_PROBATION_OK; /* not journaled: a reboot tries again */
    m->phase.left_ms = a->times.grant_ms;
    changed(a, m);
  }
}

static void confirm(covey_agent_t* a, covey_model_t* m) {
  covey_model_record_t* record = covey_model_edit(m);
  if (record->candidate != record->confirmed) record->fallback = record->confirmed;
  record->confirmed = record->candidate;
  leave_candidate(record, COVEY_PHASE_CONFIRMED);
  record->reason = 0;
  record->port_code = 0;
  record->fallback_reason = 0;
  record->faults = 0;
  if (COVEY_BREAKS(FORGET_CONFIRM)) {
    changed(a, m);
    return;
  }
  (void)covey_model_commit(a, m); /* or again later */
}

static void probation_ok_step(covey_agent_t* a, covey_model_t* m) {
  if (m->goal.may_confirm) {
    confirm(a, m);
  } else if (covey_due(a, &m->phase)) {
    covey_model_end(a, m, COVEY_PHASE_REVERTED, COVEY_ERROR_NO_GRANT);
  }
}

/* False: the candidate does not act any more. */
static bool probation_goes_on(covey_agent_t* a, covey_model_t* m) {
  if (m->invoke_errors > 0) {
    covey_model_end(a, m, COVEY_PHASE_REVERTED, m->invoke_error);
    return false;
  }
  if (m->goal.mode == COVEY_MODE_ACTIVE) return true;
  /* The order takes a step back. */
  if (covey_model_back_to_staged(a, m) == 0) covey_model_run_confirmed(a, m);
  return false;
}

/* ---- Steps */

/* Why no work begins on the goal's candidate: an error, 0 to go on. */
static int objection(const covey_model_t* m) {
  if (m->goal.mode == COVEY_MODE_SHADOW
          ? m->config->shadow_runtime == NULL
          : m->goal.mode != COVEY_MODE_STAGED && m->goal.mode != COVEY_MODE_ACTIVE) {
    return COVEY_ERROR_UNSUPPORTED;
  }
  if (m->record.rejected_attempt == m->goal.attempt &&
      memcmp(m->record.rejected, m->goal.candidate, COVEY_PREFIX_BYTES) == 0) {
    return COVEY_ERROR_REJECTED_BEFORE;
  }
  return COVEY_OK;
}

static void idle_step(covey_agent_t* a, covey_model_t* m) {
  const uint8_t* candidate = m->goal.candidate;
  int error;
  if (m->goal.mode == 0 || (a->job.state != COVEY_JOB_NONE && a->job.model == m) ||
      lease_expired(a, m, COVEY_PHASE_FAILED)) {
    return;
  }
  m->retry_after_s = 0;
  if (covey_slot_holds(m, m->record.confirmed, candidate)) {
    leave_candidate(covey_model_edit(m), COVEY_PHASE_CONFIRMED);
    (void)covey_model_commit(a, m);
    return;
  }
  error = objection(m);
  if (error == 0 && m->lease.left_ms == COVEY_NEVER) return; /* no work may start */
  if (error == 0 && covey_slot_holds(m, m->record.fallback, candidate)) {
    covey_model_edit(m)->candidate = m->record.fallback; /* no download, and no floor: it was */
    m->record.phase = COVEY_PHASE_STAGED;                /* confirmed once */
    (void)covey_model_commit(a, m);
    covey_soon(a);
    return;
  }
  if (error == 0 && a->job.state != COVEY_JOB_NONE) return; /* another model's turn */
  if (error == 0 && a->config->permit != NULL) {
    error = a->config->permit(a->config->app, m->index, &m->retry_after_s);
    if (error == 0) m->retry_after_s = 0;
  }
  if (error != 0) {
    covey_model_end(a, m, COVEY_PHASE_DECLINED, error);
  } else {
    covey_job_start(a, m);
  }
}

static void staged_step(covey_agent_t* a, covey_model_t* m) {
  const bool shadow = m->goal.mode == COVEY_MODE_SHADOW;
  /* Mode 0 here: power failed when a cancel was half in the journal. The gateway says it again. */
  if (!shadow && m->goal.mode != COVEY_MODE_ACTIVE) return;
  if (lease_expired(a, m, COVEY_PHASE_FAILED)) return;
  if (shadow) {
    covey_shadow_start(a, m, 0);
  } else if (covey_telemetry_room(a, m, m->goal.candidate)) {
    probation_start(a, m, 0);
  }
}

static void confirmed_faults(covey_agent_t* a, covey_model_t* m) {
  if (m->active == COVEY_NO_SLOT || m->active != m->record.confirmed) return;
  if (m->invoke_errors >= COVEY_CONFIRMED_FAULTS_MAX) {
    m->invoke_errors = 0;
    if (fall_back(a, m, m->invoke_error)) covey_model_run_confirmed(a, m);
  } else if (m->record.faults != 0 && m->good_inferences >= FAULTS_FORGIVEN_AFTER) {
    covey_model_edit(m)->faults = 0;
    (void)covey_model_commit(a, m);
  }
}

void covey_model_step(covey_agent_t* a, covey_model_t* m) {
  if (!covey_due(a, &a->timers[COVEY_TIMER_JOURNAL])) return;
  confirmed_faults(a, m);
  switch ((covey_phase_t)m->record.phase) {
    case COVEY_PHASE_IDLE:
      idle_step(a, m);
      break;
    case COVEY_PHASE_DOWNLOADING:
    case COVEY_PHASE_VERIFYING:
      if (!lease_expired(a, m, COVEY_PHASE_FAILED) && a->job.state == COVEY_JOB_NONE) {
        covey_job_start(a, m); /* resumes */
      }
      break;
    case COVEY_PHASE_STAGED:
      staged_step(a, m);
      break;
    case COVEY_PHASE_PROBATION:
      if (probation_goes_on(a, m)) probation_step(a, m);
      break;
    case COVEY_PHASE_PROBATION_OK:
      if (probation_goes_on(a, m)) probation_ok_step(a, m);
      break;
    case COVEY_PHASE_SHADOWING:
      covey_shadow_step(a, m);
      break;
    case COVEY_PHASE_CONFIRMED:
    case COVEY_PHASE_DECLINED:
    case COVEY_PHASE_FAILED:
    case COVEY_PHASE_REVERTED:
      break;
  }
}

/* ---- Start */

/* The record may name slots whose content is gone (a slot that was being overwritten, a failing
 * part): what is not there is not named any more. Follows from flash: need not be journaled. */
static void forget_missing(covey_model_t* m) {
  covey_model_record_t* record = &m->record;
  const bool working = record->phase == COVEY_PHASE_DOWNLOADING ||
                       record->phase == COVEY_PHASE_VERIFYING ||
                       record->phase == COVEY_PHASE_STAGED ||
                       record->phase == COVEY_PHASE_SHADOWING || covey_on_probation(m);
  if (covey_slot_digest(m, record->fallback) == NULL) record->fallback = COVEY_NO_SLOT;
  if (working && !covey_slot_holds(m, record->candidate, m->goal.candidate)) {
    leave_candidate(record, COVEY_PHASE_IDLE);
  }
  if (record->confirmed != COVEY_NO_SLOT && covey_slot_digest(m, record->confirmed) == NULL) {
    record->confirmed = record->fallback;
    record->fallback = COVEY_NO_SLOT;
    record->fallback_reason = covey_reason(COVEY_ERROR_FLASH_READ);
  }
}

/* Whether the last start was no failed one: it ended in a brown-out, or in a sleep that the
 * firmware chose, or in a reset after the self-test had passed. */
static bool ended_well(const covey_model_t* m, covey_start_cause_t cause) {
  switch (cause) {
    case COVEY_START_BROWN_OUT:
    case COVEY_START_SLEEP:
      return true;
    case COVEY_START_POWER_ON:
    case COVEY_START_SOFTWARE:
      return m->record.selftest_passed;
    case COVEY_START_UNKNOWN:
    case COVEY_START_WATCHDOG:
    case COVEY_START_FAULT:
      break;
  }
  return false;
}

/* Why the last start failed. A crash is the model's only unless retained memory says that its code
 * did not run then; without retained memory it is. */
static int blame(const covey_model_t* m, covey_start_cause_t cause, uint32_t inside) {
  const bool own = inside == m->index + 1U || inside == COVEY_INSIDE_UNKNOWN;
  if (own && cause == COVEY_START_FAULT) return COVEY_ERROR_MODEL_FAULTING;
  if (own && cause == COVEY_START_WATCHDOG) return COVEY_ERROR_WATCHDOG;
  return COVEY_ERROR_BOOT_LOOP;
}

/* A candidate that was tried when the last start ended: is it tried again? */
static void start_candidate(covey_agent_t* a, covey_model_t* m, covey_start_cause_t cause,
                            uint32_t inside) {
  const bool shadow = m->record.phase == COVEY_PHASE_SHADOWING;
  uint8_t starts = m->record.starts;
  if (starts > 0 && ended_well(m, cause)) --starts;
  if (starts >= COVEY_PROBATION_STARTS_MAX) {
    covey_model_end(a, m, shadow ? COVEY_PHASE_FAILED : COVEY_PHASE_REVERTED,
                    blame(m, cause, inside));
  } else if (shadow) {
    covey_shadow_start(a, m, starts);
  } else {
    probation_start(a, m, starts);
    /* Without a journal there is no probation, but there is a model. */
    if (m->loaded == COVEY_NO_SLOT && covey_on_probation(m)) covey_model_run_confirmed(a, m);
  }
}

void covey_model_start(covey_agent_t* a, covey_model_t* m, covey_start_cause_t cause,
                       uint32_t inside) {
  covey_slots_scan(a, m);
  forget_missing(m);
  if (m->goal.mode != 0 && m->goal.lease_s != 0) { /* uptime is all there is: it starts anew */
    m->lease.left_ms = covey_seconds(m->goal.lease_s);
  }
  if (covey_on_probation(m)) {
    start_candidate(a, m, cause, inside);
    return;
  }
  if (inside == m->index + 1U && m->record.confirmed != COVEY_NO_SLOT &&
      (cause == COVEY_START_WATCHDOG || cause == COVEY_START_FAULT ||
       cause == COVEY_START_UNKNOWN)) {
    covey_model_record_t* record = covey_model_edit(m);
    if (++record->faults < COVEY_CONFIRMED_FAULTS_MAX) {
      (void)covey_model_commit(a, m);
    } else {
      (void)fall_back(
          a, m, cause == COVEY_START_WATCHDOG ? COVEY_ERROR_WATCHDOG : COVEY_ERROR_MODEL_FAULTING);
    }
  }
  covey_model_run_confirmed(a, m);
  if (m->record.phase == COVEY_PHASE_SHADOWING) start_candidate(a, m, cause, inside);
}
