/* SPDX-License-Identifier: Apache-2.0 */
#include "examples/bearing_vibration/signal/random.h"

static uint64_t splitmix(uint64_t* state) {
  uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

uint64_t covey_bearing_mix(uint64_t seed, uint64_t stream) {
  uint64_t state = seed;
  state = splitmix(&state) ^ stream;
  return splitmix(&state);
}

void covey_bearing_random_init(covey_bearing_random_t* random, uint64_t seed) {
  for (int i = 0; i < 4; i++) random->s[i] = splitmix(&seed);
}

uint64_t covey_bearing_random_next(covey_bearing_random_t* random) {
  uint64_t* s = random->s;
  const uint64_t result = rotate_left(s[1] * 5, 7) * 9;
  const uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate_left(s[3], 45);
  return result;
}

double covey_bearing_random_uniform(covey_bearing_random_t* random) {
  return (double)(covey_bearing_random_next(random) >> 11) * 0x1p-53;
}

double covey_bearing_random_bell(covey_bearing_random_t* random) {
  const uint64_t bits = covey_bearing_random_next(random);
  const int32_t sum = (int32_t)(bits & 0xffff) + (int32_t)((bits >> 16) & 0xffff) +
                      (int32_t)((bits >> 32) & 0xffff) + (int32_t)(bits >> 48);
  /* Mean 2 * 65535; variance 4 * (2^32 - 1) / 12, so the deviation is 65536 / sqrt(3). */
  return (double)(sum - 2 * 65535) * (1.7320508075688772 / 65536.0);
}
