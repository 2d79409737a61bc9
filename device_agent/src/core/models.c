/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

covey_model_t* covey_models_at(const covey_agent_t* a, size_t index) {
  return index < a->config->model_count ? (covey_model_t*)a->models + index : NULL;
}

bool covey_models_on_probation(const covey_model_t* m) {
  return m->record.phase == COVEY_PHASE_PROBATION || m->record.phase == COVEY_PHASE_PROBATION_OK;
}

const uint8_t* covey_models_candidate(const covey_model_t* m) {
  return m->goal.mode != 0 || m->record.phase == COVEY_PHASE_REVERTED ? m->goal.work.candidate
                                                                      : NULL;
}

void covey_models_leave_candidate(covey_model_record_t* record, covey_phase_t phase) {
  record->phase = (uint8_t)phase;
  record->candidate = COVEY_NO_SLOT;
  record->starts = 0;
  record->selftest_passed = false;
}
