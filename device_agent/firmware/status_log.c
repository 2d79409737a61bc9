/* SPDX-License-Identifier: Apache-2.0 */
#include "status_log.h"

#include "board.h"
#include "log.h"

static const char* phase_name(covey_phase_t phase) {
  static const char* const names[] = {"?",         "IDLE",      "DOWNLOADING", "VERIFYING",
                                      "STAGED",    "SHADOWING", "PROBATION",   "PROBATION_OK",
                                      "CONFIRMED", "DECLINED",  "FAILED",      "REVERTED"};
  return (size_t)phase < sizeof names / sizeof names[0] ? names[phase] : names[0];
}

static const char* reason_name(int reason) {
  const char* name = covey_error_name(reason);
  return name != NULL ? name : "?";
}

static uint32_t prefix_of(const uint8_t* digest) {
  if (digest == NULL) return 0;
  return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 |
         digest[3];
}

void status_log(const covey_agent_t* agent, size_t model, const char* name, const link_t* link) {
  static covey_model_status_t last[COVEY_MODELS_MAX];
  static uint32_t last_active[COVEY_MODELS_MAX];
  covey_model_status_t* seen = &last[model];
  covey_model_status_t now;
  uint32_t active;
  if (covey_agent_model_status(agent, model, &now) != COVEY_OK) return;
  active = prefix_of(now.active);
  if (now.phase != seen->phase || now.reason != seen->reason) {
    log_line("%s: %s, reason %s", name, phase_name(now.phase), reason_name(now.reason));
  }
  if (now.fallback_reason != seen->fallback_reason) {
    log_line("%s: fell back, reason %s", name, reason_name(now.fallback_reason));
  }
  if (active != last_active[model]) log_line("%s: %08x is active", name, (unsigned)active);
  if (now.chunks_have != seen->chunks_have && now.chunks_total != 0) {
    log_line("%s: %u of %u chunks", name, (unsigned)now.chunks_have, (unsigned)now.chunks_total);
  }
  /* The difference between the two is what an update cost. */
  if (now.phase != seen->phase &&
      (now.phase == COVEY_PHASE_DOWNLOADING || now.phase == COVEY_PHASE_CONFIRMED)) {
    const covey_counters_t* counters = covey_agent_counters(agent);
    size_t size;
    const size_t used = board_stack_used(&size);
    log_line(
        "since boot, %s: %u chunks fetched, %u copied, %u bytes received, %u sent, of them "
        "telemetry %u and %u, stack %u of %u",
        phase_name(now.phase), (unsigned)counters->chunks_fetched,
        (unsigned)counters->chunks_copied, (unsigned)link->bytes_in, (unsigned)link->bytes_out,
        (unsigned)link->telemetry_in, (unsigned)link->telemetry_out, (unsigned)used,
        (unsigned)size);
  }
  *seen = now;
  last_active[model] = active;
}
