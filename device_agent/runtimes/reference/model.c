/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include "covey/runtime.h"

/* Field ids, table by table. */
enum { kModelVersion = 0, kModelOperatorCodes = 1, kModelSubgraphs = 2, kModelBuffers = 4 };
enum { kSubgraphTensors = 0, kSubgraphInputs = 1, kSubgraphOutputs = 2, kSubgraphOperators = 3 };
enum { kCodeDeprecated = 0, kCodeVersion = 2, kCodeBuiltin = 3 };
enum {
  kOperatorCodeIndex = 0,
  kOperatorInputs = 1,
  kOperatorOutputs = 2,
  kOperatorOptionsType = 3,
  kOperatorOptions = 4
};
enum {
  kTensorShape = 0,
  kTensorType = 1,
  kTensorBuffer = 2,
  kTensorQuantization = 4,
  kTensorIsVariable = 5,
  kTensorSparsity = 6
};
enum { kQuantScale = 2, kQuantZeroPoint = 3, kQuantDetailsType = 4, kQuantDimension = 6 };
enum { kBufferData = 0, kBufferOffset = 1 };

int32_t covey_tflite_index(const covey_tflite_t* model, const covey_fb_vector_t* indices,
                           uint32_t i) {
  return i < indices->count ? covey_fb_i32(&model->fb, indices->at + 4 * i) : -1;
}

static int single_tensor(const covey_tflite_t* model, const covey_fb_table_t* subgraph,
                         uint32_t field, int32_t* index) {
  covey_fb_vector_t indices;
  const int error = covey_fb_field_vector(&model->fb, subgraph, field, 4, &indices);
  if (error != 0) {
    return error;
  }
  if (indices.count != 1) {
    return COVEY_RUNTIME_MODEL_UNSUPPORTED;
  }
  *index = covey_tflite_index(model, &indices, 0);
  return 0;
}

int covey_tflite_open(const uint8_t* bytes, size_t size, covey_tflite_t* model) {
  if (bytes == NULL) {
    return COVEY_RUNTIME_BAD_ARGUMENT;
  }
  if (size > INT32_MAX) {
    return COVEY_RUNTIME_MODEL_TOO_COMPLEX;
  }
  const covey_fb_t fb = {bytes, (uint32_t)size};
  model->fb = fb;
  covey_fb_table_t root;
  covey_fb_table_t subgraph;
  covey_fb_vector_t subgraphs;
  uint32_t version = 0;
  int error = covey_fb_root(&fb, "TFL3", &root);
  if (error != 0 || (error = covey_fb_field_u32(&fb, &root, kModelVersion, 0, &version)) != 0) {
    return error;
  }
  if (version != 3) {
    return COVEY_RUNTIME_NOT_TFLITE;
  }
  error = covey_fb_field_vector(&fb, &root, kModelOperatorCodes, 4, &model->operator_codes);
  if (error != 0 ||
      (error = covey_fb_field_vector(&fb, &root, kModelBuffers, 4, &model->buffers)) != 0 ||
      (error = covey_fb_field_vector(&fb, &root, kModelSubgraphs, 4, &subgraphs)) != 0) {
    return error;
  }
  if (subgraphs.count != 1) {
    return COVEY_RUNTIME_MODEL_UNSUPPORTED;
  }
  error = covey_fb_vector_table(&fb, &subgraphs, 0, &subgraph);
  if (error != 0 ||
      (error = covey_fb_field_vector(&fb, &subgraph, kSubgraphTensors, 4, &model->tensors)) != 0 ||
      (error = covey_fb_field_vector(&fb, &subgraph, kSubgraphOperators, 4, &model->operators)) !=
          0 ||
      (error = single_tensor(model, &subgraph, kSubgraphInputs, &model->input)) != 0) {
    return error;
  }
  return single_tensor(model, &subgraph, kSubgraphOutputs, &model->output);
}

static int read_shape(const covey_tflite_t* model, const covey_fb_table_t* table,
                      covey_tensor_t* tensor) {
  covey_fb_vector_t shape;
  const int error = covey_fb_field_vector(&model->fb, table, kTensorShape, 4, &shape);
  if (error != 0) {
    return error;
  }
  if (shape.count > COVEY_TENSOR_RANK_MAX) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  tensor->rank = shape.count;
  tensor->elements = 1;
  for (uint32_t i = 0; i < shape.count; i++) {
    const int32_t dim = covey_fb_i32(&model->fb, shape.at + 4 * i);
    if (dim < 1 || (uint32_t)dim > COVEY_TENSOR_BYTES_MAX / tensor->elements) {
      return COVEY_RUNTIME_TENSOR_SHAPE;
    }
    tensor->dims[i] = (uint32_t)dim;
    tensor->elements *= (uint32_t)dim;
  }
  const uint32_t width = tensor->type == COVEY_TENSOR_INT8 ? 1 : 4;
  if (tensor->elements > COVEY_TENSOR_BYTES_MAX / width) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  tensor->size_bytes = tensor->elements * width;
  return 0;
}

static int read_data(const covey_tflite_t* model, const covey_fb_table_t* table,
                     covey_tensor_t* tensor) {
  uint32_t index = 0;
  covey_fb_table_t buffer;
  covey_fb_vector_t data;
  uint32_t external = 0;
  int error = covey_fb_field_u32(&model->fb, table, kTensorBuffer, 0, &index);
  tensor->data = 0;
  if (error != 0 || index == 0) {
    return error;
  }
  error = covey_fb_vector_table(&model->fb, &model->buffers, index, &buffer);
  if (error != 0 ||
      (error = covey_fb_field_vector(&model->fb, &buffer, kBufferData, 1, &data)) != 0 ||
      (error = covey_fb_field(&model->fb, &buffer, kBufferOffset, 8, &external)) != 0) {
    return error;
  }
  if (data.count == 0) {
    /* Data behind the FlatBuffer (files above 2 GB) would otherwise look like an activation. */
    return external != 0 ? COVEY_RUNTIME_MODEL_UNSUPPORTED : 0;
  }
  if (data.count != tensor->size_bytes) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  tensor->data = data.at;
  return 0;
}

static int read_quantization(const covey_tflite_t* model, const covey_fb_table_t* table,
                             covey_tensor_t* tensor) {
  const covey_fb_vector_t none = {0, 0};
  covey_fb_table_t quantization;
  bool present = false;
  tensor->scales = none;
  tensor->zero_point = 0;
  tensor->quantized_dimension = 0;
  int error = covey_fb_field_table(&model->fb, table, kTensorQuantization, &present, &quantization);
  if (error != 0 || !present) {
    return error;
  }
  covey_fb_vector_t zero_points;
  uint8_t details = 0;
  error = covey_fb_field_u8(&model->fb, &quantization, kQuantDetailsType, 0, &details);
  if (error != 0 ||
      (error = covey_fb_field_vector(&model->fb, &quantization, kQuantScale, 4, &tensor->scales)) !=
          0 ||
      (error = covey_fb_field_vector(&model->fb, &quantization, kQuantZeroPoint, 8,
                                     &zero_points)) != 0 ||
      (error = covey_fb_field_u32(&model->fb, &quantization, kQuantDimension, 0,
                                  &tensor->quantized_dimension)) != 0) {
    return error;
  }
  if (details != 0 || tensor->scales.count > COVEY_TENSOR_SCALES_MAX ||
      (zero_points.count != 0 && zero_points.count != tensor->scales.count)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  for (uint32_t i = 0; i < zero_points.count; i++) {
    const int32_t low = covey_fb_i32(&model->fb, zero_points.at + 8 * i);
    const int32_t high = covey_fb_i32(&model->fb, zero_points.at + 8 * i + 4);
    const bool same = i == 0 || low == tensor->zero_point;
    if (low < -128 || low > 127 || high != (low < 0 ? -1 : 0) || !same) {
      return COVEY_RUNTIME_TENSOR_QUANTIZATION;
    }
    tensor->zero_point = low;
  }
  return 0;
}

int covey_tflite_tensor(const covey_tflite_t* model, int32_t index, covey_tensor_t* tensor) {
  covey_fb_table_t table;
  uint8_t is_variable = 0;
  uint32_t sparsity = 0;
  if (index < 0) {
    return COVEY_RUNTIME_OPERATOR_MALFORMED;
  }
  int error = covey_fb_vector_table(&model->fb, &model->tensors, (uint32_t)index, &table);
  if (error != 0 ||
      (error = covey_fb_field_u8(&model->fb, &table, kTensorType, 0, &tensor->type)) != 0 ||
      (error = covey_fb_field_u8(&model->fb, &table, kTensorIsVariable, 0, &is_variable)) != 0 ||
      (error = covey_fb_field(&model->fb, &table, kTensorSparsity, 4, &sparsity)) != 0) {
    return error;
  }
  tensor->index = index;
  if (tensor->type != COVEY_TENSOR_INT8 && tensor->type != COVEY_TENSOR_INT32 &&
      tensor->type != COVEY_TENSOR_FLOAT32) {
    return COVEY_RUNTIME_TENSOR_TYPE;
  }
  if (is_variable != 0 || sparsity != 0) {
    return COVEY_RUNTIME_MODEL_UNSUPPORTED;
  }
  error = read_shape(model, &table, tensor);
  if (error != 0 || (error = read_data(model, &table, tensor)) != 0) {
    return error;
  }
  return read_quantization(model, &table, tensor);
}

int covey_tflite_node(const covey_tflite_t* model, uint32_t index, covey_node_t* node) {
  covey_fb_table_t table;
  covey_fb_table_t code;
  uint32_t code_index = 0;
  uint32_t builtin = 0;
  uint32_t version = 0;
  uint8_t deprecated = 0;
  const covey_fb_t* fb = &model->fb;
  int error = covey_fb_vector_table(fb, &model->operators, index, &table);
  if (error != 0 ||
      (error = covey_fb_field_u32(fb, &table, kOperatorCodeIndex, 0, &code_index)) != 0 ||
      (error = covey_fb_field_vector(fb, &table, kOperatorInputs, 4, &node->inputs)) != 0 ||
      (error = covey_fb_field_vector(fb, &table, kOperatorOutputs, 4, &node->outputs)) != 0 ||
      (error = covey_fb_field_u8(fb, &table, kOperatorOptionsType, 0, &node->options_type)) != 0 ||
      (error = covey_fb_field_table(fb, &table, kOperatorOptions, &node->has_options,
                                    &node->options)) != 0 ||
      (error = covey_fb_vector_table(fb, &model->operator_codes, code_index, &code)) != 0 ||
      (error = covey_fb_field_u8(fb, &code, kCodeDeprecated, 0, &deprecated)) != 0 ||
      (error = covey_fb_field_u32(fb, &code, kCodeVersion, 1, &version)) != 0 ||
      (error = covey_fb_field_u32(fb, &code, kCodeBuiltin, 0, &builtin)) != 0) {
    return error;
  }
  /* Old files carry the code in a byte, new ones in an int, with the byte at most 127: the greater
   * one holds (schema.fbs, "OperatorCode"). */
  node->builtin = (int32_t)builtin > (int32_t)deprecated ? (int32_t)builtin : (int32_t)deprecated;
  node->version = (int32_t)version;
  return 0;
}

int covey_tensor_scale(const covey_tflite_t* model, const covey_tensor_t* tensor, uint32_t channel,
                       covey_real_t* scale) {
  if (channel >= tensor->scales.count) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  const uint32_t bits = covey_fb_u32(&model->fb, tensor->scales.at + 4 * channel);
  return covey_real_from_float(bits, scale) ? 0 : COVEY_RUNTIME_TENSOR_QUANTIZATION;
}
