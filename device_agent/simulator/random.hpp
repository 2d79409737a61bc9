// SPDX-License-Identifier: Apache-2.0
// Seeded randomness of the simulator: splitmix64 (Steele, Lea, Flood 2014). Never for keys.
// Not thread-safe per stream.
#pragma once

#include <cmath>
#include <cstdint>

namespace covey::simulator {

constexpr uint64_t mix(uint64_t seed, uint64_t stream) {
  uint64_t x = seed + 0x9E3779B97F4A7C15u * (stream + 1);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() { return mix(state_++, 0); }
  // [0, 1)
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  // [0, below); below > 0
  uint64_t below(uint64_t below) { return next() % below; }
  // Exponential with this mean: the time to the next event of a Poisson process.
  double exponential(double mean) { return -std::log1p(-uniform()) * mean; }

 private:
  uint64_t state_;
};

}  // namespace covey::simulator
