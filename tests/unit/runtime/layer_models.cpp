// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/layer_models.hpp"

#include <functional>
#include <set>
#include <string>
#include <utility>

#include "tests/unit/runtime/fnv1a32.hpp"
#include "tests/unit/runtime/network_builder.hpp"

namespace covey::testing {
namespace {

constexpr int8_t kRelu = 1;
constexpr int8_t kReluN1To1 = 2;
constexpr int8_t kRelu6 = 3;

// A model of one operator.
class Layers {
 public:
  void add(const std::string& name, std::vector<int32_t> shape,
           const std::function<Flow(NetworkBuilder&, const Flow&)>& layer) {
    NetworkBuilder b(name, fnv1a32(name));  // so that a new one changes none
    const Flow in = b.input(std::move(shape));
    const Flow out = layer(b, in);
    models_.push_back(b.finish(in, out));
  }
  void conv(const std::string& name, std::vector<int32_t> shape, const Conv& spec) {
    add("conv_" + name, std::move(shape),
        [&](NetworkBuilder& b, const Flow& in) { return b.conv(in, spec); });
  }
  void depthwise(const std::string& name, std::vector<int32_t> shape, const Conv& spec) {
    add("depthwise_" + name, std::move(shape),
        [&](NetworkBuilder& b, const Flow& in) { return b.depthwise(in, spec); });
  }
  void pool(const std::string& name, std::vector<int32_t> shape, const Window& window) {
    for (const int32_t builtin : {kBuiltinAveragePool2d, kBuiltinMaxPool2d}) {
      add((builtin == kBuiltinMaxPool2d ? "max_pool_" : "average_pool_") + name, shape,
          [&](NetworkBuilder& b, const Flow& in) { return b.pool(in, builtin, window); });
    }
  }
  // The other operand is a constant of `other`.
  void binary(const std::string& name, std::vector<int32_t> shape, std::vector<int32_t> other,
              int8_t activation = 0, bool swapped = false) {
    for (const int32_t builtin : {kBuiltinAdd, kBuiltinMul}) {
      add((builtin == kBuiltinAdd ? "add_" : "mul_") + name, shape,
          [&](NetworkBuilder& b, const Flow& in) {
            const Flow constant = b.constant(other, 0.037F, -9);
            const Flow& first = swapped ? constant : in;
            const Flow& second = swapped ? in : constant;
            return b.binary(builtin, first, second, activation,
                            builtin == kBuiltinAdd ? 0.061F : 0.17F, 11);
          });
    }
  }
  void mean(const std::string& name, std::vector<int32_t> shape, const std::vector<int32_t>& axes,
            std::vector<int32_t> to, float scale = 0.021F, int32_t zero_point = -7) {
    add("mean_" + name, std::move(shape),
        [&](NetworkBuilder& b, const Flow& in) { return b.mean(in, axes, to, scale, zero_point); });
  }
  void pad(const std::string& name, std::vector<int32_t> shape,
           const std::vector<int32_t>& before_and_after) {
    add("pad_" + name, std::move(shape),
        [&](NetworkBuilder& b, const Flow& in) { return b.pad(in, before_and_after); });
  }

  std::vector<NamedModel> take() { return std::move(models_); }

 private:
  std::vector<NamedModel> models_;
};

void add_convolutions(Layers& l) {
  l.conv("pointwise", {1, 3, 4, 5}, {.channels = 6});
  l.conv("same", {1, 5, 6, 3},
         {.channels = 4, .kernel_rows = 3, .kernel_columns = 3, .window = {.activation = kRelu}});
  l.conv("valid", {1, 6, 5, 2},
         {.channels = 3, .kernel_rows = 3, .kernel_columns = 3, .window = {.valid = 1}});
  l.conv("stride_2_same", {1, 7, 8, 2},
         {.channels = 3,
          .kernel_rows = 3,
          .kernel_columns = 3,
          .window = {.stride_rows = 2, .stride_columns = 2, .activation = kRelu6}});
  l.conv("stride_1_by_3_valid", {1, 4, 9, 2},
         {.channels = 3,
          .kernel_rows = 2,
          .kernel_columns = 4,
          .window = {.valid = 1, .stride_columns = 3}});
  l.conv("tall_kernel", {1, 12, 4, 1},
         {.channels = 4,
          .kernel_rows = 10,
          .kernel_columns = 4,
          .window = {.stride_rows = 2, .stride_columns = 2}});
  l.conv("dilation_2_by_1", {1, 8, 6, 2},
         {.channels = 3, .kernel_rows = 3, .kernel_columns = 2, .window = {.dilation_rows = 2}});
  l.conv("dilation_2_by_3_valid", {1, 7, 9, 2},
         {.channels = 2,
          .kernel_rows = 3,
          .kernel_columns = 3,
          .window = {.valid = 1, .dilation_rows = 2, .dilation_columns = 3}});
  l.conv("per_tensor", {1, 4, 4, 3},
         {.channels = 4,
          .kernel_rows = 2,
          .kernel_columns = 2,
          .window = {.activation = kReluN1To1},
          .per_channel = false});
  l.conv("without_bias", {1, 4, 4, 3}, {.channels = 4, .kernel_rows = 3, .with_bias = false});
  l.conv("two_batches", {2, 4, 3, 3}, {.channels = 2, .kernel_rows = 3, .kernel_columns = 3});
  l.conv("two_groups", {1, 4, 4, 6},
         {.channels = 4, .kernel_rows = 2, .kernel_columns = 2, .groups = 2});
  l.depthwise(
      "same", {1, 5, 6, 5},
      {.channels = 5, .kernel_rows = 3, .kernel_columns = 3, .window = {.activation = kRelu}});
  l.depthwise("many_channels", {1, 3, 3, 40},
              {.channels = 40, .kernel_rows = 3, .kernel_columns = 3, .window = {.valid = 1}});
  l.depthwise("stride_2", {1, 8, 7, 3},
              {.channels = 3,
               .kernel_rows = 3,
               .kernel_columns = 3,
               .window = {.stride_rows = 2, .stride_columns = 2, .activation = kRelu6}});
  l.depthwise("multiplier_3", {1, 4, 5, 2}, {.channels = 6, .kernel_rows = 3, .kernel_columns = 2});
  l.depthwise("multiplier_of_one_channel", {1, 9, 6, 1},
              {.channels = 8,
               .kernel_rows = 5,
               .kernel_columns = 4,
               .window = {.stride_rows = 2, .stride_columns = 2}});
  l.depthwise("dilation", {1, 7, 8, 4},
              {.channels = 4,
               .kernel_rows = 3,
               .kernel_columns = 3,
               .window = {.dilation_rows = 2, .dilation_columns = 2}});
  l.depthwise("per_tensor", {1, 4, 4, 4},
              {.channels = 4, .kernel_rows = 2, .kernel_columns = 3, .per_channel = false});
}

void add_dense(Layers& l) {
  l.add("dense_per_tensor", {2, 24},
        [](NetworkBuilder& b, const Flow& in) { return b.dense(in, 20, kRelu); });
  l.add("dense_per_channel", {1, 40},
        [](NetworkBuilder& b, const Flow& in) { return b.dense(in, 32, 0, true); });
  l.add("flatten_dense", {1, 3, 3, 4},
        [](NetworkBuilder& b, const Flow& in) { return b.dense(b.flatten(in), 8); });
  l.add("dense_without_bias", {1, 16},
        [](NetworkBuilder& b, const Flow& in) { return b.dense(in, 24, kRelu6, false, false); });
}

void add_pools_and_reductions(Layers& l) {
  l.pool(
      "2_by_2", {1, 6, 4, 5},
      {.valid = 1, .stride_rows = 2, .stride_columns = 2, .kernel_rows = 2, .kernel_columns = 2});
  l.pool("3_by_2_same", {1, 5, 5, 3},
         {.stride_rows = 2, .kernel_rows = 3, .kernel_columns = 2, .activation = kRelu});
  l.pool("global", {1, 5, 4, 40}, {.valid = 1, .kernel_rows = 5, .kernel_columns = 4});
  l.mean("rows_and_columns", {1, 5, 4, 9}, {1, 2}, {1, 1, 1, 9});
  l.mean("dropped_dimensions", {2, 3, 5, 4}, {2, 1}, {2, 4});
  l.mean("same_quantization", {1, 6, 7, 5}, {1, 2}, {1, 5}, 0.05F, 3);
  l.mean("last_axis", {3, 4, 6}, {-1}, {3, 4});
  l.mean("everything", {1, 3, 3, 7}, {0, 1, 2, 3}, {1, 1, 1, 1});
  l.pad("image", {1, 3, 4, 3}, {0, 0, 1, 2, 2, 1, 0, 0});
  l.pad("channels_and_batch", {1, 2, 2, 3}, {1, 0, 0, 0, 0, 1, 2, 1});
  l.pad("vector", {5}, {3, 4});
}

void add_elementwise(Layers& l) {
  l.binary("same_shape", {1, 4, 4, 5}, {1, 4, 4, 5});
  l.binary("channel", {1, 4, 4, 5}, {5}, kRelu);
  l.binary("pixel", {1, 4, 4, 5}, {1, 4, 4, 1}, kRelu6);
  l.binary("outer", {3, 1, 4, 1}, {2, 1, 5});
  l.binary("scalar_first", {2, 11}, {1}, kReluN1To1, true);
  l.add("add_of_two_branches", {1, 4, 4, 4}, [](NetworkBuilder& b, const Flow& in) {
    const Flow branch = b.conv(in, {.channels = 4, .kernel_rows = 3, .kernel_columns = 3});
    return b.binary(kBuiltinAdd, branch, in, kRelu, 0.09F, -128);
  });
  l.add("mul_by_itself", {1, 4, 4, 4}, [](NetworkBuilder& b, const Flow& in) {
    return b.binary(kBuiltinMul, in, in, 0, 0.11F, -128);
  });
  l.add("logistic", {1, 128}, [](NetworkBuilder& b, const Flow& in) {
    return b.unary(kBuiltinLogistic, in, 1.0F / 256, -128);
  });
  l.add("softmax", {4, 12}, [](NetworkBuilder& b, const Flow& in) { return b.softmax(in); });
  l.add("softmax_beta", {2, 30},
        [](NetworkBuilder& b, const Flow& in) { return b.softmax(in, 0.4F); });
  l.add("relu", {1, 64},
        [](NetworkBuilder& b, const Flow& in) { return b.unary(kBuiltinRelu, in, 0.031F, -128); });
  l.add("relu6", {1, 64},
        [](NetworkBuilder& b, const Flow& in) { return b.unary(kBuiltinRelu6, in, 0.05F, 3); });
  l.add("relu_n1_to_1", {1, 64},
        [](NetworkBuilder& b, const Flow& in) { return b.unary(kBuiltinReluN1To1, in, 0.05F, 3); });
  l.add("quantize_down", {1, 100}, [](NetworkBuilder& b, const Flow& in) {
    return b.unary(kBuiltinQuantize, in, 0.083F, -17);
  });
  l.add("quantize_up", {1, 100}, [](NetworkBuilder& b, const Flow& in) {
    return b.unary(kBuiltinQuantize, in, 0.0229F, 40);
  });
  l.add("dequantize", {1, 50}, [](NetworkBuilder& b, const Flow& in) { return b.dequantize(in); });
}

NamedModel float_ends() {
  NetworkBuilder b("quantize_float_dense_dequantize", 991);
  const Flow in = b.float_input({1, 24});
  Flow q = b.unary(kBuiltinQuantize, in, 0.043F, -12);
  q.spread = 74;
  const Flow out = b.dequantize(b.dense(q, 12));
  return b.finish(in, out);
}

// Flat enough that every output says something.
Flow probabilities(NetworkBuilder& b, const Flow& logits) {
  return b.softmax(logits, 0.04F / logits.scale);
}

NamedModel keyword_spotting() {
  NetworkBuilder b("keyword_spotting", 1);
  const Flow in = b.input({1, 49, 10, 1});
  Flow x = b.conv(in, {.channels = 64,
                       .kernel_rows = 10,
                       .kernel_columns = 4,
                       .window = {.stride_rows = 2, .stride_columns = 2, .activation = kRelu}});
  for (int block = 0; block < 4; ++block) {
    x = b.depthwise(
        x,
        {.channels = 64, .kernel_rows = 3, .kernel_columns = 3, .window = {.activation = kRelu}});
    x = b.conv(x, {.channels = 64, .window = {.activation = kRelu}});
  }
  x = b.pool(
      x, kBuiltinAveragePool2d,
      {.valid = 1, .stride_rows = 25, .stride_columns = 5, .kernel_rows = 25, .kernel_columns = 5});
  return b.finish(in, probabilities(b, b.dense(b.reshape(x, {1, 64}), 12)));
}

NamedModel image_classification() {
  NetworkBuilder b("image_classification", 2);
  const Flow in = b.input({1, 32, 32, 3}, 0.0078F, -1);
  const auto conv3 = [&](const Flow& from, int32_t channels, int32_t stride, int8_t activation) {
    return b.conv(
        from,
        {.channels = channels,
         .kernel_rows = 3,
         .kernel_columns = 3,
         .window = {.stride_rows = stride, .stride_columns = stride, .activation = activation}});
  };
  Flow x = conv3(in, 16, 1, kRelu);
  for (const int32_t channels : {16, 32, 64}) {
    const int32_t stride = channels == 16 ? 1 : 2;
    const Flow y = conv3(conv3(x, channels, stride, kRelu), channels, 1, 0);
    if (stride != 1) {
      x = b.conv(
          x, {.channels = channels, .window = {.stride_rows = stride, .stride_columns = stride}});
    }
    x = b.binary(kBuiltinAdd, x, y, kRelu, (x.scale > y.scale ? x.scale : y.scale) * 0.9F, -128);
    x.spread = 56;
  }
  x = b.pool(
      x, kBuiltinAveragePool2d,
      {.valid = 1, .stride_rows = 8, .stride_columns = 8, .kernel_rows = 8, .kernel_columns = 8});
  return b.finish(in, probabilities(b, b.dense(b.reshape(x, {1, 64}), 10)));
}

NamedModel visual_wake_words() {
  NetworkBuilder b("visual_wake_words", 3);
  const Flow in = b.input({1, 96, 96, 3}, 0.0078F, -1);
  Flow x = b.conv(in, {.channels = 8,
                       .kernel_rows = 3,
                       .kernel_columns = 3,
                       .window = {.stride_rows = 2, .stride_columns = 2, .activation = kRelu}});
  const std::pair<int32_t, int32_t> blocks[] = {{16, 1},  {32, 2},  {32, 1},  {64, 2},  {64, 1},
                                                {128, 2}, {128, 1}, {128, 1}, {128, 1}, {128, 1},
                                                {128, 1}, {256, 2}, {256, 1}};
  for (const auto& [channels, stride] : blocks) {
    x = b.depthwise(
        x, {.channels = x.shape[3],
            .kernel_rows = 3,
            .kernel_columns = 3,
            .window = {.stride_rows = stride, .stride_columns = stride, .activation = kRelu}});
    x = b.conv(x, {.channels = channels, .window = {.activation = kRelu}});
  }
  x = b.pool(
      x, kBuiltinAveragePool2d,
      {.valid = 1, .stride_rows = 3, .stride_columns = 3, .kernel_rows = 3, .kernel_columns = 3});
  return b.finish(in, probabilities(b, b.dense(b.reshape(x, {1, 256}), 2)));
}

NamedModel anomaly_detection() {
  NetworkBuilder b("anomaly_detection", 4);
  const Flow in = b.input({1, 640}, 0.39F, 90);
  Flow x = in;
  for (const int32_t channels : {128, 128, 128, 128, 8, 128, 128, 128, 128}) {
    x = b.dense(x, channels, kRelu);
  }
  return b.finish(in, b.dense(x, 640));
}

}  // namespace

std::vector<NamedModel> layer_models() {
  Layers layers;
  add_convolutions(layers);
  add_dense(layers);
  add_pools_and_reductions(layers);
  add_elementwise(layers);
  std::vector<NamedModel> models = layers.take();
  models.push_back(float_ends());
  return models;
}

std::vector<NamedModel> operator_models() {
  const std::set<std::string> wanted = {"conv_two_groups",
                                        "depthwise_multiplier_3",
                                        "average_pool_3_by_2_same",
                                        "max_pool_2_by_2",
                                        "mean_dropped_dimensions",
                                        "pad_channels_and_batch",
                                        "add_pixel",
                                        "mul_outer",
                                        "logistic",
                                        "quantize_down",
                                        "quantize_float_dense_dequantize",
                                        "flatten_dense"};
  std::vector<NamedModel> models = sample_models();
  for (NamedModel& model : layer_models()) {
    if (wanted.count(model.name) == 1) {
      models.push_back(std::move(model));
    }
  }
  return models;
}

std::vector<NamedModel> network_models() {
  return {keyword_spotting(), image_classification(), visual_wake_words(), anomaly_detection()};
}

}  // namespace covey::testing
