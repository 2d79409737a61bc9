/* SPDX-License-Identifier: Apache-2.0 */
#include "examples/bearing_vibration/signal/features.h"

#include <string.h>

/* Widths, for n <= 512 samples of int16: a sample minus the mean fits 17 bits signed; filters carry
 * 8 fraction bits (25 bits); squares are summed in 64 bits without their fraction (17 + 17 + 9 = 43
 * bits); the fourth moment first shifts samples down to 13 bits (4 * 13 + 9 = 61 bits). */

enum {
  kFraction = 8,
  kDecimation = 4, /* the envelope at 1,600 values a second */
  kEnvelopeMax = COVEY_BEARING_SAMPLES_MAX / kDecimation,
  kLagMin = 5,  /* 320 Hz: above the fastest defect rate */
  kLagMax = 36, /* 44 Hz: below the slowest */
};

/* Compile-time check: every lag must leave some overlap, even in the shortest window. */
typedef char
    lags_overlap_in_the_shortest_window[kLagMax + 1 < COVEY_BEARING_SAMPLES_MIN / kDecimation ? 1
                                                                                              : -1];

/* log2(x) in Q8, exact to the last bit (rounded down); 0 for 0. The classic: normalise to [1, 2) in
 * Q30, then each squaring yields one more bit. */
static int32_t log2_q8(uint64_t x) {
  if (x == 0) return 0;
  int32_t exponent = 0;
  while (x >> (exponent + 1) != 0 && exponent < 63) exponent++;
  uint64_t y = exponent > 30 ? x >> (exponent - 30) : x << (30 - exponent);
  int32_t result = exponent;
  for (int i = 0; i < 8; i++) {
    y = (y * y) >> 30;
    result <<= 1;
    if (y >> 31 != 0) {
      y >>= 1;
      result |= 1;
    }
  }
  return result;
}

static int32_t mean_of(const int16_t* samples, size_t n) {
  int32_t sum = 0;
  for (size_t i = 0; i < n; i++) sum += samples[i];
  const int32_t count = (int32_t)n;
  return (sum >= 0 ? sum + count / 2 : sum - count / 2) / count;
}

static uint32_t magnitude(int32_t x) { return (uint32_t)(x < 0 ? -x : x); }

typedef struct shape {
  uint64_t energy; /* sum of squares */
  int32_t kurtosis;
  int32_t zero_crossings;
} shape_t;

static shape_t shape_of(const int16_t* samples, size_t n, int32_t mean) {
  shape_t shape = {0, 0, 0};
  uint32_t peak = 0;
  int32_t side = 0;
  for (size_t i = 0; i < n; i++) {
    const int32_t x = samples[i] - mean;
    const uint32_t size = magnitude(x);
    if (size > peak) peak = size;
    shape.energy += (uint64_t)size * size;
    const int32_t now = (x > 0) - (x < 0);
    if (now != 0) {
      if (side == -now) shape.zero_crossings++;
      side = now;
    }
  }
  uint32_t shift = 0;
  while (peak >> shift >= 1u << 13) shift++;
  uint64_t second = 0;
  uint64_t fourth = 0;
  for (size_t i = 0; i < n; i++) {
    const uint64_t size = magnitude(samples[i] - mean) >> shift;
    const uint64_t square = size * size;
    second += square;
    fourth += square * square;
  }
  /* n * sum(x^4) / sum(x^2)^2 in logarithms; no division, and n's is added once. */
  if (second != 0) shape.kurtosis = log2_q8(fourth) + log2_q8(n) - 2 * log2_q8(second);
  return shape;
}

/* Four one-pole filters in a row of two; a pole at shift k has its corner near
 * 6400 Hz / (2 pi 2^k). Right shifts of negative numbers are arithmetic on every target compiler;
 * (x - y) >> k leaks at most one unit of the fraction. */
typedef struct bands {
  int32_t low1, low2;   /* shift 3: about 120 Hz */
  int32_t high1, high2; /* shift 1 each, subtracted: about 1 kHz */
  int32_t env1, env2;   /* shift 2 each, behind the rectifier: about 250 Hz */
} bands_t;

typedef struct spectrum {
  uint64_t low, high;
  size_t envelope_count;
  int16_t envelope[kEnvelopeMax];
} spectrum_t;

static void spectrum_of(const int16_t* samples, size_t n, int32_t mean, spectrum_t* spectrum) {
  bands_t b;
  memset(&b, 0, sizeof b);
  spectrum->low = 0;
  spectrum->high = 0;
  spectrum->envelope_count = 0;
  for (size_t i = 0; i < n; i++) {
    const int32_t x = (samples[i] - mean) * (1 << kFraction);
    b.low1 += (x - b.low1) >> 3;
    b.low2 += (b.low1 - b.low2) >> 3;
    b.high1 += (x - b.high1) >> 1;
    const int32_t once = x - b.high1;
    b.high2 += (once - b.high2) >> 1;
    const int32_t twice = once - b.high2;

    const uint64_t low = magnitude(b.low2) >> kFraction;
    const uint64_t high = magnitude(twice) >> kFraction;
    spectrum->low += low * low;
    spectrum->high += high * high;

    b.env1 += ((int32_t)magnitude(twice) - b.env1) >> 1;
    b.env2 += (b.env1 - b.env2) >> 2;
    if (i % kDecimation == kDecimation - 1) {
      const int32_t value = b.env2 >> kFraction;
      spectrum->envelope[spectrum->envelope_count++] = (int16_t)(value < 32767 ? value : 32767);
    }
  }
}

typedef struct impacts {
  int32_t crest;
  int32_t period;
  int32_t strength;
} impacts_t;

/* Sum of e[i] * e[i + lag] over the overlap: at most 128 * 2^30 in magnitude. */
static int64_t correlation(const int16_t* e, size_t count, size_t lag) {
  int64_t sum = 0;
  for (size_t i = 0; i + lag < count; i++) sum += (int32_t)e[i] * e[i + lag];
  return sum;
}

/* How regular, and how often, does the envelope beat? Its mean is removed in place first. */
static impacts_t impacts_of(int16_t* e, size_t count) {
  impacts_t impacts = {0, 0, 0};
  int32_t sum = 0;
  int32_t peak = 0;
  for (size_t i = 0; i < count; i++) {
    sum += e[i];
    if (e[i] > peak) peak = e[i];
  }
  const int32_t mean = sum / (int32_t)count;
  if (mean > 0) impacts.crest = log2_q8((uint64_t)peak) - log2_q8((uint64_t)mean);
  for (size_t i = 0; i < count; i++) e[i] = (int16_t)(e[i] - mean);

  const int64_t whole = correlation(e, count, 0) / (int64_t)count;
  if (whole == 0) return impacts;
  int64_t at[kLagMax + 2];
  const size_t first = kLagMin - 1;
  for (size_t lag = first; lag <= kLagMax + 1; lag++) {
    at[lag] = correlation(e, count, lag) / (int64_t)(count - lag);
  }
  /* The first peak within 7/8 of the highest: a train of equal beats also repeats after two and
   * three periods, by chance sometimes a little better. */
  int64_t best = 0;
  for (size_t lag = kLagMin; lag <= kLagMax; lag++) {
    if (at[lag] > best && at[lag] >= at[lag - 1] && at[lag] >= at[lag + 1]) best = at[lag];
  }
  if (best == 0) return impacts;
  for (size_t lag = kLagMin; lag <= kLagMax; lag++) {
    if (at[lag] < at[lag - 1] || at[lag] < at[lag + 1] || at[lag] < best - best / 8) continue;
    /* A parabola through the three values places the peak between lags, in 1/16. */
    const int64_t bend = 2 * at[lag] - at[lag - 1] - at[lag + 1];
    const int64_t shift = bend > 0 ? 8 * (at[lag + 1] - at[lag - 1]) / bend : 0;
    const int64_t lag_16 = (int64_t)lag * 16 + shift;
    impacts.period = log2_q8((uint64_t)lag_16 * kDecimation) - 4 * 256;
    impacts.strength = (int32_t)(at[lag] * 256 / whole);
    break;
  }
  return impacts;
}

covey_bearing_status_t covey_bearing_features_raw(const int16_t* samples, size_t n,
                                                  int32_t raw[COVEY_BEARING_FEATURES]) {
  if (n < COVEY_BEARING_SAMPLES_MIN || n > COVEY_BEARING_SAMPLES_MAX || n % kDecimation != 0) {
    return COVEY_BEARING_BAD_SAMPLE_COUNT;
  }
  const int32_t mean = mean_of(samples, n);
  const shape_t shape = shape_of(samples, n, mean);
  spectrum_t spectrum;
  spectrum_of(samples, n, mean, &spectrum);
  const impacts_t impacts = impacts_of(spectrum.envelope, spectrum.envelope_count);

  const int32_t energy = log2_q8(shape.energy);
  raw[0] = shape.energy == 0 ? 0 : (energy - log2_q8(n)) / 2;
  raw[1] = shape.kurtosis;
  raw[2] = shape.zero_crossings * COVEY_BEARING_SAMPLES_MAX / (int32_t)n;
  raw[3] = log2_q8(spectrum.low) - energy;
  raw[4] = log2_q8(spectrum.high) - energy;
  raw[5] = impacts.crest;
  raw[6] = impacts.period;
  raw[7] = impacts.strength;
  return COVEY_BEARING_OK;
}

int8_t covey_bearing_scale(const covey_bearing_scaling_t* scaling, int32_t raw) {
  const int64_t product = ((int64_t)raw - scaling->offset) * scaling->multiplier;
  const int64_t rounded = (product + (INT64_C(1) << (scaling->shift - 1))) >> scaling->shift;
  if (rounded < INT8_MIN) return INT8_MIN;
  if (rounded > INT8_MAX) return INT8_MAX;
  return (int8_t)rounded;
}

covey_bearing_status_t covey_bearing_features(const int16_t* samples, size_t n,
                                              const covey_bearing_params_t* params,
                                              int8_t out[COVEY_BEARING_FEATURES]) {
  int32_t raw[COVEY_BEARING_FEATURES];
  const covey_bearing_status_t status = covey_bearing_features_raw(samples, n, raw);
  if (status != COVEY_BEARING_OK) return status;
  for (size_t i = 0; i < COVEY_BEARING_FEATURES; i++) {
    out[i] = covey_bearing_scale(&params->feature[i], raw[i]);
  }
  return COVEY_BEARING_OK;
}
