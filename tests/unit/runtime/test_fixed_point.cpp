// SPDX-License-Identifier: Apache-2.0
// The integer arithmetic against the float and double arithmetic that TFLite does in its place.
#include <cmath>
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "device_agent/runtimes/reference/fixed_point.h"

namespace {

uint32_t bits_of(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

covey_real_t real(float value) {
  covey_real_t out{};
  EXPECT_TRUE(covey_real_from_float(bits_of(value), &out));
  return out;
}

// TFLite's QuantizeMultiplier, as documented: frexp, round to 31 bits.
covey_multiplier_t quantize(double value) {
  int shift = 0;
  auto fixed = static_cast<int64_t>(std::round(std::frexp(value, &shift) * 2147483648.0));
  if (fixed == int64_t{1} << 31) {
    fixed /= 2;
    ++shift;
  }
  if (shift < -31) {
    return {0, 0};
  }
  return {static_cast<int32_t>(fixed), shift};
}

float random_scale(std::mt19937& random) {
  std::uniform_real_distribution<float> exponent(-30.0F, 4.0F);
  return std::exp2(exponent(random));
}

void expect_same(covey_multiplier_t expected, covey_real_t value) {
  covey_multiplier_t actual{};
  ASSERT_TRUE(covey_real_to_multiplier(value, &actual));
  EXPECT_EQ(expected.multiplier, actual.multiplier);
  EXPECT_EQ(expected.shift, actual.shift);
}

TEST(FixedPoint, ScaleOfOneWeightScaleMatchesFloatProductAndDoubleQuotient) {
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const float a = random_scale(random);
    const float b = random_scale(random);
    const float c = random_scale(random);
    const double value = static_cast<double>(a * b) / static_cast<double>(c);
    if (value >= std::exp2(29)) {
      continue;
    }
    const covey_real_t product = covey_real_round(covey_real_multiply(real(a), real(b)), 24);
    expect_same(quantize(value), covey_real_divide(product, real(c), 53));
  }
}

TEST(FixedPoint, ScalePerChannelMatchesDoubleProductAndQuotient) {
  std::mt19937 random(2);
  for (int i = 0; i < 200'000; ++i) {
    const float a = random_scale(random);
    const float b = random_scale(random);
    const float c = random_scale(random);
    const double value = static_cast<double>(a) * static_cast<double>(b) / static_cast<double>(c);
    if (value >= std::exp2(29)) {
      continue;
    }
    expect_same(quantize(value),
                covey_real_divide(covey_real_multiply(real(a), real(b)), real(c), 53));
  }
}

TEST(FixedPoint, RoundedQuotientMatchesFloatDivision) {
  std::mt19937 random(3);
  for (int i = 0; i < 200'000; ++i) {
    const float scale = random_scale(random);
    const covey_real_t six = {6, 0};
    const double expected = std::round(static_cast<double>(6.0F / scale));
    const int32_t actual = covey_real_to_int(covey_real_divide(six, real(scale), 24));
    EXPECT_EQ(expected >= 2147483647.0 ? INT32_MAX : static_cast<int32_t>(expected), actual)
        << scale;
  }
}

TEST(FixedPoint, RefusesWhatIsNoScale) {
  covey_real_t out{};
  for (const float value : {0.0F, -0.0F, -1.0F, std::nanf(""), HUGE_VALF, 1e-40F}) {
    EXPECT_FALSE(covey_real_from_float(bits_of(value), &out)) << value;
  }
}

TEST(FixedPoint, TooLargeAndTooSmallMultipliers) {
  covey_multiplier_t out{};
  EXPECT_FALSE(covey_real_to_multiplier({1, 30}, &out));
  EXPECT_TRUE(covey_real_to_multiplier({1, 29}, &out));
  EXPECT_EQ(30, out.shift);
  EXPECT_TRUE(covey_real_to_multiplier({1, -40}, &out));
  EXPECT_EQ(0, out.multiplier);
}

TEST(FixedPoint, HighMultiplyRoundsToNearest) {
  EXPECT_EQ(INT32_MAX, covey_high_multiply(INT32_MIN, INT32_MIN));
  EXPECT_EQ(1, covey_high_multiply(1 << 30, 1));     // 0.5 -> 1
  EXPECT_EQ(0, covey_high_multiply(-(1 << 30), 1));  // -0.5 -> 0, as gemmlowp has it
  EXPECT_EQ(-1, covey_high_multiply(-(1 << 30) - 1, 1));
  EXPECT_EQ(-INT32_MAX, covey_high_multiply(INT32_MIN, INT32_MAX));
}

TEST(FixedPoint, DivideByPotRoundsHalvesAwayFromZero) {
  EXPECT_EQ(2, covey_divide_by_pot(3, 1));
  EXPECT_EQ(-2, covey_divide_by_pot(-3, 1));
  EXPECT_EQ(1, covey_divide_by_pot(5, 2));
  EXPECT_EQ(-1, covey_divide_by_pot(-5, 2));
  EXPECT_EQ(7, covey_divide_by_pot(7, 0));
  EXPECT_EQ(1, covey_divide_by_pot(INT32_MAX, 31));
  EXPECT_EQ(-1, covey_divide_by_pot(INT32_MIN, 31));
  EXPECT_EQ(0, covey_divide_by_pot(INT32_MAX, 34));
}

TEST(FixedPoint, ScaleSaturatesInsteadOfOverflowing) {
  EXPECT_EQ(INT32_MAX - 1, covey_scale(INT32_MAX, {INT32_MAX, 0}));
  EXPECT_EQ(INT32_MAX - 1, covey_scale(1 << 20, {INT32_MAX, 30}));
  EXPECT_EQ(-INT32_MAX, covey_scale(-(1 << 20), {INT32_MAX, 30}));
  EXPECT_EQ(100, covey_scale(100, {1 << 30, 1}));
  EXPECT_EQ(50, covey_scale(100, {1 << 30, 0}));
}

TEST(FixedPoint, ExponentialIsAccurate) {
  // (1/8)^5 / 5!: what a series of fourth order leaves out within 1/8 of its centre.
  constexpr double kSeriesRemainder = 2.6e-7;
  EXPECT_EQ(INT32_MAX, covey_exp_negative(0, 26));
  for (int32_t x = -1; x > -(INT32_MAX / 2); x -= 99'991) {
    const double expected = std::exp(static_cast<double>(x) / std::exp2(26));
    EXPECT_NEAR(expected, covey_exp_negative(x, 26) / std::exp2(31), kSeriesRemainder) << x;
  }
}

TEST(FixedPoint, ReciprocalIsAccurate) {
  for (int64_t x = 0; x <= INT32_MAX; x += 999'983) {
    const double expected = 1.0 / (1.0 + static_cast<double>(x) / std::exp2(31));
    EXPECT_NEAR(expected, covey_reciprocal_one_plus(static_cast<int32_t>(x)) / std::exp2(31), 3e-8)
        << x;
  }
}

}  // namespace
