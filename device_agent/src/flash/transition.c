/* SPDX-License-Identifier: Apache-2.0 */
/* Transitions of a model: a record is journaled before it shows. */
#include <string.h>

#include "flash.h"

#define JOURNAL_RETRY_MS 60000U

void covey_transition_shown(covey_model_t* m) {
  const bool phase = m->record.phase != m->saved.phase;
  m->saved = m->record;
  covey_news_status(m->agent);
  if (phase) covey_news_tell(m, COVEY_EVENT_STATE);
}

static int journal(covey_model_t* m) {
  const int error = covey_journal_record(m->agent, m);
  if (error != 0) m->agent->timers[COVEY_TIMER_JOURNAL].left_ms = JOURNAL_RETRY_MS;
  return error;
}

int covey_transition_commit(covey_model_t* m) {
  const int error = journal(m);
  if (error != 0) {
    m->record = m->saved;
  } else {
    covey_transition_shown(m);
  }
  return error;
}

void covey_transition_insist(covey_model_t* m) {
  (void)journal(m);
  covey_transition_shown(m);
}

uint16_t covey_transition_reason(int error) {
  const uint16_t reason = covey_core_reason(error);
  return reason != 0 ? reason : covey_core_reason(COVEY_ERROR_MODEL_FAULTING);
}

void covey_transition_reject(covey_model_t* m, const uint8_t* digest) {
  memcpy(m->record.rejected, digest, COVEY_PREFIX_BYTES);
  m->record.rejected_attempt = m->goal.work.attempt;
}

void covey_transition_end(covey_model_t* m, covey_phase_t phase, int error) {
  covey_model_record_t* record = &m->record;
  record->reason = covey_transition_reason(error);
  record->port_code = covey_core_reason(error) == 0   ? error
                      : error <= -300 && error > -400 ? m->agent->flash_error
                                                      : 0;
  covey_transition_reject(m, m->goal.work.candidate);
  covey_models_leave_candidate(record, phase);
  covey_transition_insist(m);
}
