// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/tflite_builder.hpp"

#include <cstring>
#include <utility>

#include <tflite_schema_generated.h>

namespace covey::testing {
namespace {

using Fbb = flatbuffers::FlatBufferBuilder;
using AnyOffset = flatbuffers::Offset<tflite::AnyTable>;

constexpr flatbuffers::voffset_t slot(int id) {
  return static_cast<flatbuffers::voffset_t>(4 + 2 * id);
}

// Tables that Covey's subset of the schema does not have, field by field.
class OptionsTable {
 public:
  explicit OptionsTable(Fbb& fbb) : fbb_(fbb), start_(fbb.StartTable()) {}
  void i8(int id, int8_t value) { fbb_.AddElement<int8_t>(slot(id), value, 0); }
  void i32(int id, int32_t value, int32_t absent) {
    fbb_.AddElement<int32_t>(slot(id), value, absent);
  }
  AnyOffset end() { return {fbb_.EndTable(start_)}; }

 private:
  Fbb& fbb_;
  flatbuffers::uoffset_t start_;
};

std::pair<uint8_t, AnyOffset> write_window(Fbb& fbb, int32_t builtin, const Window& window) {
  OptionsTable table(fbb);
  table.i8(0, window.valid);
  table.i32(1, window.stride_columns, 0);
  table.i32(2, window.stride_rows, 0);
  if (builtin == kBuiltinConv2d) {
    table.i8(3, window.activation);
    table.i32(4, window.dilation_columns, 1);
    table.i32(5, window.dilation_rows, 1);
    return {1, table.end()};
  }
  if (builtin == kBuiltinDepthwiseConv2d) {
    table.i32(3, window.depth_multiplier, 0);
    table.i8(4, window.activation);
    table.i32(5, window.dilation_columns, 1);
    table.i32(6, window.dilation_rows, 1);
    return {2, table.end()};
  }
  table.i32(3, window.kernel_columns, 0);
  table.i32(4, window.kernel_rows, 0);
  table.i8(5, window.activation);
  return {5, table.end()};
}

std::pair<uint8_t, AnyOffset> write_shape_arithmetic(Fbb& fbb, int32_t builtin) {
  OptionsTable table(fbb);
  if (builtin == kBuiltinShape) {
    table.i8(0, kTypeInt32);
    return {55, table.end()};
  }
  if (builtin == kBuiltinStridedSlice) {
    table.i32(4, 1, 0);  // shrink_axis_mask: a scalar
    return {32, table.end()};
  }
  table.i32(0, 2, 0);  // values_count
  return {59, table.end()};
}

std::pair<uint8_t, AnyOffset> write(Fbb& fbb, int32_t builtin, const Options& options) {
  if (const auto* fc = std::get_if<FullyConnected>(&options)) {
    return {8, tflite::CreateFullyConnectedOptions(fbb, fc->activation, fc->weights_format).o};
  }
  if (const auto* softmax = std::get_if<Softmax>(&options)) {
    return {9, tflite::CreateSoftmaxOptions(fbb, softmax->beta).o};
  }
  if (const auto* window = std::get_if<Window>(&options)) {
    return write_window(fbb, builtin, *window);
  }
  if (const auto* binary = std::get_if<Binary>(&options)) {
    OptionsTable table(fbb);
    table.i8(0, binary->activation);
    return {static_cast<uint8_t>(builtin == kBuiltinAdd ? 11 : 21), table.end()};
  }
  if (const auto* reducer = std::get_if<Reducer>(&options)) {
    OptionsTable table(fbb);
    table.i8(0, reducer->keep_dims ? 1 : 0);
    return {27, table.end()};
  }
  if (std::holds_alternative<ShapeArithmetic>(options)) {
    return write_shape_arithmetic(fbb, builtin);
  }
  return {uint8_t{0}, AnyOffset()};
}

}  // namespace

TensorSpec activation(std::vector<int32_t> shape, float scale, int64_t zero_point) {
  return {.shape = std::move(shape), .scales = {scale}, .zero_points = {zero_point}};
}

TensorSpec weights(std::vector<int32_t> shape, std::vector<float> scales,
                   const std::vector<int8_t>& values) {
  TensorSpec spec{.shape = std::move(shape), .scales = std::move(scales)};
  spec.zero_points.assign(spec.scales.size(), 0);
  for (const int8_t value : values) {
    spec.data.push_back(static_cast<uint8_t>(value));
  }
  return spec;
}

TensorSpec bias(const std::vector<int32_t>& values, std::vector<float> scales) {
  TensorSpec spec{.shape = {static_cast<int32_t>(values.size())},
                  .type = kTypeInt32,
                  .scales = std::move(scales)};
  spec.zero_points.assign(spec.scales.size(), 0);
  for (const int32_t value : values) {
    for (uint32_t byte = 0; byte < 4; ++byte) {
      spec.data.push_back(static_cast<uint8_t>(static_cast<uint32_t>(value) >> (8 * byte)));
    }
  }
  return spec;
}

int32_t TfliteBuilder::tensor(TensorSpec spec) {
  tensors_.push_back(std::move(spec));
  return static_cast<int32_t>(tensors_.size()) - 1;
}

void TfliteBuilder::op(int32_t builtin, std::vector<int32_t> inputs, std::vector<int32_t> outputs,
                       Options options, int32_t version, std::string custom) {
  ops_.push_back(
      {builtin, std::move(inputs), std::move(outputs), options, version, std::move(custom)});
}

int32_t TfliteBuilder::dense(int32_t input, int32_t inputs, int32_t outputs, uint32_t seed,
                             int8_t activation_function) {
  const int32_t w =
      tensor(weights({outputs, inputs}, {0.0071F},
                     lcg_bytes(seed, static_cast<size_t>(inputs) * static_cast<size_t>(outputs))));
  std::vector<int32_t> values;
  for (const int8_t value : lcg_bytes(seed + 1, static_cast<size_t>(outputs))) {
    values.push_back(value * 13);
  }
  const int32_t b = tensor(bias(values));
  const int32_t out = tensor(activation({1, outputs}, 0.05F, -3));
  op(kBuiltinFullyConnected, {input, w, b}, {out}, FullyConnected{activation_function});
  return out;
}

Bytes TfliteBuilder::finish(std::vector<int32_t> inputs, std::vector<int32_t> outputs) const {
  Fbb fbb;
  std::vector<flatbuffers::Offset<tflite::Buffer>> buffers = {tflite::CreateBuffer(fbb)};
  std::vector<flatbuffers::Offset<tflite::Tensor>> tensors;
  for (const TensorSpec& spec : tensors_) {
    uint32_t buffer = 0;
    if (!spec.data.empty()) {
      fbb.ForceVectorAlignment(spec.data.size(), 1, 16);
      const auto data = fbb.CreateVector(spec.data);
      buffer = static_cast<uint32_t>(buffers.size());
      buffers.push_back(tflite::CreateBuffer(fbb, data));
    }
    flatbuffers::Offset<tflite::Quantization> quantization;
    if (!spec.scales.empty()) {
      const auto scales = fbb.CreateVector(spec.scales);
      const auto zero_points = fbb.CreateVector(spec.zero_points);
      quantization = tflite::CreateQuantization(fbb, 0, 0, scales, zero_points, 0, 0,
                                                spec.quantized_dimension);
    }
    const auto shape = fbb.CreateVector(spec.shape);
    const auto name = fbb.CreateString(spec.name);
    tensors.push_back(tflite::CreateTensor(fbb, shape, static_cast<tflite::TensorType>(spec.type),
                                           buffer, name, quantization, spec.is_variable));
  }
  std::vector<flatbuffers::Offset<tflite::OperatorCode>> codes;
  std::vector<flatbuffers::Offset<tflite::Operator>> ops;
  for (const Op& op : ops_) {
    flatbuffers::Offset<flatbuffers::String> custom;
    if (!op.custom.empty()) {
      custom = fbb.CreateString(op.custom);
    }
    codes.push_back(tflite::CreateOperatorCode(fbb, static_cast<int8_t>(op.builtin), custom,
                                               op.version, op.builtin));
    const auto [type, options] = write(fbb, op.builtin, op.options);
    const auto in = fbb.CreateVector(op.inputs);
    const auto out = fbb.CreateVector(op.outputs);
    ops.push_back(tflite::CreateOperator(fbb, static_cast<uint32_t>(codes.size() - 1), in, out,
                                         type, options));
  }
  const auto graph =
      tflite::CreateSubGraph(fbb, fbb.CreateVector(tensors), fbb.CreateVector(inputs),
                             fbb.CreateVector(outputs), fbb.CreateVector(ops));
  const std::vector<flatbuffers::Offset<tflite::SubGraph>> graphs(subgraphs, graph);
  const auto codes_vector = fbb.CreateVector(codes);
  const auto graphs_vector = fbb.CreateVector(graphs);
  const auto buffers_vector = fbb.CreateVector(buffers);
  tflite::FinishModelBuffer(fbb, tflite::CreateModel(fbb, schema_version, codes_vector,
                                                     graphs_vector, 0, buffers_vector));
  return {fbb.GetBufferPointer(), fbb.GetBufferPointer() + fbb.GetSize()};
}

std::vector<int8_t> lcg_bytes(uint32_t seed, size_t count) {
  std::vector<int8_t> bytes(count);
  for (int8_t& byte : bytes) {
    seed = seed * 1664525U + 1013904223U;
    byte = static_cast<int8_t>(seed >> 24U);
  }
  return bytes;
}

std::vector<NamedModel> sample_models() {
  std::vector<NamedModel> models;
  {
    TfliteBuilder b;
    const int32_t in = b.tensor(activation({1, 8}, 0.1F, 5));
    const int32_t hidden = b.dense(in, 8, 12, 1, 1);
    const int32_t logits = b.dense(hidden, 12, 4, 2);
    const int32_t out = b.tensor(activation({1, 4}, 1.0F / 256, -128));
    b.op(kBuiltinSoftmax, {logits}, {out}, Softmax{1.0F});
    models.push_back({"classifier", b.finish({in}, {out})});
  }
  {
    TfliteBuilder b;
    const int32_t in = b.tensor(activation({1, 2, 3}, 0.1F, 5));
    const int32_t shape = b.tensor(bias({1, 6}));
    const int32_t flat = b.tensor(activation({1, 6}, 0.1F, 5));
    b.op(kBuiltinReshape, {in, shape}, {flat});
    const int32_t w =
        b.tensor(weights({5, 6}, {0.01F, 0.02F, 0.03F, 0.04F, 0.05F}, lcg_bytes(3, 30)));
    const int32_t hidden = b.tensor(activation({1, 5}, 0.04F, -20));
    b.op(kBuiltinFullyConnected, {flat, w, -1}, {hidden}, FullyConnected{3}, 12);
    const int32_t relu = b.tensor(activation({1, 5}, 0.06F, -11));
    b.op(kBuiltinRelu, {hidden}, {relu}, {}, 2);
    const int32_t relu6 = b.tensor(activation({1, 5}, 0.06F, -11));
    b.op(kBuiltinRelu6, {relu}, {relu6}, {}, 2);
    const int32_t out = b.tensor(activation({1, 5}, 0.02F, 0));
    b.op(kBuiltinReluN1To1, {relu6}, {out});
    models.push_back({"per_channel", b.finish({in}, {out})});
  }
  {
    TfliteBuilder b;
    const int32_t in = b.tensor(activation({3, 4}, 0.1F, 5));
    const int32_t w = b.tensor(weights({2, 4}, {0.01F}, lcg_bytes(4, 8)));
    const int32_t c = b.tensor(bias({1000, -1000}));
    const int32_t out = b.tensor(activation({3, 2}, 0.03F, 7));
    b.op(kBuiltinFullyConnected, {in, w, c}, {out});
    models.push_back({"batches", b.finish({in}, {out})});
  }
  return models;
}

}  // namespace covey::testing
