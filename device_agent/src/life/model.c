/* SPDX-License-Identifier: Apache-2.0 */
/* One model's life: goal -> download -> staged -> probation -> grant -> confirmed, and every way
 * back. Level-triggered: each step looks at goal and record, never at how they came about. A
 * transition is journaled before it shows; whatever must run, runs also when journaling fails. */
#include "covey/broken.h"
#include "parts.h"

#define FAULTS_FORGIVEN_AFTER 100U /* good inferences */

/* Good inferences since the model became active in this boot. */
static uint32_t good(const covey_model_t* m) { return m->good_inferences - m->good_before; }

/* ---- What runs */

/* The confirmed model does not: what was confirmed before it takes over, if there is such. */
static bool fall_back(covey_model_t* m, int error) {
  covey_model_record_t* record = &m->record;
  const uint8_t* digest = covey_slot_digest(m, record->confirmed);
  const bool found = covey_slot_digest(m, record->fallback) != NULL;
  const uint16_t reason = covey_transition_reason(error);
  if (!found && record->fallback_reason == reason) return false;
  record->fallback_reason = reason;
  record->faults = 0;
  if (found) {
    if (digest != NULL) {
      covey_transition_reject(m, digest);
      if (record->phase == COVEY_PHASE_CONFIRMED &&
          covey_bytes_same_digest(digest, m->goal.work.candidate)) {
        record->phase = COVEY_PHASE_REVERTED;
        record->reason = reason;
      }
    }
    record->confirmed = record->fallback;
    record->fallback = COVEY_NO_SLOT;
    if (record->candidate == record->confirmed) { /* it was about to be tried: it is there now */
      covey_models_leave_candidate(record, COVEY_PHASE_IDLE);
    }
  }
  covey_transition_insist(m);
  return found;
}

void covey_model_run_confirmed(covey_model_t* m) {
  int error;
  do {
    covey_load_nothing(m);
    if (m->record.confirmed == COVEY_NO_SLOT) break;
    error = covey_load_slot(m, m->record.confirmed, false);
    if (error == 0) covey_load_activate(m);
  } while (error != 0 && fall_back(m, error)); /* at most once: there is no second fall-back */
  covey_news_status(m->agent);
  covey_news_tell(m, COVEY_EVENT_MODEL);
}

/* The candidate's attempt ended without success, whatever it was doing. */
static void end(covey_model_t* m, covey_phase_t phase, int error) {
  covey_model_record_t* record = &m->record;
  const bool ran = covey_models_on_probation(m);
  if (ran && record->candidate == record->fallback && error != COVEY_ERROR_NO_GRANT &&
      error != COVEY_ERROR_LEASE_EXPIRED) {
    record->fallback = COVEY_NO_SLOT; /* confirmed once, but it failed now */
  }
  covey_job_abort(m->agent, m);
  covey_shadow_unload(m);
  covey_transition_end(m, phase, error);
  if (ran) covey_model_run_confirmed(m);
}

/* REVERTED if it was on probation, else FAILED. */
static void fail(covey_model_t* m, int error) {
  end(m, covey_models_on_probation(m) ? COVEY_PHASE_REVERTED : COVEY_PHASE_FAILED, error);
}

static bool lease_expired(covey_model_t* m) {
  if (!covey_clock_due(m->agent, &m->lease)) return false;
  fail(m, COVEY_ERROR_LEASE_EXPIRED);
  return true;
}

/* ---- A candidate that is tried: on probation, or as a shadow */

static bool shadowing(const covey_model_t* m) {
  return COVEY_SHADOW && m->record.phase == COVEY_PHASE_SHADOWING;
}

static void load_candidate(covey_model_t* m) {
  const int error = covey_load_slot(m, m->record.candidate, shadowing(m));
  covey_clock_soon(m->agent);
  if (!shadowing(m)) covey_news_tell(m, COVEY_EVENT_MODEL);
  if (error != 0) fail(m, error);
}

/* The start is counted before the load: a corrupt model can be a bus fault, not an error. */
static void try_candidate(covey_model_t* m, bool shadow) {
  m->record.phase = shadow ? COVEY_PHASE_SHADOWING : COVEY_PHASE_PROBATION;
  ++m->record.starts;
  m->record.selftest_passed = false;
  if (covey_transition_commit(m) != 0) return;
  m->counted = true;
  load_candidate(m);
}

static void selftest(covey_model_t* m) {
  covey_agent_t* a = m->agent;
  const bool shadow = shadowing(m);
  const int result =
      covey_load_selftest(m, shadow ? m->config->shadow_runtime : m->config->runtime);
  covey_clock_soon(a);
  if (result < 0) fail(m, result);
  if (result != 1) return;
  m->record.selftest_passed = true;
  m->selftest_next = 0; /* all vectors again, should the journal fail */
  if (covey_transition_commit(m) != 0 || shadow) return;
  covey_load_activate(m);
  m->phase.left_ms = a->times.probation_ms;
  covey_news_tell(m, COVEY_EVENT_MODEL);
}

static void confirm(covey_model_t* m) {
  covey_model_record_t* record = &m->record;
  if (record->candidate != record->confirmed) record->fallback = record->confirmed;
  record->confirmed = record->candidate;
  covey_models_leave_candidate(record, COVEY_PHASE_CONFIRMED);
  record->reason = 0;
  record->port_code = 0;
  record->fallback_reason = 0;
  record->faults = 0;
  if (COVEY_BREAKS(FORGET_CONFIRM)) {
    covey_transition_shown(m);
    return;
  }
  (void)covey_transition_commit(m); /* or again later */
}

static void tried_step(covey_model_t* m) {
  covey_agent_t* a = m->agent;
  const bool shadow = shadowing(m);
  const int error = shadow ? m->shadow_error : m->invoke_errors > 0 ? m->invoke_error : 0;
  if (error != 0) {
    fail(m, error);
    return;
  }
  if (m->goal.mode != (shadow ? COVEY_MODE_SHADOW : COVEY_MODE_ACTIVE)) {
    /* The order takes a step back: it is not tried any more, but stays where it is. */
    m->record.phase = COVEY_PHASE_STAGED;
    m->record.starts = 0;
    m->record.selftest_passed = false;
    if (covey_transition_commit(m) != 0) return;
    if (shadow) {
      covey_shadow_unload(m);
    } else {
      covey_model_run_confirmed(m);
    }
    return;
  }
  if (m->record.phase == COVEY_PHASE_PROBATION && lease_expired(m)) return;
  if (!m->counted) { /* the journal failed at start */
    try_candidate(m, shadow);
  } else if (shadow && m->shadow == COVEY_NO_SLOT) { /* the active model was exchanged */
    load_candidate(m);
  } else if (!m->record.selftest_passed) {
    selftest(m);
  } else if (m->record.phase == COVEY_PHASE_PROBATION) {
    if (!covey_clock_due(a, &m->phase) && good(m) < a->times.probation_inferences) return;
    m->record.phase = COVEY_PHASE_PROBATION_OK; /* not journaled: a reboot tries again */
    m->phase.left_ms = a->times.grant_ms;
    covey_transition_shown(m);
  } else if (shadow) {
    return; /* until the order changes */
  } else if (m->goal.may_confirm) {
    confirm(m);
  } else if (covey_clock_due(a, &m->phase)) {
    fail(m, COVEY_ERROR_NO_GRANT);
  }
}

/* ---- Steps */

/* Why no work begins on the goal's candidate: an error, 0 to go on. */
static int objection(const covey_model_t* m) {
  if (m->goal.mode == COVEY_MODE_SHADOW ? !COVEY_SHADOW || m->config->shadow_runtime == NULL
                                        : m->goal.mode > COVEY_MODE_ACTIVE) {
    return COVEY_ERROR_UNSUPPORTED;
  }
  if (m->record.rejected_attempt == m->goal.work.attempt &&
      covey_bytes_same_prefix(m->record.rejected, m->goal.work.candidate)) {
    return COVEY_ERROR_REJECTED_BEFORE;
  }
  return COVEY_OK;
}

static void idle_step(covey_model_t* m) {
  covey_agent_t* a = m->agent;
  const uint8_t* candidate = m->goal.work.candidate;
  int error;
  if (m->goal.mode == 0 || (a->job.state != COVEY_JOB_NONE && a->job.model == m) ||
      lease_expired(m)) {
    return;
  }
  m->retry_after_s = 0;
  if (covey_slot_holds(m, m->record.confirmed, candidate)) {
    covey_models_leave_candidate(&m->record, COVEY_PHASE_CONFIRMED);
    (void)covey_transition_commit(m);
    return;
  }
  error = objection(m);
  if (error == 0) {
    if (m->lease.left_ms == COVEY_NEVER) return; /* no work may start */
    if (covey_slot_holds(m, m->record.fallback, candidate)) {
      m->record.candidate = m->record.fallback; /* no download, and no floor: it was */
      m->record.phase = COVEY_PHASE_STAGED;     /* confirmed once */
      (void)covey_transition_commit(m);
      covey_clock_soon(a);
      return;
    }
    if (a->job.state != COVEY_JOB_NONE) return; /* another model's turn */
    if (a->config->permit != NULL) {
      error = a->config->permit(a->config->app, m->index, &m->retry_after_s);
    }
  }
  if (error != 0) {
    end(m, COVEY_PHASE_DECLINED, error);
  } else {
    m->retry_after_s = 0;
    covey_job_start(m);
  }
}

static void staged_step(covey_model_t* m) {
  const bool shadow = COVEY_SHADOW && m->goal.mode == COVEY_MODE_SHADOW;
  /* Mode 0 here: power failed when a cancel was half in the journal. The gateway says it again. */
  if ((!shadow && m->goal.mode != COVEY_MODE_ACTIVE) || lease_expired(m)) {
    /* From a firmware that had shadow mode. */
    if (!COVEY_SHADOW && m->goal.mode == COVEY_MODE_SHADOW) {
      fail(m, COVEY_ERROR_UNSUPPORTED);
    }
    return;
  }
  if (!shadow && !covey_stream_room(m->agent, m, m->goal.work.candidate)) return;
#if COVEY_ROOT
  /* What was confirmed once is no news; anything else may be signed by somebody who was revoked. */
  if (m->record.candidate != m->record.fallback) {
    const int error = covey_accept_again(m, m->record.candidate);
    if (error != 0) {
      fail(m, error);
      return;
    }
  }
#endif
  try_candidate(m, shadow);
}

#if COVEY_ROOT
void covey_model_reconsider(covey_agent_t* a) {
  if (a->job.state != COVEY_JOB_NONE) covey_job_abort(a, a->job.model);
}
#endif

static void confirmed_faults(covey_model_t* m) {
  if (m->active == COVEY_NO_SLOT || m->active != m->record.confirmed) return;
  if (m->invoke_errors >= COVEY_CONFIRMED_FAULTS_MAX) {
    m->invoke_errors = 0;
    if (fall_back(m, m->invoke_error)) covey_model_run_confirmed(m);
  } else if (m->record.faults != 0 && good(m) >= FAULTS_FORGIVEN_AFTER) {
    m->record.faults = 0;
    (void)covey_transition_commit(m);
  }
}

void covey_model_step(covey_agent_t* a, covey_model_t* m) {
  if (!covey_clock_due(a, &a->timers[COVEY_TIMER_JOURNAL])) return;
  m->saved = m->record; /* a goal may have changed it */
  switch ((covey_phase_t)m->record.phase) {
    case COVEY_PHASE_IDLE:
      idle_step(m);
      break;
    case COVEY_PHASE_DOWNLOADING:
    case COVEY_PHASE_VERIFYING:
      if (!lease_expired(m) && a->job.state == COVEY_JOB_NONE) covey_job_start(m); /* resumes */
      break;
    case COVEY_PHASE_STAGED:
      staged_step(m);
      break;
    case COVEY_PHASE_SHADOWING:
    case COVEY_PHASE_PROBATION:
    case COVEY_PHASE_PROBATION_OK:
      tried_step(m);
      break;
    case COVEY_PHASE_CONFIRMED:
    case COVEY_PHASE_DECLINED:
    case COVEY_PHASE_FAILED:
    case COVEY_PHASE_REVERTED:
      break;
  }
  confirmed_faults(m);
}

/* ---- Start */

/* The record may name slots whose content is gone (a slot that was being overwritten, a failing
 * part): what is not there is not named any more. Follows from flash: need not be journaled. */
static void forget_missing(covey_model_t* m) {
  covey_model_record_t* record = &m->record;
  const bool working =
      record->phase >= COVEY_PHASE_DOWNLOADING && record->phase <= COVEY_PHASE_PROBATION_OK;
  if (covey_slot_digest(m, record->fallback) == NULL) record->fallback = COVEY_NO_SLOT;
  if (working && !covey_slot_holds(m, record->candidate, m->goal.work.candidate)) {
    covey_models_leave_candidate(record, COVEY_PHASE_IDLE);
  }
  if (record->confirmed != COVEY_NO_SLOT && covey_slot_digest(m, record->confirmed) == NULL) {
    record->confirmed = record->fallback;
    record->fallback = COVEY_NO_SLOT;
    record->fallback_reason = covey_transition_reason(COVEY_ERROR_FLASH_READ);
  }
}

/* The start ended inside the model: by what? */
static int crash(covey_start_cause_t cause) {
  return cause == COVEY_START_WATCHDOG ? COVEY_ERROR_WATCHDOG : COVEY_ERROR_MODEL_FAULTING;
}

/* A candidate that was tried when the last start ended: is it tried again? */
static void start_candidate(covey_model_t* m, covey_start_cause_t cause, uint32_t inside) {
  /* No failed start: it ended in a brown-out, or in a sleep that the firmware chose, or in a reset
   * after the self-test had passed. */
  uint32_t well = 1U << COVEY_START_BROWN_OUT | 1U << COVEY_START_SLEEP;
  if (m->record.selftest_passed) well |= 1U << COVEY_START_POWER_ON | 1U << COVEY_START_SOFTWARE;
  if (m->record.starts > 0 && (well >> cause & 1) != 0) --m->record.starts;
  if (m->record.starts < COVEY_PROBATION_STARTS_MAX) {
    try_candidate(m, shadowing(m));
    /* Without a journal there is no probation, but there is a model. */
    if (!m->counted && covey_models_on_probation(m)) covey_model_run_confirmed(m);
  } else if (cause >= COVEY_START_WATCHDOG &&
             (inside == m->index + 1U || inside == COVEY_INSIDE_UNKNOWN)) {
    /* A crash is the model's unless retained memory says that its code did not run. */
    fail(m, crash(cause));
  } else {
    fail(m, COVEY_ERROR_BOOT_LOOP);
  }
}

void covey_model_start(covey_model_t* m, covey_start_cause_t cause, uint32_t inside) {
  covey_slot_scan(m);
  forget_missing(m);
  m->saved = m->record;
  if (m->goal.mode != 0 && m->goal.lease_s != 0) { /* uptime is all there is: it starts anew */
    m->lease.left_ms = covey_clock_seconds(m->goal.lease_s);
  }
  if (!covey_models_on_probation(m)) {
    if (inside == m->index + 1U && m->record.confirmed != COVEY_NO_SLOT &&
        (cause >= COVEY_START_WATCHDOG || cause == COVEY_START_UNKNOWN)) {
      if (++m->record.faults < COVEY_CONFIRMED_FAULTS_MAX) {
        (void)covey_transition_commit(m);
      } else {
        (void)fall_back(m, crash(cause));
      }
    }
    covey_model_run_confirmed(m);
  }
  if (covey_models_on_probation(m) || shadowing(m)) start_candidate(m, cause, inside);
}

void covey_model_status(const covey_model_t* m, covey_model_status_t* status) {
  status->phase = (covey_phase_t)m->record.phase;
  status->reason = -(int)m->record.reason;
  status->fallback_reason = -(int)m->record.fallback_reason;
  status->attempt = m->goal.work.attempt;
  status->chunks_have = m->chunks_have;
  status->chunks_total = m->chunks_total;
  status->confirmed = covey_slot_digest(m, m->record.confirmed);
  status->active = covey_slot_digest(m, m->active);
  status->candidate = covey_models_candidate(m);
  status->fallback = covey_slot_digest(m, m->record.fallback);
  status->security_floor = m->goal.security_floor;
}
