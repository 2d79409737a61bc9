/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

uint32_t covey_random_next(covey_agent_t* a) { /* xorshift32 */
  uint32_t x = a->random;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  a->random = x;
  return x;
}

uint32_t covey_random_below(covey_agent_t* a, uint32_t span) {
  return (uint32_t)(((uint64_t)covey_random_next(a) * span) >> 32);
}

int covey_random_draw(const covey_agent_t* a, uint64_t* number) {
  const covey_crypto_t* crypto = &covey_core_port(a)->crypto;
  const int error = crypto->random(crypto->ctx, number, sizeof *number);
  *number |= 1;
  return error == 0 ? COVEY_OK : COVEY_ERROR_CRYPTO;
}
