#include "internal.h"

void covey_wake_at(covey_agent_t* a, uint64_t at_ms) {
  if (at_ms < a->wake_ms) a->wake_ms = at_ms;
}

uint32_t covey_random32(covey_agent_t* a) { /* xorshift32: for sampling and jitter only */
  uint32_t x = a->random;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  a->random = x;
  return x;
}

uint32_t covey_jitter(covey_agent_t* a, uint32_t span_ms) {
  return (uint32_t)(((uint64_t)covey_random32(a) * span_ms) >> 32);
}

uint64_t covey_backoff(covey_agent_t* a, uint8_t tries) {
  uint32_t wait = a->times.retry_min_ms;
  while (tries-- > 0 && wait < a->times.retry_max_ms) wait *= 2;
  if (wait > a->times.retry_max_ms) wait = a->times.retry_max_ms;
  return a->now_ms + wait + covey_jitter(a, wait / 4 + 1);
}
