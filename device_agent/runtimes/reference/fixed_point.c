/* SPDX-License-Identifier: Apache-2.0 */
#include "fixed_point.h"

enum { kFloatBias = 150 };

static int bit_length(uint64_t x) {
  int bits = 0;
  while (x != 0) {
    x >>= 1;
    bits++;
  }
  return bits;
}

bool covey_real_from_float(uint32_t bits, covey_real_t* out) {
  const uint32_t exponent = bits >> 23;
  /* A set sign bit makes `exponent` 256 or more. */
  if (exponent == 0 || exponent >= 255) {
    return false;
  }
  out->mantissa = (bits & 0x7fffffu) | 0x800000u;
  out->exponent = (int32_t)exponent - kFloatBias;
  return true;
}

covey_real_t covey_real_multiply(covey_real_t a, covey_real_t b) {
  const covey_real_t product = {a.mantissa * b.mantissa, a.exponent + b.exponent};
  return product;
}

/* Drops the lowest `drop` bits, nearest even; `sticky` says that more follows below them. */
static uint64_t round_even(uint64_t x, int drop, bool sticky) {
  const uint64_t half = (uint64_t)1 << (drop - 1);
  const uint64_t rest = x & ((half << 1) - 1);
  uint64_t kept = x >> drop;
  if (rest > half || (rest == half && (sticky || (kept & 1) != 0))) {
    kept++;
  }
  return kept;
}

covey_real_t covey_real_round(covey_real_t value, int bits) {
  const int drop = bit_length(value.mantissa) - bits;
  if (drop > 0) {
    value.mantissa = round_even(value.mantissa, drop, false);
    value.exponent += drop;
  }
  return value;
}

uint32_t covey_real_to_float(covey_real_t value, bool negative) {
  const uint32_t sign = negative ? 0x80000000u : 0;
  if (value.mantissa == 0) {
    return sign;
  }
  value = covey_real_round(value, 24);
  const int up = 24 - bit_length(value.mantissa); /* -1 after a carry */
  const uint64_t mantissa = up < 0 ? value.mantissa >> 1 : value.mantissa << up;
  const int32_t exponent = value.exponent - up + kFloatBias;
  if (exponent >= 255) {
    return sign | 0x7f800000u;
  }
  return sign | (uint32_t)exponent << 23 | ((uint32_t)mantissa & 0x7fffffu);
}

covey_real_t covey_real_divide(covey_real_t numerator, covey_real_t denominator, int bits) {
  uint64_t quotient = numerator.mantissa / denominator.mantissa;
  uint64_t remainder = numerator.mantissa % denominator.mantissa;
  covey_real_t result = {0, numerator.exponent - denominator.exponent};
  int length = bit_length(quotient);
  /* Long division until there is at least one bit more than wanted, the one that rounds. */
  while (length <= bits) {
    remainder <<= 1;
    quotient <<= 1;
    if (remainder >= denominator.mantissa) {
      remainder -= denominator.mantissa;
      quotient |= 1;
    }
    result.exponent--;
    if (quotient != 0) {
      length++;
    }
  }
  result.mantissa = round_even(quotient, length - bits, remainder != 0);
  result.exponent += length - bits;
  return result;
}

int32_t covey_real_to_int(covey_real_t value) {
  if (value.exponent >= 0) {
    if (value.exponent > 31 || value.mantissa >= ((uint64_t)1 << 31) >> value.exponent) {
      return INT32_MAX;
    }
    return (int32_t)(value.mantissa << value.exponent);
  }
  if (value.exponent < -62) {
    return 0;
  }
  const uint64_t half = (uint64_t)1 << (-value.exponent - 1);
  const uint64_t rounded = (value.mantissa + half) >> -value.exponent;
  return rounded > INT32_MAX ? INT32_MAX : (int32_t)rounded;
}

int32_t covey_quantize(covey_real_t magnitude, bool negative, covey_real_t scale,
                       int32_t zero_point) {
  enum { kStepsMax = 256 }; /* more than any clamp leaves */
  int32_t steps = 0;
  if (magnitude.mantissa != 0) {
    steps = covey_clamp(covey_real_to_int(covey_real_divide(magnitude, scale, 24)), 0, kStepsMax);
  }
  return covey_clamp(zero_point + (negative ? -steps : steps), INT8_MIN, INT8_MAX);
}

bool covey_real_to_multiplier(covey_real_t value, covey_multiplier_t* out) {
  const int length = bit_length(value.mantissa);
  int32_t shift = value.exponent + length;
  uint64_t fixed;
  if (length > 31) {
    fixed = (value.mantissa + ((uint64_t)1 << (length - 32))) >> (length - 31);
  } else {
    fixed = value.mantissa << (31 - length);
  }
  if (fixed == (uint64_t)1 << 31) {
    fixed >>= 1;
    shift++;
  }
  if (shift > 30) {
    return false;
  }
  if (shift < -31) {
    fixed = 0;
    shift = 0;
  }
  out->multiplier = (int32_t)fixed;
  out->shift = shift;
  return true;
}

int32_t covey_high_multiply(int32_t a, int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) {
    return INT32_MAX;
  }
  /* gemmlowp's nudge by the sign and division towards zero come to this: halves go up. Right shift
   * of a negative number: arithmetic on every compiler that this is built with. */
  return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

int32_t covey_divide_by_pot(int32_t x, int32_t exponent) {
  if (exponent > 31) {
    return 0; /* less than a half */
  }
  const uint32_t mask = ((uint32_t)1 << exponent) - 1;
  const uint32_t rest = (uint32_t)x & mask;
  const uint32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (rest > threshold ? 1 : 0);
}

int32_t covey_multiply_by_pot(int32_t x, int32_t exponent) {
  const int64_t product = (int64_t)x * ((int64_t)1 << exponent);
  if (product > INT32_MAX) {
    return INT32_MAX;
  }
  return product < INT32_MIN ? INT32_MIN : (int32_t)product;
}

int32_t covey_scale(int32_t x, covey_multiplier_t by) {
  const int32_t left = by.shift > 0 ? by.shift : 0;
  const int32_t right = by.shift > 0 ? 0 : -by.shift;
  return covey_divide_by_pot(covey_high_multiply(covey_multiply_by_pot(x, left), by.multiplier),
                             right);
}

/* e^x for -1/4 <= x < 0, Q0.31: a Taylor series of fourth order around -1/8, in gemmlowp's order of
 * roundings. */
static int32_t exp_quarter(int32_t x) {
  const int32_t exp_minus_eighth = 1895147668;
  const int32_t one_third = 715827883;
  const int32_t y = x + (1 << 28);
  const int32_t y2 = covey_high_multiply(y, y);
  const int32_t y3 = covey_high_multiply(y2, y);
  const int32_t y4_over_4 = covey_divide_by_pot(covey_high_multiply(y2, y2), 2);
  const int32_t tail = covey_divide_by_pot(covey_high_multiply(y4_over_4 + y3, one_third) + y2, 1);
  return exp_minus_eighth + covey_high_multiply(exp_minus_eighth, y + tail);
}

int32_t covey_exp_negative(int32_t x, int32_t fractional_bits) {
  /* e^(-2^k) for k = -2 .. 4, Q0.31. */
  static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308,
                                    39332535,   720401,     242};
  if (x == 0) {
    return INT32_MAX;
  }
  const int32_t quarter = 1 << (fractional_bits - 2);
  const int32_t fraction = (x & (quarter - 1)) - quarter;
  int32_t result = exp_quarter(covey_multiply_by_pot(fraction, 31 - fractional_bits));
  const int32_t quarters = (fraction - x) >> (fractional_bits - 2);
  for (int k = 0; k < 7; k++) {
    if ((quarters & (1 << k)) != 0) {
      result = covey_high_multiply(result, factors[k]);
    }
  }
  return result;
}

int32_t covey_reciprocal_one_plus(int32_t x) {
  /* Newton-Raphson on 1/d for d = (1 + x) / 2 in [1/2, 1); start 48/17 - 32/17 d. Q2.29. */
  const int32_t start = 1515870810;
  const int32_t slope = -1010580540;
  const int32_t one = 1 << 29;
  const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
  int32_t y = start + covey_high_multiply(half_denominator, slope);
  for (int i = 0; i < 3; i++) {
    const int32_t error = one - covey_high_multiply(half_denominator, y);
    y += covey_multiply_by_pot(covey_high_multiply(y, error), 2);
  }
  /* y is 2/(1 + x) in Q2.29, so half of it in Q0.31 is one doubling. */
  return covey_multiply_by_pot(y, 1);
}

int32_t covey_logistic(int32_t x) {
  enum { kFractionalBits = 27 };
  if (x == 0) {
    return 1 << 30;
  }
  const int32_t negative = x < 0 ? x : -x;
  const int32_t one_side = covey_reciprocal_one_plus(covey_exp_negative(negative, kFractionalBits));
  return x > 0 ? one_side : INT32_MAX - one_side;
}
