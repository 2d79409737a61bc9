/* SPDX-License-Identifier: Apache-2.0 */
/* A minimal FlatBuffer reader for hostile bytes: every position is checked against the file before
 * it is read, bytes are read one by one (any alignment, any endianness), nothing recurses, so
 * cyclic and overlapping offsets are harmless.
 *
 * Positions are offsets from the start of the file. Pure functions; any thread. Return 0 or
 * COVEY_RUNTIME_MODEL_CORRUPT (covey_fb_root also COVEY_RUNTIME_NOT_TFLITE). */
#ifndef COVEY_REFERENCE_FLATBUFFER_H
#define COVEY_REFERENCE_FLATBUFFER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct covey_fb {
  const uint8_t* bytes;
  uint32_t size; /* at most INT32_MAX */
} covey_fb_t;

/* A table whose vtable and own bytes lie inside the file. */
typedef struct covey_fb_table {
  uint32_t at;
  uint32_t size;
  uint32_t vtable;
  uint32_t vtable_size;
} covey_fb_table_t;

/* A vector whose elements lie inside the file; an absent one has count 0 and at 0. */
typedef struct covey_fb_vector {
  uint32_t at; /* first element */
  uint32_t count;
} covey_fb_vector_t;

/* Little-endian reads; the caller has checked the position. */
uint32_t covey_fb_u32(const covey_fb_t* fb, uint32_t at);
static inline int32_t covey_fb_i32(const covey_fb_t* fb, uint32_t at) {
  return (int32_t)covey_fb_u32(fb, at);
}

int covey_fb_root(const covey_fb_t* fb, const char identifier[4], covey_fb_table_t* root);
/* Position of an inline field of `size` bytes; 0 when absent. */
int covey_fb_field(const covey_fb_t* fb, const covey_fb_table_t* table, uint32_t id, uint32_t size,
                   uint32_t* at);
/* Scalars with their default. */
int covey_fb_field_u8(const covey_fb_t* fb, const covey_fb_table_t* table, uint32_t id,
                      uint8_t absent, uint8_t* value);
int covey_fb_field_u32(const covey_fb_t* fb, const covey_fb_table_t* table, uint32_t id,
                       uint32_t absent, uint32_t* value);
int covey_fb_field_vector(const covey_fb_t* fb, const covey_fb_table_t* table, uint32_t id,
                          uint32_t element_size, covey_fb_vector_t* vector);
int covey_fb_field_table(const covey_fb_t* fb, const covey_fb_table_t* table, uint32_t id,
                         bool* present, covey_fb_table_t* child);
/* The index-th table of a vector of tables (element size 4); index is checked. */
int covey_fb_vector_table(const covey_fb_t* fb, const covey_fb_vector_t* vector, uint32_t index,
                          covey_fb_table_t* table);

#ifdef __cplusplus
}
#endif

#endif
