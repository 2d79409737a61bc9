// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/network_builder.hpp"

#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

namespace covey::testing {
namespace {

constexpr float kUniformSpread = 74;  // standard deviation of a uniform int8
constexpr int8_t kActivationRelu = 1;
constexpr int8_t kActivationRelu6 = 3;

int32_t product(const std::vector<int32_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), 1, std::multiplies<>());
}

int32_t window_output(int32_t input, int32_t kernel, int32_t stride, int32_t dilation, bool valid) {
  const int32_t reach = (kernel - 1) * dilation + 1;
  return valid ? (input - reach) / stride + 1 : (input + stride - 1) / stride;
}

std::vector<int32_t> image(const Flow& in, int32_t kernel_rows, int32_t kernel_columns,
                           const Window& window, int32_t channels) {
  return {in.shape[0],
          window_output(in.shape[1], kernel_rows, window.stride_rows, window.dilation_rows,
                        window.valid != 0),
          window_output(in.shape[2], kernel_columns, window.stride_columns, window.dilation_columns,
                        window.valid != 0),
          channels};
}

}  // namespace

std::vector<int8_t> NetworkBuilder::bytes(size_t count) {
  seed_ = seed_ * 2654435761U + 12345U;
  return lcg_bytes(seed_, count);
}

Flow NetworkBuilder::output(std::vector<int32_t> shape, float scale, int32_t zero_point,
                            float spread) {
  const int32_t tensor = builder_.tensor(activation(shape, scale, zero_point));
  return {tensor, std::move(shape), scale, zero_point, spread};
}

Flow NetworkBuilder::input(std::vector<int32_t> shape, float scale, int32_t zero_point) {
  return output(std::move(shape), scale, zero_point, kUniformSpread);
}

NetworkBuilder::Scales NetworkBuilder::scales(const Flow& in, int32_t channels, int32_t taps,
                                              bool per_channel, int8_t activation) {
  constexpr float kWeightScale = 0.0078125F;
  Scales out;
  const auto varied = bytes(static_cast<size_t>(channels));
  const size_t count = per_channel ? static_cast<size_t>(channels) : 1;
  for (size_t i = 0; i < count; ++i) {
    // 1 to 2 times the same; a step that is no power of two, so that rounding matters.
    out.of_weights.push_back(kWeightScale *
                             (1.0F + static_cast<float>((varied[i] & 127)) * 0.0071F));
    out.of_bias.push_back(in.scale * out.of_weights.back());
  }
  const bool positive = activation == kActivationRelu || activation == kActivationRelu6;
  out.zero_point = positive ? -128 : -5;
  out.spread = positive ? 56 : 40;
  const float sum_spread = in.spread * kUniformSpread * std::sqrt(static_cast<float>(taps));
  out.of_output = in.scale * out.of_weights[0] * 1.3F * sum_spread / (positive ? 80.0F : 40.0F);
  return out;
}

Flow NetworkBuilder::weighted(int32_t builtin, const Flow& in, std::vector<int32_t> weight_shape,
                              int32_t channel_dimension, std::vector<int32_t> shape,
                              const Options& options, const Conv& spec) {
  const int32_t weights_count = product(weight_shape);
  const int32_t taps = weights_count / spec.channels;
  const Scales s = scales(in, spec.channels, taps, spec.per_channel, spec.window.activation);
  TensorSpec w =
      weights(std::move(weight_shape), s.of_weights, bytes(static_cast<size_t>(weights_count)));
  w.quantized_dimension = channel_dimension;
  const int32_t weight_tensor = builder_.tensor(std::move(w));
  int32_t bias_tensor = -1;
  if (spec.with_bias) {
    std::vector<int32_t> values;
    for (const int8_t value : bytes(static_cast<size_t>(spec.channels))) {
      values.push_back(value * static_cast<int32_t>(std::sqrt(static_cast<float>(taps)) * 20));
    }
    bias_tensor = builder_.tensor(bias(values, s.of_bias));
  }
  Flow out = output(std::move(shape), s.of_output, s.zero_point, s.spread);
  std::vector<int32_t> inputs = {in.tensor, weight_tensor};
  if (spec.with_bias) {
    inputs.push_back(bias_tensor);
  }
  builder_.op(builtin, inputs, {out.tensor}, options, 3);
  return out;
}

Flow NetworkBuilder::conv(const Flow& in, const Conv& spec) {
  return weighted(kBuiltinConv2d, in,
                  {spec.channels, spec.kernel_rows, spec.kernel_columns, in.shape[3] / spec.groups},
                  0, image(in, spec.kernel_rows, spec.kernel_columns, spec.window, spec.channels),
                  spec.window, spec);
}

Flow NetworkBuilder::depthwise(const Flow& in, Conv spec) {
  spec.window.depth_multiplier = spec.channels / in.shape[3];
  return weighted(kBuiltinDepthwiseConv2d, in,
                  {1, spec.kernel_rows, spec.kernel_columns, spec.channels}, 3,
                  image(in, spec.kernel_rows, spec.kernel_columns, spec.window, spec.channels),
                  spec.window, spec);
}

Flow NetworkBuilder::dense(const Flow& in, int32_t channels, int8_t activation_function,
                           bool per_channel, bool with_bias) {
  const Conv spec{.channels = channels,
                  .window = {.activation = activation_function},
                  .per_channel = per_channel,
                  .with_bias = with_bias};
  return weighted(kBuiltinFullyConnected, in, {channels, in.shape.back()}, 0,
                  {in.shape[0], channels}, FullyConnected{activation_function}, spec);
}

Flow NetworkBuilder::pool(const Flow& in, int32_t builtin, const Window& window) {
  Flow out = output(image(in, window.kernel_rows, window.kernel_columns, window, in.shape[3]),
                    in.scale, in.zero_point, in.spread);
  builder_.op(builtin, {in.tensor}, {out.tensor}, window, 2);
  return out;
}

Flow NetworkBuilder::binary(int32_t builtin, const Flow& a, const Flow& b, int8_t activation,
                            float scale, int32_t zero_point) {
  const bool a_larger = a.shape.size() >= b.shape.size();
  std::vector<int32_t> shape = a_larger ? a.shape : b.shape;
  const std::vector<int32_t>& other = a_larger ? b.shape : a.shape;
  for (size_t i = 0; i < other.size(); ++i) {
    int32_t& dim = shape[shape.size() - other.size() + i];
    dim = std::max(dim, other[i]);
  }
  Flow out = output(std::move(shape), scale, zero_point, 40);
  builder_.op(builtin, {a.tensor, b.tensor}, {out.tensor}, Binary{activation}, 2);
  return out;
}

Flow NetworkBuilder::reshape(const Flow& in, std::vector<int32_t> shape) {
  const int32_t shape_tensor = builder_.tensor(bias(shape, {}));
  Flow out = output(std::move(shape), in.scale, in.zero_point, in.spread);
  builder_.op(kBuiltinReshape, {in.tensor, shape_tensor}, {out.tensor});
  return out;
}

Flow NetworkBuilder::flatten(const Flow& in) {
  const int32_t batch = in.shape[0];
  const int32_t rest = product(in.shape) / batch;
  const auto computed = [&](std::vector<int32_t> shape) {
    return builder_.tensor(
        {.shape = std::move(shape), .type = kTypeInt32, .scales = {}, .zero_points = {}});
  };
  const int32_t shape = computed({static_cast<int32_t>(in.shape.size())});
  const int32_t first = computed({});
  const int32_t packed = computed({2});
  TensorSpec scalar = bias({rest}, {});
  scalar.shape = {};
  builder_.op(kBuiltinShape, {in.tensor}, {shape}, ShapeArithmetic{});
  const int32_t begin = builder_.tensor(bias({0}, {}));
  const int32_t end = builder_.tensor(bias({1}, {}));
  const int32_t stride = builder_.tensor(bias({1}, {}));
  builder_.op(kBuiltinStridedSlice, {shape, begin, end, stride}, {first}, ShapeArithmetic{});
  builder_.op(kBuiltinPack, {first, builder_.tensor(std::move(scalar))}, {packed},
              ShapeArithmetic{});
  Flow out = output({batch, rest}, in.scale, in.zero_point, in.spread);
  builder_.op(kBuiltinReshape, {in.tensor, packed}, {out.tensor});
  return out;
}

Flow NetworkBuilder::pad(const Flow& in, const std::vector<int32_t>& before_and_after) {
  TensorSpec paddings = bias(before_and_after, {});
  paddings.shape = {static_cast<int32_t>(in.shape.size()), 2};
  const int32_t paddings_tensor = builder_.tensor(std::move(paddings));
  std::vector<int32_t> shape = in.shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    shape[i] += before_and_after[2 * i] + before_and_after[2 * i + 1];
  }
  Flow out = output(std::move(shape), in.scale, in.zero_point, in.spread);
  builder_.op(kBuiltinPad, {in.tensor, paddings_tensor}, {out.tensor}, {}, 2);
  return out;
}

Flow NetworkBuilder::mean(const Flow& in, const std::vector<int32_t>& axes,
                          std::vector<int32_t> shape, float scale, int32_t zero_point) {
  const int32_t axes_tensor = builder_.tensor(bias(axes, {}));
  Flow out = output(std::move(shape), scale, zero_point, 40);
  const bool keeps = out.shape.size() == in.shape.size();
  builder_.op(kBuiltinMean, {in.tensor, axes_tensor}, {out.tensor}, Reducer{keeps}, 2);
  return out;
}

Flow NetworkBuilder::unary(int32_t builtin, const Flow& in, float scale, int32_t zero_point) {
  Flow out = output(in.shape, scale, zero_point, 40);
  builder_.op(builtin, {in.tensor}, {out.tensor});
  return out;
}

Flow NetworkBuilder::softmax(const Flow& in, float beta) {
  Flow out = output(in.shape, 1.0F / 256, -128, 40);
  builder_.op(kBuiltinSoftmax, {in.tensor}, {out.tensor}, Softmax{beta}, 2);
  return out;
}

Flow NetworkBuilder::constant(std::vector<int32_t> shape, float scale, int32_t zero_point) {
  TensorSpec spec = weights(shape, {scale}, bytes(static_cast<size_t>(product(shape))));
  spec.zero_points = {zero_point};
  const int32_t tensor = builder_.tensor(std::move(spec));
  return {tensor, std::move(shape), scale, zero_point, kUniformSpread};
}

Flow NetworkBuilder::float_input(std::vector<int32_t> shape) {
  TensorSpec spec{.shape = shape, .type = kTypeFloat32, .scales = {}, .zero_points = {}};
  const int32_t tensor = builder_.tensor(std::move(spec));
  return {tensor, std::move(shape), 0, 0, kUniformSpread};
}

Flow NetworkBuilder::dequantize(const Flow& in) {
  const Flow out = float_input(in.shape);
  builder_.op(kBuiltinDequantize, {in.tensor}, {out.tensor}, {}, 2);
  return out;
}

NamedModel NetworkBuilder::finish(const Flow& in, const Flow& out) {
  return {name_, builder_.finish({in.tensor}, {out.tensor})};
}

}  // namespace covey::testing
