/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "covey/broken.h"

#define PATIENCE_MAX 5U

static void pass(covey_timer_t* timers, size_t count, uint32_t ms) {
  for (; count-- > 0; ++timers) {
    if (timers->left_ms == COVEY_NEVER) continue;
    timers->left_ms -= ms < timers->left_ms ? ms : timers->left_ms;
  }
}

void covey_clock_pass(covey_agent_t* a, uint64_t now_ms) {
  const uint64_t elapsed_ms = now_ms - a->now_ms;
  const uint32_t ms = elapsed_ms >> 32 != 0 ? COVEY_NEVER : (uint32_t)elapsed_ms;
  covey_model_t* m;
  if (now_ms < a->now_ms) return;
  a->now_ms = now_ms;
  pass(a->timers, COVEY_TIMERS, ms);
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_telemetry_t* t = m->config->telemetry;
    unsigned i;
    pass(&m->phase, 1, ms);
    pass(&m->lease, 1, ms);
    for (i = 0; t != NULL && i < COVEY_WINDOWS; ++i) pass(&t->windows[i].resend, 1, ms);
  }
}

bool covey_clock_due(covey_agent_t* a, const covey_timer_t* timer) {
  if (timer->left_ms == 0) return true;
  if (timer->left_ms < a->wake_ms) a->wake_ms = timer->left_ms;
  return false;
}

uint32_t covey_clock_seconds(uint32_t seconds) {
  return seconds < COVEY_NEVER / 1000 ? seconds * 1000 : COVEY_NEVER - 1;
}

uint32_t covey_clock_later(covey_agent_t* a, uint32_t ms) {
  return ms + covey_random_below(a, ms / 4 + 1);
}

uint32_t covey_clock_backoff(covey_agent_t* a, uint8_t tries) {
  unsigned doublings = (unsigned)tries + a->patience;
  uint32_t wait_ms = a->times.retry_min_ms;
  if (COVEY_BREAKS(NO_BACKOFF)) return wait_ms;
  while (doublings-- > 0 && wait_ms < a->times.retry_max_ms) wait_ms *= 2;
  return covey_clock_later(a, wait_ms < a->times.retry_max_ms ? wait_ms : a->times.retry_max_ms);
}

void covey_clock_answered(covey_agent_t* a, const covey_timer_t* timer, bool repeated) {
  if (repeated) {
    if (a->patience < PATIENCE_MAX) ++a->patience;
  } else if (a->patience != 0 &&
             timer->left_ms >> a->patience > a->times.retry_min_ms / 2) { /* in half of the wait */
    --a->patience;
  }
}

void covey_clock_repeat(covey_agent_t* a, covey_timer_t* timer, int error) {
  timer->left_ms = COVEY_SHORT_WAIT_MS;
  if (error == 0) {
    timer->left_ms = covey_clock_backoff(a, timer->tries);
    if (timer->tries < UINT8_MAX) ++timer->tries;
  }
  (void)covey_clock_due(a, timer);
}
