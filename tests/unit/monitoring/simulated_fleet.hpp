// SPDX-License-Identifier: Apache-2.0
// A fleet whose sensors see the same physics through slightly different eyes: each device has its
// own gain and offset (natural spread); faults are larger losses of gain.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "monitoring/counts/counts.hpp"
#include "tests/unit/monitoring/random.hpp"

namespace covey::monitoring::testing {

constexpr size_t kBins = 10;

// Amplitude-like feature: log-normal around 1.
inline double amplitude(Random& random) { return std::exp(0.35 * random.normal()); }

class FeatureBins {
 public:
  explicit FeatureBins(uint64_t seed, size_t samples = 4000) {
    Random random(seed);
    std::vector<double> values(samples);
    for (double& value : values) value = amplitude(random);
    std::sort(values.begin(), values.end());
    for (size_t b = 1; b < kBins; ++b) edges_.push_back(values[b * samples / kBins]);
    baseline_.resize(kBins);
    for (const double value : values) ++baseline_[bin(value)];
  }
  size_t bin(double value) const {
    return static_cast<size_t>(std::lower_bound(edges_.begin(), edges_.end(), value) -
                               edges_.begin());
  }
  const Counts& baseline() const { return baseline_; }

  Counts device(Random& random, double gain, double offset, uint64_t n) const {
    Counts counts(kBins);
    for (uint64_t i = 0; i < n; ++i) ++counts[bin(gain * amplitude(random) + offset)];
    return counts;
  }

 private:
  std::vector<double> edges_;
  Counts baseline_;
};

struct FleetOptions {
  size_t devices = 60;
  uint64_t n = 400;
  double gain_sd = 0.04;  // natural spread, relative
  double offset_sd = 0.03;
};

// gain_of(device index) multiplies the natural gain.
template <typename GainOf>
std::vector<Counts> fleet(const FeatureBins& bins, Random& random, const FleetOptions& options,
                          GainOf gain_of) {
  std::vector<Counts> devices;
  for (size_t d = 0; d < options.devices; ++d) {
    const double gain = 1 + options.gain_sd * random.normal();
    const double offset = options.offset_sd * random.normal();
    const uint64_t n = options.n / 2 + random.below(options.n);
    devices.push_back(bins.device(random, gain * gain_of(d), offset, n));
  }
  return devices;
}

}  // namespace covey::monitoring::testing
