/* SPDX-License-Identifier: Apache-2.0 */
#include "parts.h"

void covey_request_reset(covey_agent_t* a) {
  a->job.asked = false;
  a->job.why = 0;
  covey_request_timer(a)->left_ms = 0;
  covey_request_timer(a)->tries = 0;
}

void covey_request_sent(covey_agent_t* a, int error) {
  covey_timer_t* timer = covey_request_timer(a);
  a->job.asked = error == 0;
  a->job.heard = false;
  timer->left_ms =
      error == 0 ? covey_clock_backoff(a, timer->tries) : (uint32_t)COVEY_SHORT_WAIT_MS;
  (void)covey_clock_due(a, timer);
}

int covey_request_failed(covey_agent_t* a, int error) {
  covey_job_t* job = &a->job;
  job->asked = false;
  if (job->why == 0 || error != COVEY_ERROR_FETCH_TIMEOUT) job->why = (int16_t)error;
  return ++covey_request_timer(a)->tries > COVEY_FETCH_TRIES_MAX ? job->why : COVEY_OK;
}
