// SPDX-License-Identifier: Apache-2.0
// Stacks layers with weights from a generator and scales that keep values in the middle of int8.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tests/unit/runtime/tflite_builder.hpp"

namespace covey::testing {

// An activation on the way through a network.
struct Flow {
  int32_t tensor = 0;
  std::vector<int32_t> shape;
  float scale = 0;
  int32_t zero_point = 0;
  float spread = 0;  // of q - zero_point, roughly
};

struct Conv {
  int32_t channels = 0;  // of the output; of a depthwise one: input channels times multiplier
  int32_t kernel_rows = 1;
  int32_t kernel_columns = 1;
  Window window = {};
  bool per_channel = true;
  int32_t groups = 1;
  bool with_bias = true;
};

class NetworkBuilder {
 public:
  NetworkBuilder(std::string name, uint32_t seed) : name_(std::move(name)), seed_(seed) {}

  Flow input(std::vector<int32_t> shape, float scale = 0.05F, int32_t zero_point = 3);
  Flow conv(const Flow& in, const Conv& spec);
  Flow depthwise(const Flow& in, Conv spec);
  Flow dense(const Flow& in, int32_t channels, int8_t activation = 0, bool per_channel = false,
             bool with_bias = true);
  Flow pool(const Flow& in, int32_t builtin, const Window& window);
  Flow binary(int32_t builtin, const Flow& a, const Flow& b, int8_t activation, float scale,
              int32_t zero_point);
  Flow reshape(const Flow& in, std::vector<int32_t> shape);
  // What converters write for Keras' Flatten: the batch from SHAPE, the rest a constant.
  Flow flatten(const Flow& in);
  Flow pad(const Flow& in, const std::vector<int32_t>& before_and_after);
  Flow mean(const Flow& in, const std::vector<int32_t>& axes, std::vector<int32_t> shape,
            float scale, int32_t zero_point);
  // Operators that keep the shape and have neither options nor weights.
  Flow unary(int32_t builtin, const Flow& in, float scale, int32_t zero_point);
  Flow softmax(const Flow& in, float beta = 1.0F);
  Flow constant(std::vector<int32_t> shape, float scale, int32_t zero_point);
  Flow float_input(std::vector<int32_t> shape);
  Flow dequantize(const Flow& in);

  NamedModel finish(const Flow& in, const Flow& out);

 private:
  struct Scales {
    std::vector<float> of_weights;
    std::vector<float> of_bias;
    float of_output = 0;
    int32_t zero_point = 0;
    float spread = 0;
  };
  Scales scales(const Flow& in, int32_t channels, int32_t taps, bool per_channel,
                int8_t activation);
  Flow weighted(int32_t builtin, const Flow& in, std::vector<int32_t> weight_shape,
                int32_t channel_dimension, std::vector<int32_t> shape, const Options& options,
                const Conv& spec);
  Flow output(std::vector<int32_t> shape, float scale, int32_t zero_point, float spread);
  std::vector<int8_t> bytes(size_t count);

  std::string name_;
  uint32_t seed_;
  TfliteBuilder builder_;
};

}  // namespace covey::testing
