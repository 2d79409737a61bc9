/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

void covey_news_status(covey_agent_t* a) {
  a->status_dirty = true;
  covey_clock_soon(a);
}

void covey_news_hello(covey_agent_t* a, uint32_t jitter_ms) {
  covey_timer_t* timer = &a->timers[COVEY_TIMER_HELLO];
  a->hello_due = true;
  timer->tries = 0;
  timer->left_ms = covey_random_below(a, jitter_ms);
}

void covey_news_answered(covey_agent_t* a) {
  /* To an earlier one: a goal is told again before this hello's time has come. */
  if (a->timers[COVEY_TIMER_HELLO].tries == 0) return;
  a->hello_due = false;
}

void covey_news_tell(const covey_model_t* m, covey_event_t event) {
  const covey_agent_config_t* config = m->agent->config;
  if (config->event != NULL) config->event(config->app, event, m->index);
}
