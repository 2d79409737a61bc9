/* SPDX-License-Identifier: Apache-2.0 */
/* TensorFlow Lite's fixed-point arithmetic in integers only: no float at load, none at run.
 *
 * Scales come from the file as IEEE-754 bits; every rounding that TFLite does in float or double is
 * done here on integer mantissas with the same rule (round to nearest even), so results don't
 * depend on an FPU or on compiler flags. Pure functions; any thread, any ISR. */
#ifndef COVEY_REFERENCE_FIXED_POINT_H
#define COVEY_REFERENCE_FIXED_POINT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A positive number, mantissa * 2^exponent. */
typedef struct covey_real {
  uint64_t mantissa;
  int32_t exponent;
} covey_real_t;

/* real = multiplier * 2^(shift - 31); multiplier 0 or in [2^30, 2^31). */
typedef struct covey_multiplier {
  int32_t multiplier;
  int32_t shift;
} covey_multiplier_t;

/* False unless the bits are a positive, normal, finite float: what a scale must be. */
bool covey_real_from_float(uint32_t bits, covey_real_t* out);
/* Exact for mantissas of up to 32 bits each. */
covey_real_t covey_real_multiply(covey_real_t a, covey_real_t b);
/* numerator / denominator rounded to `bits` (24 or 53) bits; the numerator's mantissa has at most
 * 48 bits, the denominator's is a float's. */
covey_real_t covey_real_divide(covey_real_t numerator, covey_real_t denominator, int bits);
/* The bits of the float nearest to a product of a float and an integer of at most 8 bits, with a
 * sign; infinity where it is too great. */
uint32_t covey_real_to_float(covey_real_t value, bool negative);
/* What a float multiplication leaves of a product. */
covey_real_t covey_real_round(covey_real_t value, int bits);
/* To the nearest integer, halves up; saturates at INT32_MAX. */
int32_t covey_real_to_int(covey_real_t value);
/* The int8 nearest to zero_point + magnitude / scale (or minus), the division rounded as a float's:
 * TFLite divides floats. The magnitude has at most 24 bits. */
int32_t covey_quantize(covey_real_t magnitude, bool negative, covey_real_t scale,
                       int32_t zero_point);
/* TFLite's QuantizeMultiplier. False where the value is 2^30 or more: no sane model has that. */
bool covey_real_to_multiplier(covey_real_t value, covey_multiplier_t* out);

/* gemmlowp's SaturatingRoundingDoublingHighMul: a * b / 2^31. */
int32_t covey_high_multiply(int32_t a, int32_t b);
/* x / 2^exponent, halves away from zero; with an exponent above 31 x must not be negative. */
int32_t covey_divide_by_pot(int32_t x, int32_t exponent);
/* x * 2^exponent, saturating, exponent 0..31. */
int32_t covey_multiply_by_pot(int32_t x, int32_t exponent);
/* TFLite's MultiplyByQuantizedMultiplier (double rounding, as its reference kernels do). */
int32_t covey_scale(int32_t x, covey_multiplier_t by);
/* e^x for x <= 0, with 26 or 27 fractional bits; out Q0.31. */
int32_t covey_exp_negative(int32_t x, int32_t fractional_bits);
/* 1 / (1 + x) for 0 <= x < 1, both Q0.31. */
int32_t covey_reciprocal_one_plus(int32_t x);
/* 1 / (1 + e^-x): in Q4.27, out Q0.31. */
int32_t covey_logistic(int32_t x);

static inline int32_t covey_clamp(int32_t x, int32_t low, int32_t high) {
  return x < low ? low : (x > high ? high : x);
}

#ifdef __cplusplus
}
#endif

#endif
