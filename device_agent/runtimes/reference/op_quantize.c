/* SPDX-License-Identifier: Apache-2.0 */
/* QUANTIZE: int8 to int8 of another scale, and float32 (a model's input, without an FPU) to int8.
 */
#include "covey/runtime.h"
#include "rescale.h"

enum { kFloat, kInt8 }; /* the first word of the record: what the input is */

typedef struct quantize {
  uint32_t input_type;
  covey_ref_t input;
  covey_ref_t output;
  uint32_t elements;
  uint32_t scale_mantissa;
  int32_t scale_exponent;
  int32_t zero_point;
} quantize_t;

/* The record of a rescaling, behind a word that says so. */
static int prepare_int8(covey_prepare_t* p) {
  const uint32_t type = kInt8;
  uint8_t* record = p->record;
  if (record != NULL) {
    memcpy(record, &type, sizeof type);
    p->record += sizeof type;
  }
  const int error = covey_rescale_prepare(p, 0);
  p->record = record;
  p->record_bytes += (uint32_t)sizeof type;
  return error;
}

static int prepare(covey_prepare_t* p) {
  covey_tensor_t input;
  covey_tensor_t output;
  covey_real_t scale;
  int error = covey_prepare_input(p, 0, &input);
  if (error != 0) {
    return error;
  }
  if (input.type == COVEY_TENSOR_INT8) {
    return prepare_int8(p);
  }
  if (input.type != COVEY_TENSOR_FLOAT32) {
    return COVEY_RUNTIME_TENSOR_TYPE;
  }
  if (input.data != 0) {
    return COVEY_RUNTIME_OPERATOR_MALFORMED;
  }
  error = covey_prepare_activation_output(p, &output, &scale);
  if (error != 0) {
    return error;
  }
  if (input.elements != output.elements) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  const quantize_t quantize = {
      kFloat,           covey_prepare_ref(p, &input), covey_prepare_ref(p, &output),
      input.elements,   (uint32_t)scale.mantissa,     scale.exponent,
      output.zero_point};
  p->work = (uint64_t)input.elements * 32; /* a division by bits */
  covey_write_record(p, &quantize, sizeof quantize);
  return 0;
}

/* Any 32 bits: what is not a number counts as zero. */
static int8_t from_float(uint32_t bits, covey_real_t scale, int32_t zero_point) {
  const uint32_t exponent = bits >> 23 & 0xff;
  const uint32_t fraction = bits & 0x7fffffu;
  covey_real_t value = {fraction, 1 - 150}; /* zero and subnormal numbers */
  if (exponent == 0xff && fraction != 0) {
    value.mantissa = 0;
  } else if (exponent != 0) {
    value.mantissa |= 0x800000u;
    value.exponent = (int32_t)exponent - 150;
  }
  return (int8_t)covey_quantize(value, bits >> 31 != 0, scale, zero_point);
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  quantize_t quantize;
  memcpy(&quantize.input_type, record, sizeof quantize.input_type);
  if (quantize.input_type == kInt8) {
    covey_rescale_run(memory, record + sizeof quantize.input_type);
    return;
  }
  memcpy(&quantize, record, sizeof quantize);
  const covey_real_t scale = {quantize.scale_mantissa, quantize.scale_exponent};
  const uint8_t* input = (const uint8_t*)covey_read(memory, quantize.input);
  int8_t* output = covey_write(memory, quantize.output);
  for (uint32_t i = 0; i < quantize.elements; i++) {
    const uint8_t* b = input + 4 * i;
    const uint32_t bits =
        (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    output[i] = from_float(bits, scale, quantize.zero_point);
  }
}

const covey_operator_t covey_op_quantize = {114, 4, "QUANTIZE", true, prepare, run};
