/* SPDX-License-Identifier: Apache-2.0 */
/* A small seeded random stream: splitmix64 spreads the seed, xoshiro256** draws.
 *
 * Both are public-domain algorithms by Blackman and Vigna ("Scrambled linear pseudorandom number
 * generators", 2021). Not thread-safe per stream; streams are independent values. Never for keys.
 */
#ifndef COVEY_BEARING_RANDOM_H
#define COVEY_BEARING_RANDOM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct covey_bearing_random {
  uint64_t s[4];
} covey_bearing_random_t;

/* Mixes two numbers into a seed; different (seed, stream) pairs give unrelated streams. */
uint64_t covey_bearing_mix(uint64_t seed, uint64_t stream);
void covey_bearing_random_init(covey_bearing_random_t* random, uint64_t seed);
uint64_t covey_bearing_random_next(covey_bearing_random_t* random);
/* Uniform in [0, 1), 53 bits. */
double covey_bearing_random_uniform(covey_bearing_random_t* random);
/* Bell-shaped, mean 0, standard deviation 1, within +-3.5: the sum of four 16-bit uniforms. */
double covey_bearing_random_bell(covey_bearing_random_t* random);

#ifdef __cplusplus
}
#endif
#endif
