// SPDX-License-Identifier: Apache-2.0
// Writes small .tflite files for tests, with FlatBuffers and Covey's subset of the schema.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/digest.hpp"

namespace covey::testing {

// Numbers of the public schema.
enum : int32_t {
  kBuiltinAdd = 0,
  kBuiltinAveragePool2d = 1,
  kBuiltinConcatenation = 2,
  kBuiltinConv2d = 3,
  kBuiltinDepthwiseConv2d = 4,
  kBuiltinDequantize = 6,
  kBuiltinFullyConnected = 9,
  kBuiltinLogistic = 14,
  kBuiltinMaxPool2d = 17,
  kBuiltinMul = 18,
  kBuiltinRelu = 19,
  kBuiltinReluN1To1 = 20,
  kBuiltinRelu6 = 21,
  kBuiltinReshape = 22,
  kBuiltinSoftmax = 25,
  kBuiltinCustom = 32,
  kBuiltinPad = 34,
  kBuiltinMean = 40,
  kBuiltinStridedSlice = 45,
  kBuiltinShape = 77,
  kBuiltinPack = 83,
  kBuiltinQuantize = 114,
};
enum : int8_t { kTypeFloat32 = 0, kTypeInt32 = 2, kTypeInt8 = 9 };

struct TensorSpec {
  std::vector<int32_t> shape;
  int8_t type = kTypeInt8;
  std::vector<float> scales = {1.0F};  // empty: no quantisation
  std::vector<int64_t> zero_points = {0};
  Bytes data = {};  // empty: an activation
  int32_t quantized_dimension = 0;
  std::string name = "t";
  bool is_variable = false;
};
TensorSpec activation(std::vector<int32_t> shape, float scale = 1.0F, int64_t zero_point = 0);
TensorSpec weights(std::vector<int32_t> shape, std::vector<float> scales,
                   const std::vector<int8_t>& values);
// Int32 constants; a bias has a scale for all values or one for each.
TensorSpec bias(const std::vector<int32_t>& values, std::vector<float> scales = {1.0F});

struct FullyConnected {
  int8_t activation = 0;
  int8_t weights_format = 0;
};
struct Softmax {
  float beta = 1.0F;
};
// Convolutions and pools.
struct Window {
  int8_t valid = 0;  // else SAME
  int32_t stride_rows = 1;
  int32_t stride_columns = 1;
  int32_t dilation_rows = 1;
  int32_t dilation_columns = 1;
  int32_t kernel_rows = 0;  // of a pool
  int32_t kernel_columns = 0;
  int32_t depth_multiplier = 0;
  int8_t activation = 0;
};
struct Binary {  // ADD and MUL
  int8_t activation = 0;
};
struct Reducer {  // MEAN
  bool keep_dims = false;
};
struct ShapeArithmetic {};  // SHAPE, the first element by STRIDED_SLICE, PACK of two
using Options =
    std::variant<std::monostate, FullyConnected, Softmax, Window, Binary, Reducer, ShapeArithmetic>;

class TfliteBuilder {
 public:
  int32_t tensor(TensorSpec spec);
  void op(int32_t builtin, std::vector<int32_t> inputs, std::vector<int32_t> outputs,
          Options options = {}, int32_t version = 1, std::string custom = "");
  // A fully connected layer with random weights and a bias; returns its output.
  int32_t dense(int32_t input, int32_t inputs, int32_t outputs, uint32_t seed,
                int8_t activation = 0);
  Bytes finish(std::vector<int32_t> inputs, std::vector<int32_t> outputs) const;

  uint32_t schema_version = 3;
  uint32_t subgraphs = 1;

 private:
  struct Op {
    int32_t builtin;
    std::vector<int32_t> inputs;
    std::vector<int32_t> outputs;
    Options options;
    int32_t version;
    std::string custom;
  };
  std::vector<TensorSpec> tensors_;
  std::vector<Op> ops_;
};

// Well-formed models that together use every operator of the reference runtime.
struct NamedModel {
  std::string name;
  Bytes bytes;
};
std::vector<NamedModel> sample_models();

// The input generator of the golden vectors.
std::vector<int8_t> lcg_bytes(uint32_t seed, size_t count);

}  // namespace covey::testing
