/* SPDX-License-Identifier: Apache-2.0 */
/* What every room uses: the configuration's port, the models and what their records say, time that
 * passes, chance, and what is to be said soon. Calls nothing but the port, and knows neither flash
 * nor wire. Everything runs on the agent's one thread. */
#ifndef COVEY_SRC_CORE_H
#define COVEY_SRC_CORE_H

#include "covey/agent.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Up to a multiple of unit, a power of two, as units of flash are. */
static inline uint32_t covey_core_align(uint32_t value, uint32_t unit) {
  return (value + unit - 1) & ~(unit - 1);
}
static inline const covey_port_t* covey_core_port(const covey_agent_t* a) {
  return a->config->port;
}
/* Without enrolment an agent that has no identity does not start. */
static inline bool covey_core_enrolled(const covey_agent_t* a) {
#if COVEY_ENROLMENT
  return a->enrolled;
#else
  return a != NULL;
#endif
}
/* An error as the wire says it; 0: it has no number there. */
static inline uint16_t covey_core_reason(int error) {
  return (uint16_t)(error <= -100 && error > -1000 ? -error : 0);
}
/* A state that cannot be: counted, then the harmless way on. */
static inline void covey_core_bug(covey_agent_t* a) { ++a->counters.bugs; }
static inline void covey_core_lock(const covey_agent_t* a) {
  if (covey_core_port(a)->lock != NULL) covey_core_port(a)->lock(covey_core_port(a)->lock_ctx);
}
static inline void covey_core_unlock(const covey_agent_t* a) {
  if (covey_core_port(a)->unlock != NULL) covey_core_port(a)->unlock(covey_core_port(a)->lock_ctx);
}

/* ---- models.c: the models, and what a record says */

/* Behind the last one that is used. */
static inline covey_model_t* covey_models_end(const covey_agent_t* a) {
#if COVEY_MODELS_MAX == 1
  return (covey_model_t*)a->models + 1;
#else
  return a->models_end;
#endif
}
/* NULL: there is no such model. */
covey_model_t* covey_models_at(const covey_agent_t* a, size_t index);
bool covey_models_on_probation(const covey_model_t* m);
/* What phase, attempt and reason are about; NULL: nothing. */
const uint8_t* covey_models_candidate(const covey_model_t* m);
/* There is no candidate any more. */
void covey_models_leave_candidate(covey_model_record_t* record, covey_phase_t phase);

/* ---- clock.c: time that passes, and back-off */

/* Until something that the port had no room for is tried again. */
#define COVEY_SHORT_WAIT_MS 100U
void covey_clock_pass(covey_agent_t* a, uint64_t now_ms);
/* Whether nothing is left; if something is, poll will be called when it is over. */
bool covey_clock_due(covey_agent_t* a, const covey_timer_t* timer);
/* There is work left: poll wants to be called again at once. */
static inline void covey_clock_soon(covey_agent_t* a) { a->wake_ms = 0; }
/* As a timer's milliseconds; 49 days at most. */
uint32_t covey_clock_seconds(uint32_t seconds);
/* Plus up to a quarter, so that a fleet spreads. */
uint32_t covey_clock_later(covey_agent_t* a, uint32_t ms);
/* From retry_min, or what answers take, doubling to retry_max, and jitter. */
uint32_t covey_clock_backoff(covey_agent_t* a, uint8_t tries);
/* An answer came to what was sent once, or more often. A gateway that is slow, rather
 * than a message that is lost, is given more time for the next: or it would answer all of them. */
void covey_clock_answered(covey_agent_t* a, const covey_timer_t* timer, bool repeated);
/* After something was sent that wants an answer (error 0), or could not be sent. */
void covey_clock_repeat(covey_agent_t* a, covey_timer_t* timer, int error);

/* ---- random.c */

/* For jitter and chance; anybody can tell the next one. */
uint32_t covey_random_next(covey_agent_t* a);
uint32_t covey_random_below(covey_agent_t* a, uint32_t span);
/* Unpredictable, of the port. Never 0: that would be absent on the wire. Errors: CRYPTO. */
int covey_random_draw(const covey_agent_t* a, uint64_t* number);

/* ---- news.c: what is to be said at the next occasion, to the gateway and to the application */

/* Something that a status tells has changed. */
void covey_news_status(covey_agent_t* a);
/* A hello is due, within so much time by chance. */
void covey_news_hello(covey_agent_t* a, uint32_t jitter_ms);
/* The gateway knows this boot: hello is not said again. */
void covey_news_answered(covey_agent_t* a);
void covey_news_tell(const covey_model_t* m, covey_event_t event);

#ifdef __cplusplus
}
#endif

#endif
