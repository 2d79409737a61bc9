// SPDX-License-Identifier: Apache-2.0
// Each operator against an independent, naive reference, and against values worked out by hand.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "tests/unit/runtime/loaded_model.hpp"
#include "tests/unit/runtime/tflite_builder.hpp"

namespace covey::testing {
namespace {

int8_t clamp8(int64_t value, int64_t low = -128, int64_t high = 127) {
  return static_cast<int8_t>(std::clamp(value, low, high));
}

// acc * real as TFLite's reference kernels round it: to 31 bits after the left shift, then to an
// integer after the right shift.
int64_t rescale(int64_t acc, double real) {
  int shift = 0;
  const double multiplier = std::round(std::frexp(real, &shift) * std::exp2(31));
  const double shifted = static_cast<double>(acc) * std::exp2(std::max(shift, 0));
  // Exact in 128 bits; gemmlowp rounds halves of a positive product up, of a negative one to zero.
  const auto product = static_cast<__int128>(shifted) * static_cast<__int128>(multiplier);
  const auto nudge = product >= 0 ? (int64_t{1} << 30) : 1 - (int64_t{1} << 30);
  const auto high = static_cast<double>(
      static_cast<int64_t>((product + nudge) / (static_cast<__int128>(1) << 31)));
  return static_cast<int64_t>(std::round(high * std::exp2(std::min(shift, 0))));
}

struct Dense {
  int32_t batches;
  int32_t depth;
  int32_t channels;
  float input_scale;
  int32_t input_zero;
  std::vector<float> weight_scales;
  float output_scale;
  int32_t output_zero;
  int8_t activation;
  bool with_bias;
};

void check_dense(const Dense& d, uint32_t seed) {
  const auto w = lcg_bytes(seed, static_cast<size_t>(d.depth * d.channels));
  std::vector<int32_t> b;
  for (const int8_t value : lcg_bytes(seed + 7, static_cast<size_t>(d.channels))) {
    b.push_back(value * 37);
  }
  TfliteBuilder builder;
  const int32_t in = builder.tensor(activation({d.batches, d.depth}, d.input_scale, d.input_zero));
  const int32_t wt = builder.tensor(weights({d.channels, d.depth}, d.weight_scales, w));
  const int32_t bt = d.with_bias ? builder.tensor(bias(b)) : -1;
  const int32_t out =
      builder.tensor(activation({d.batches, d.channels}, d.output_scale, d.output_zero));
  builder.op(kBuiltinFullyConnected, {in, wt, bt}, {out}, FullyConnected{d.activation});
  LoadedModel model(builder.finish({in}, {out}));
  ASSERT_EQ(0, model.error()) << covey_runtime_error_name(model.error());
  EXPECT_EQ(static_cast<uint64_t>(d.batches * d.depth * d.channels), model.work());

  const auto input = lcg_bytes(seed + 99, static_cast<size_t>(d.batches * d.depth));
  const auto output = model.run(input);
  ASSERT_EQ(static_cast<size_t>(d.batches * d.channels), output.size());
  int64_t low = -128;
  int64_t high = 127;
  if (d.activation == 1 || d.activation == 3) {
    low = d.output_zero;
  }
  if (d.activation == 3) {
    high = std::min<int64_t>(
        127, d.output_zero + static_cast<int64_t>(std::round(6.0F / d.output_scale)));
  }
  for (int32_t batch = 0; batch < d.batches; ++batch) {
    for (int32_t c = 0; c < d.channels; ++c) {
      int64_t acc = d.with_bias ? b[static_cast<size_t>(c)] : 0;
      for (int32_t i = 0; i < d.depth; ++i) {
        acc += (input[static_cast<size_t>(batch * d.depth + i)] - d.input_zero) *
               w[static_cast<size_t>(c * d.depth + i)];
      }
      const bool per_tensor = d.weight_scales.size() == 1;
      const float ws = d.weight_scales[per_tensor ? 0 : static_cast<size_t>(c)];
      const double product = per_tensor
                                 ? static_cast<double>(d.input_scale * ws)
                                 : static_cast<double>(d.input_scale) * static_cast<double>(ws);
      const int64_t value =
          rescale(acc, product / static_cast<double>(d.output_scale)) + d.output_zero;
      EXPECT_EQ(clamp8(value, low, high), output[static_cast<size_t>(batch * d.channels + c)])
          << "batch " << batch << " channel " << c;
    }
  }
}

TEST(FullyConnectedOperator, MatchesNaiveReference) {
  check_dense({1, 8, 4, 0.1F, 0, {0.01F}, 0.05F, 0, 0, true}, 1);
  check_dense({1, 1, 1, 0.02F, -128, {0.5F}, 0.003F, 127, 0, true}, 2);
  check_dense({5, 17, 3, 0.7F, 127, {0.002F}, 0.9F, -5, 0, true}, 3);
  check_dense({1, 640, 32, 0.04F, 11, {0.004F}, 0.3F, -128, 0, false}, 4);
}

TEST(FullyConnectedOperator, ScalesUpToo) {
  check_dense({1, 3, 2, 4.0F, 3, {0.9F}, 0.5F, 0, 0, true}, 5);
}

TEST(FullyConnectedOperator, PerChannel) {
  check_dense({2, 9, 4, 0.1F, 4, {0.01F, 0.02F, 0.005F, 0.9F}, 0.05F, 1, 0, true}, 6);
}

TEST(FullyConnectedOperator, FusedActivations) {
  check_dense({1, 12, 16, 0.1F, 0, {0.01F}, 0.05F, -20, 1, true}, 7);
  check_dense({1, 12, 16, 0.1F, 0, {0.01F}, 0.05F, -20, 3, true}, 8);
}

// y = 2 * (x - 1) + 3 with all scales chosen to be powers of two.
TEST(FullyConnectedOperator, ByHand) {
  TfliteBuilder b;
  const int32_t in = b.tensor(activation({1, 1}, 1.0F, 1));
  const int32_t w = b.tensor(weights({1, 1}, {0.5F}, {4}));
  const int32_t c = b.tensor(bias({6}));
  const int32_t out = b.tensor(activation({1, 1}, 1.0F, 0));
  b.op(kBuiltinFullyConnected, {in, w, c}, {out}, FullyConnected{});
  LoadedModel model(b.finish({in}, {out}));
  ASSERT_EQ(0, model.error());
  EXPECT_EQ(std::vector<int8_t>{3}, model.run({1}));
  EXPECT_EQ(std::vector<int8_t>{21}, model.run({10}));
  EXPECT_EQ(std::vector<int8_t>{127}, model.run({100}));
  EXPECT_EQ(std::vector<int8_t>{-128}, model.run({-128}));
}

// Old converters name a dimension that a bias does not have (TensorFlow Lite Micro's person
// detection is such a file). A bias has the scale of the sums, whatever it says.
TEST(FullyConnectedOperator, TheScalesOfABiasDoNotMatter) {
  TfliteBuilder b;
  const int32_t in = b.tensor(activation({1, 1}, 1.0F, 1));
  const int32_t w = b.tensor(weights({2, 1}, {0.5F, 1.0F}, {4, 1}));
  TensorSpec spec = bias({6, 2}, {0.5F, 1.0F});
  spec.quantized_dimension = 3;
  const int32_t c = b.tensor(std::move(spec));
  const int32_t out = b.tensor(activation({1, 2}, 1.0F, 0));
  b.op(kBuiltinFullyConnected, {in, w, c}, {out}, FullyConnected{});
  LoadedModel model(b.finish({in}, {out}));
  ASSERT_EQ(0, model.error()) << covey_runtime_error_name(model.error());
  EXPECT_EQ((std::vector<int8_t>{21, 11}), model.run({10}));
}

TEST(FullyConnectedOperator, ExtremeBiasSaturates) {
  TfliteBuilder b;
  const int32_t in = b.tensor(activation({1, 1}, 1.0F, 0));
  const int32_t w = b.tensor(weights({2, 1}, {1.0F}, {127, -127}));
  const int32_t c = b.tensor(bias({INT32_MAX, INT32_MIN}));
  const int32_t out = b.tensor(activation({1, 2}, 1.0F, 0));
  b.op(kBuiltinFullyConnected, {in, w, c}, {out}, FullyConnected{});
  LoadedModel model(b.finish({in}, {out}));
  ASSERT_EQ(0, model.error());
  EXPECT_EQ((std::vector<int8_t>{127, -128}), model.run({127}));
}

std::vector<int8_t> run_unary(int32_t builtin, const TensorSpec& in_spec,
                              const TensorSpec& out_spec, const std::vector<int8_t>& input,
                              const Options& options = {}) {
  TfliteBuilder b;
  const int32_t in = b.tensor(in_spec);
  const int32_t out = b.tensor(out_spec);
  b.op(builtin, {in}, {out}, options);
  LoadedModel model(b.finish({in}, {out}));
  EXPECT_EQ(0, model.error()) << covey_runtime_error_name(model.error());
  return model.error() == 0 ? model.run(input) : std::vector<int8_t>();
}

TEST(ReluOperators, ByHand) {
  const std::vector<int8_t> input = {-128, -1, 0, 5, 10, 100, 127};
  const TensorSpec same = activation({7}, 0.1F, 0);
  EXPECT_EQ((std::vector<int8_t>{0, 0, 0, 5, 10, 100, 127}),
            run_unary(kBuiltinRelu, same, same, input));
  EXPECT_EQ((std::vector<int8_t>{0, 0, 0, 5, 10, 60, 60}),
            run_unary(kBuiltinRelu6, same, same, input));
  EXPECT_EQ((std::vector<int8_t>{-10, -1, 0, 5, 10, 10, 10}),
            run_unary(kBuiltinReluN1To1, same, same, input));
}

TEST(ReluOperators, Rescale) {
  const TensorSpec in = activation({256}, 0.1F, -10);
  const TensorSpec out = activation({256}, 0.07F, -128);
  std::vector<int8_t> input(256);
  for (int i = 0; i < 256; ++i) {
    input[static_cast<size_t>(i)] = static_cast<int8_t>(i - 128);
  }
  const auto output = run_unary(kBuiltinRelu, in, out, input);
  ASSERT_EQ(256U, output.size());
  for (size_t i = 0; i < 256; ++i) {
    const int64_t value =
        rescale(input[i] + 10, static_cast<double>(0.1F) / static_cast<double>(0.07F)) - 128;
    EXPECT_EQ(clamp8(value), output[i]) << i;
  }
}

TEST(ReshapeOperator, KeepsBytes) {
  const auto input = lcg_bytes(9, 24);
  EXPECT_EQ(input, run_unary(kBuiltinReshape, activation({2, 3, 4}, 0.1F, 3),
                             activation({6, 4}, 0.1F, 3), input));
}

const TensorSpec kProbability2 = activation({1, 2}, 1.0F / 256, -128);
const TensorSpec kProbability3 = activation({1, 3}, 1.0F / 256, -128);
const TensorSpec kProbability4 = activation({1, 4}, 1.0F / 256, -128);

// Outputs are p * 256 - 128, rounded, at most 127.
TEST(SoftmaxOperator, ByHand) {
  using Quantized = std::vector<int8_t>;
  const Options one = Softmax{1.0F};
  EXPECT_EQ((Quantized{0, 0}),
            run_unary(kBuiltinSoftmax, activation({1, 2}, 0.1F), kProbability2, {9, 9},
                      one));  // 1/2
  EXPECT_EQ((Quantized{-64, -64, -64, -64}),
            run_unary(kBuiltinSoftmax, activation({1, 4}, 0.1F), kProbability4, {-7, -7, -7, -7},
                      one));  // 1/4
  EXPECT_EQ((Quantized{-43, -43, -43}), run_unary(kBuiltinSoftmax, activation({1, 3}, 0.1F),
                                                  kProbability3, {0, 0, 0}, one));  // 85.33
  // Scale ln 2: one step is a factor of two. 170.67 and 85.33.
  EXPECT_EQ((Quantized{43, -43}), run_unary(kBuiltinSoftmax, activation({1, 2}, 0.693147181F),
                                            kProbability2, {1, 0}, one));
  // beta 2 with half the scale is the same.
  EXPECT_EQ((Quantized{43, -43}), run_unary(kBuiltinSoftmax, activation({1, 2}, 0.3465735905F),
                                            kProbability2, {1, 0}, Softmax{2.0F}));
  // 1, 1/2, 1/4 of 1.75: 146.29, 73.14, 36.57.
  EXPECT_EQ((Quantized{18, -55, -91}), run_unary(kBuiltinSoftmax, activation({1, 3}, 0.693147181F),
                                                 kProbability3, {2, 1, 0}, one));
  EXPECT_EQ((Quantized{127, -128}),
            run_unary(kBuiltinSoftmax, activation({1, 2}, 1.0F), kProbability2, {127, -128}, one));
  EXPECT_EQ((Quantized{127}), run_unary(kBuiltinSoftmax, activation({1, 1}, 1.0F),
                                        activation({1, 1}, 1.0F / 256, -128), {3}, one));
}

TEST(SoftmaxOperator, WithinOneStepOfTheTruth) {
  for (const float scale : {0.01F, 0.0625F, 0.3F, 2.0F}) {
    for (uint32_t seed = 1; seed < 40; ++seed) {
      const auto input = lcg_bytes(seed, 36);
      const auto output = run_unary(kBuiltinSoftmax, activation({3, 12}, scale, 4),
                                    activation({3, 12}, 1.0F / 256, -128), input, Softmax{1.0F});
      ASSERT_EQ(36U, output.size());
      for (size_t row = 0; row < 3; ++row) {
        double sum = 0;
        for (size_t i = 0; i < 12; ++i) {
          sum += std::exp(static_cast<double>(scale) * input[row * 12 + i]);
        }
        for (size_t i = 0; i < 12; ++i) {
          const double p = std::exp(static_cast<double>(scale) * input[row * 12 + i]) / sum;
          EXPECT_NEAR(std::min(p * 256 - 128, 127.0), output[row * 12 + i], 1.0);
        }
      }
    }
  }
}

TEST(SoftmaxOperator, ExtremeScalesAndDepths) {
  EXPECT_EQ((std::vector<int8_t>{127, -128}), run_unary(kBuiltinSoftmax, activation({1, 2}, 1e30F),
                                                        kProbability2, {1, 0}, Softmax{1.0F}));
  const std::vector<int8_t> many(4095, 5);
  const auto output = run_unary(kBuiltinSoftmax, activation({1, 4095}, 0.1F),
                                activation({1, 4095}, 1.0F / 256, -128), many, Softmax{1.0F});
  EXPECT_EQ(std::vector<int8_t>(4095, -128), output);
}

}  // namespace
}  // namespace covey::testing
