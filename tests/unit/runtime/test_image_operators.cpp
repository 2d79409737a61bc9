// SPDX-License-Identifier: Apache-2.0
// Operators on images and element by element, against values worked out by hand. The many ways to
// use them are held against other runtimes in test_other_runtimes.cpp.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "tests/unit/runtime/loaded_model.hpp"
#include "tests/unit/runtime/network_builder.hpp"

namespace covey::testing {
namespace {

using V = std::vector<int8_t>;

struct OneOperator {
  int32_t builtin = kBuiltinConv2d;
  TensorSpec input = activation({1, 3, 3, 1});
  std::vector<TensorSpec> others = {};  // constants
  TensorSpec output = activation({1, 3, 3, 1});
  Options options = Window{};
  int32_t version = 1;

  Bytes bytes() const {
    TfliteBuilder b;
    std::vector<int32_t> inputs = {b.tensor(input)};
    for (const TensorSpec& spec : others) {
      inputs.push_back(b.tensor(spec));
    }
    const int32_t out = b.tensor(output);
    b.op(builtin, inputs, {out}, options, version);
    return b.finish({0}, {out});
  }
  int error() const { return LoadedModel(bytes()).error(); }
  V run(const V& values) const {
    LoadedModel model(bytes());
    EXPECT_EQ(0, model.error()) << covey_runtime_error_name(model.error());
    return model.error() == 0 ? model.run(values) : V();
  }
};

TensorSpec ones(std::vector<int32_t> shape, size_t count) {
  return weights(std::move(shape), {1.0F}, V(count, 1));
}

TEST(Conv2d, SamePaddingSumsWhatIsThere) {
  const OneOperator conv{.others = {ones({1, 3, 3, 1}, 9)}};
  EXPECT_EQ((V{12, 21, 16, 27, 45, 33, 24, 39, 28}), conv.run({1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(Conv2d, PaddingIsTheZeroPointNotZero) {
  OneOperator conv{.others = {ones({1, 3, 3, 1}, 9)}};
  conv.input = activation({1, 3, 3, 1}, 1.0F, 7);
  EXPECT_EQ(V(9, 0), conv.run(V(9, 7)));
}

TEST(Conv2d, ValidStrideDilationBias) {
  OneOperator conv{.others = {ones({1, 2, 2, 1}, 4), bias({100})},
                   .options = Window{.valid = 1, .dilation_rows = 2, .dilation_columns = 2}};
  conv.output = activation({1, 1, 1, 1});
  EXPECT_EQ((V{100 + 1 + 3 + 7 + 9}), conv.run({1, 2, 3, 4, 5, 6, 7, 8, 9}));
  conv.others[0] = ones({1, 1, 1, 1}, 1);
  conv.options = Window{.valid = 1, .stride_rows = 2, .stride_columns = 2};
  conv.output = activation({1, 2, 2, 1});
  EXPECT_EQ((V{101, 103, 107, 109}), conv.run({1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(Conv2d, AWindowThatLiesInThePaddingSeesNothing) {
  // One position; the taps are 5 apart and fall on both sides of it.
  OneOperator conv{.others = {ones({1, 2, 2, 1}, 4), bias({3})},
                   .options = Window{.dilation_rows = 5, .dilation_columns = 5}};
  conv.input = activation({1, 1, 1, 1});
  conv.output = activation({1, 1, 1, 1});
  EXPECT_EQ(V{3}, conv.run({50}));
}

TEST(Conv2d, GroupsSeeTheirChannels) {
  OneOperator conv{.others = {weights({2, 1, 1, 1}, {1.0F}, {2, 3})}};
  conv.input = activation({1, 1, 1, 2});
  conv.output = activation({1, 1, 1, 2});
  EXPECT_EQ((V{10, 21}), conv.run({5, 7}));
}

TEST(DepthwiseConv2d, CopiesOfAChannelAreNeighbours) {
  OneOperator conv{.builtin = kBuiltinDepthwiseConv2d,
                   .others = {weights({1, 1, 1, 4}, {1.0F}, {1, 2, 3, 4})},
                   .options = Window{.depth_multiplier = 2}};
  conv.input = activation({1, 1, 1, 2});
  conv.output = activation({1, 1, 1, 4});
  EXPECT_EQ((V{5, 10, 21, 28}), conv.run({5, 7}));
  conv.options = Window{.depth_multiplier = 1};  // some exporters write nonsense: TFLite ignores it
  EXPECT_EQ((V{5, 10, 21, 28}), conv.run({5, 7}));
}

TEST(Pools, PaddingDoesNotCount) {
  OneOperator pool{.builtin = kBuiltinAveragePool2d,
                   .options = Window{.kernel_rows = 3, .kernel_columns = 3}};
  EXPECT_EQ((V{3, 4, 4, 5, 5, 6, 6, 7, 7}), pool.run({1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ((V{-3, -4, -4, -5, -5, -6, -6, -7, -7}),
            pool.run({-1, -2, -3, -4, -5, -6, -7, -8, -9}));
  pool.builtin = kBuiltinMaxPool2d;
  EXPECT_EQ((V{-1, -1, -2, -1, -1, -2, -4, -4, -5}),
            pool.run({-1, -2, -3, -4, -5, -6, -7, -8, -9}));
}

TEST(Add, BroadcastsBothWays) {
  OneOperator add{.builtin = kBuiltinAdd, .options = Binary{}};
  add.input = activation({2, 1});
  add.others = {weights({1, 3}, {1.0F}, {10, 20, 30})};
  add.output = activation({2, 3});
  EXPECT_EQ((V{11, 21, 31, 12, 22, 32}), add.run({1, 2}));
  add.output = activation({2, 4});
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, add.error());
  add.others = {weights({2, 3}, {1.0F}, V(6, 1))};
  add.input = activation({3, 2});
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, add.error());
}

TEST(Add, RefusesScalesThatTfliteAbortsOn) {
  OneOperator add{.builtin = kBuiltinAdd, .options = Binary{}};
  add.others = {weights({1}, {1.0F}, {1})};
  add.output = activation({1, 3, 3, 1}, 1e-7F);
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, add.error());
}

TEST(Mul, ByHand) {
  OneOperator mul{.builtin = kBuiltinMul, .options = Binary{1}};
  mul.input = activation({4}, 0.5F, 1);
  mul.others = {weights({1}, {2.0F}, {4})};
  mul.others[0].zero_points = {2};
  mul.output = activation({4}, 1.0F, -100);
  EXPECT_EQ((V{-100, -100, -98, 90}), mul.run({-9, 1, 2, 96}));
}

// Five changes of pattern are more than there are dimensions after joining.
TEST(Broadcast, TooManyPatternsAreRefused) {
  OneOperator add{.builtin = kBuiltinAdd, .options = Binary{}};
  add.input = activation({2, 1, 2, 1, 2});
  add.others = {weights({1, 2, 1, 2, 1}, {1.0F}, V(4, 1))};
  add.output = activation({2, 2, 2, 2, 2});
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, add.error());
}

TEST(Pad, RefusesWhatDoesNotFit) {
  OneOperator pad{.builtin = kBuiltinPad, .options = {}};
  pad.input = activation({2}, 1.0F, 5);
  TensorSpec paddings = bias({1, 2}, {});
  paddings.shape = {1, 2};
  pad.others = {paddings};
  pad.output = activation({5}, 1.0F, 5);
  EXPECT_EQ((V{5, 8, 9, 5, 5}), pad.run({8, 9}));
  pad.output = activation({5}, 1.0F, 4);
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, pad.error());
  pad.output = activation({6}, 1.0F, 5);
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, pad.error());
  pad.output = activation({5}, 1.0F, 5);
  for (const std::vector<int32_t>& wrong :
       {std::vector<int32_t>{-1, 4}, {4, -1}, {INT32_MIN, 3}, {1, 2, 3}}) {
    pad.others[0] = bias(wrong, {});
    EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, pad.error());
  }
  pad.others[0] = activation({1, 2});
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, pad.error());  // read before anything wrote it
  pad.others.clear();
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, pad.error());
}

TEST(Mean, AxesTwiceAndFromTheEnd) {
  OneOperator mean{.builtin = kBuiltinMean, .options = Reducer{}};
  mean.input = activation({2, 4});
  mean.others = {bias({-1, 1}, {})};
  mean.output = activation({2});
  EXPECT_EQ((V{3, -3}), mean.run({1, 2, 3, 6, -1, -2, -3, -6}));
  for (const int32_t wrong : {2, -3, INT32_MIN}) {
    mean.others = {bias({wrong}, {})};
    EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, mean.error());
  }
  mean.others = {bias({0}, {})};
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, mean.error());  // that leaves four values
}

TEST(Logistic, WithinOneStepOfTheTruth) {
  V input;
  for (int i = -128; i < 128; ++i) {
    input.push_back(static_cast<int8_t>(i));
  }
  for (const float scale : {1e-5F, 0.01F, 0.0625F, 0.3F, 7.0F}) {
    OneOperator logistic{.builtin = kBuiltinLogistic, .options = {}};
    logistic.input = activation({256}, scale, 10);
    logistic.output = activation({256}, 1.0F / 256, -128);
    const V output = logistic.run(input);
    for (size_t i = 0; i < output.size(); ++i) {
      const double p = 1 / (1 + std::exp(-static_cast<double>(scale) * (input[i] - 10)));
      EXPECT_NEAR(std::min(p * 256 - 128, 127.0), output[i], 1.0) << scale << ", " << i;
    }
  }
  OneOperator wrong{.builtin = kBuiltinLogistic, .options = {}};
  wrong.output = activation({1, 3, 3, 1}, 1.0F / 256, -127);
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, wrong.error());
  wrong.output = activation({1, 3, 3, 1}, 1.0F / 256, -128);
  wrong.input = activation({1, 3, 3, 1}, 8.5F);
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, wrong.error());
  wrong.input = activation({1, 3, 3, 1}, 1e-9F);
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, wrong.error());
}

V bytes_of(const std::vector<float>& values) {
  V bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

TEST(Quantize, AnyFloat) {
  const std::vector<float> inputs = {0.0F,
                                     -0.0F,
                                     0.25F,
                                     -0.25F,
                                     0.24F,
                                     1e30F,
                                     -1e30F,
                                     std::numeric_limits<float>::infinity(),
                                     -std::numeric_limits<float>::infinity(),
                                     std::numeric_limits<float>::quiet_NaN(),
                                     std::numeric_limits<float>::denorm_min(),
                                     31.2F};
  OneOperator quantize{.builtin = kBuiltinQuantize, .options = {}};
  quantize.input = {.shape = {12}, .type = kTypeFloat32, .scales = {}, .zero_points = {}};
  quantize.output = activation({12}, 0.5F, 10);
  EXPECT_EQ((V{10, 10, 11, 9, 10, 127, -128, 127, -128, 10, 10, 72}),
            quantize.run(bytes_of(inputs)));
  const LoadedModel model(quantize.bytes());
  EXPECT_EQ(48U, model.format().input.size_bytes);
  EXPECT_EQ(0, model.format().input.multiplier);
  EXPECT_EQ(12U, model.format().output.size_bytes);
}

// A scale next to the least one there is, so that values below any normal float count.
TEST(Quantize, SubnormalsCount) {
  OneOperator quantize{.builtin = kBuiltinQuantize, .options = {}};
  quantize.input = {.shape = {2}, .type = kTypeFloat32, .scales = {}, .zero_points = {}};
  const float least = std::numeric_limits<float>::min();
  quantize.output = activation({2}, least, 0);
  EXPECT_EQ((V{1, 0}), quantize.run(bytes_of({least * 0.75F, least * 0.25F})));
}

TEST(Dequantize, EqualsTheProductOfFloats) {
  for (const float scale : {0.1F, 1.0F, 3e-38F, 0.0078125F, 1.1e36F, 3e38F, 0.3333333F}) {
    OneOperator dequantize{.builtin = kBuiltinDequantize, .options = {}};
    V input;
    std::vector<float> expected;
    for (int i = -128; i < 128; ++i) {
      input.push_back(static_cast<int8_t>(i));
      expected.push_back(static_cast<float>(static_cast<double>(scale) * (i - 100)));
    }
    dequantize.input = activation({256}, scale, 100);
    dequantize.output = {.shape = {256}, .type = kTypeFloat32, .scales = {}, .zero_points = {}};
    EXPECT_EQ(bytes_of(expected), dequantize.run(input)) << scale;
  }
}

TEST(Refusals, FloatIsNotForOtherOperators) {
  const TensorSpec floats{.shape = {4}, .type = kTypeFloat32, .scales = {}, .zero_points = {}};
  for (const int32_t builtin :
       {kBuiltinRelu, kBuiltinLogistic, kBuiltinReshape, kBuiltinDequantize, kBuiltinAdd}) {
    OneOperator op{.builtin = builtin, .options = {}};
    op.input = floats;
    op.output = activation({4});
    EXPECT_EQ(COVEY_RUNTIME_TENSOR_TYPE, op.error()) << builtin;
  }
  OneOperator quantize{.builtin = kBuiltinQuantize, .options = {}};
  quantize.input = floats;
  quantize.output = floats;
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_TYPE, quantize.error());
}

TEST(Refusals, Windows) {
  const OneOperator good{.others = {ones({1, 3, 3, 1}, 9)}};
  ASSERT_EQ(0, good.error());
  const auto with = [&](auto change) {
    OneOperator op = good;
    Window window;
    change(op, window);
    op.options = window;
    return op.error();
  };
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED,
            with([](OneOperator&, Window& w) { w.stride_rows = 0; }));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED,
            with([](OneOperator&, Window& w) { w.stride_columns = -1; }));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED,
            with([](OneOperator&, Window& w) { w.dilation_rows = INT32_MAX; }));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, with([](OneOperator&, Window& w) { w.valid = 2; }));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_UNSUPPORTED,
            with([](OneOperator&, Window& w) { w.activation = 4; }));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, with([](OneOperator&, Window& w) { w.valid = 1; }));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, with([](OneOperator& op, Window& w) {
              w.valid = 1;  // the kernel is greater than the image
              op.others = {ones({1, 4, 4, 1}, 16)};
            }));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, with([](OneOperator& op, Window&) {
              op.output = activation({2, 3, 3, 1});
            }));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, with([](OneOperator& op, Window&) {
              op.output = activation({1, 3, 3, 2});
            }));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE,
            with([](OneOperator& op, Window&) { op.input = activation({9}); }));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, with([](OneOperator& op, Window&) {
              op.others = {ones({1, 3, 3, 2}, 18)};  // more channels than the input has
            }));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, with([](OneOperator& op, Window&) {
              op.others = {ones({1, 1, 65537, 1}, 65537)};  // the accumulator could overflow
            }));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, with([](OneOperator& op, Window&) {
              op.others[0].scales = {1.0F, 1.0F, 1.0F};  // per channel, along the wrong dimension
              op.others[0].zero_points = {0, 0, 0};
              op.others[0].quantized_dimension = 1;
            }));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, with([](OneOperator& op, Window&) {
              op.others[0].scales = {1.0F, 1.0F};  // for two channels; there is one
              op.others[0].zero_points = {0, 0};
            }));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, with([](OneOperator& op, Window&) {
              op.others[0].scales = {};
              op.others[0].zero_points = {};
            }));
  OneOperator without = good;
  without.options = {};
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, without.error());
  without.options = Softmax{};
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, without.error());
}

TEST(Refusals, DepthwiseAndPools) {
  OneOperator depthwise{.builtin = kBuiltinDepthwiseConv2d, .others = {ones({1, 1, 1, 3}, 3)}};
  depthwise.input = activation({1, 3, 3, 2});
  depthwise.output = activation({1, 3, 3, 3});
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, depthwise.error());
  depthwise.input = activation({1, 3, 3, 1});
  EXPECT_EQ(0, depthwise.error());
  depthwise.options = Window{.depth_multiplier = 2};  // the shapes say 3, and hold
  EXPECT_EQ(0, depthwise.error());
  OneOperator pool{.builtin = kBuiltinMaxPool2d};
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, pool.error());  // no kernel
  pool.options = Window{.kernel_rows = 65535, .kernel_columns = 65535};
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, pool.error());
  pool.options = Window{.kernel_rows = 2, .kernel_columns = 2};
  pool.output = activation({1, 3, 3, 1}, 0.5F);
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, pool.error());
}

// Only shapes may be int32 on the way; values are refused wherever an operator would read them.
TEST(Refusals, ComputedIntegersThatWouldBeRead) {
  TfliteBuilder b;
  const int32_t in = b.tensor(activation({1, 4}));
  const int32_t shape =
      b.tensor({.shape = {2}, .type = kTypeInt32, .scales = {}, .zero_points = {}});
  const int32_t out = b.tensor(activation({1, 4}));
  b.op(kBuiltinShape, {in}, {shape}, ShapeArithmetic{});
  TfliteBuilder mean = b;
  mean.op(kBuiltinMean, {in, shape}, {out}, Reducer{});
  EXPECT_EQ(COVEY_RUNTIME_MODEL_UNSUPPORTED, LoadedModel(mean.finish({in}, {out})).error());
  TfliteBuilder dense = b;
  const int32_t w = dense.tensor(weights({4, 4}, {1.0F}, V(16, 1)));
  dense.op(kBuiltinFullyConnected, {in, w, shape}, {out}, FullyConnected{});
  EXPECT_EQ(COVEY_RUNTIME_MODEL_UNSUPPORTED, LoadedModel(dense.finish({in}, {out})).error());
  TfliteBuilder relu = b;
  relu.op(kBuiltinRelu, {shape}, {out});
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_TYPE, LoadedModel(relu.finish({in}, {out})).error());
  EXPECT_EQ(COVEY_RUNTIME_MODEL_CORRUPT, LoadedModel(b.finish({in}, {shape})).error());
  OneOperator pack{.builtin = kBuiltinPack, .options = ShapeArithmetic{}};
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_TYPE, pack.error());
}

// A window as large as the image, over a large image: minutes of work in a few hundred bytes.
TEST(Refusals, MoreWorkThanAllowed) {
  OneOperator pool{.builtin = kBuiltinMaxPool2d,
                   .options = Window{.kernel_rows = 2000, .kernel_columns = 2000}};
  pool.input = activation({1, 2000, 2000, 1});
  pool.output = activation({1, 2000, 2000, 1});
  EXPECT_EQ(COVEY_RUNTIME_MODEL_TOO_COMPLEX, pool.error());
  pool.options = Window{.kernel_rows = 20, .kernel_columns = 20};
  EXPECT_EQ(0, pool.error());
}

}  // namespace
}  // namespace covey::testing
