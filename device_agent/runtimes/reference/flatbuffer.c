/* SPDX-License-Identifier: Apache-2.0 */
#include "flatbuffer.h"

#include "covey/runtime.h"

/* True when [at, at + size) lies inside the file. */
static bool inside(const covey_fb_t* fb, uint32_t at, uint32_t size) {
  return at <= fb->size && size <= fb->size - at;
}

static uint32_t read_u16(const covey_fb_t* fb, uint32_t at) {
  return (uint32_t)fb->bytes[at] | (uint32_t)fb->bytes[at + 1] << 8;
}

uint32_t covey_fb_u32(const covey_fb_t* fb, uint32_t at) {
  return (uint32_t)fb->bytes[at] | (uint32_t)fb->bytes[at + 1] << 8 |
         (uint32_t)fb->bytes[at + 2] << 16 | (uint32_t)fb->bytes[at + 3] << 24;
}

static int open_table(const covey_fb_t* fb, uint32_t at, covey_fb_table_t* table) {
  if (!inside(fb, at, 4)) {
    return COVEY_RUNTIME_MODEL_CORRUPT;
  }
  /* The vtable lies `back` bytes before the table, or after it where negative. */
  const int64_t vtable = (int64_t)at - covey_fb_i32(fb, at);
  if (vtable < 0 || vtable > INT32_MAX || !inside(fb, (uint32_t)vtable, 4)) {
    return COVEY_RUNTIME_MODEL_CORRUPT;
  }
  table->at = at;
  table->vtable = (uint32_t)vtable;
  table->vtable_size = read_u16(fb, table->vtable);
  table->size = read_u16(fb, table->vtable + 2);
  if (table->vtable_size < 4 || !inside(fb, table->vtable, table->vtable_size) || table->size < 4 ||
      !inside(fb, at, table->size)) {
    return COVEY_RUNTIME_MODEL_CORRUPT;
  }
  return 0;
}

/* Follows the unsigned offset stored at `at`. */
static int follow(const covey_fb_t* fb, uint32_t at, uint32_t* target) {
  const uint32_t offset = covey_fb_u32(fb, at);
  if (offset < 4 || offset > fb->size - at) {
    return COVEY_RUNTIME_MODEL_CORRUPT;
  }
  *target = at + offset;
  return 0;
}

int covey_fb_root(const covey_fb_t* fb, const char identifier[4], covey_fb_table_t* root) {
  if (!inside(fb, 0, 8)) {
    return COVEY_RUNTIME_NOT_TFLITE;
  }
  for (uint32_t i = 0; i < 4; i++) {
    if (fb->bytes[4 + i] != (uint8_t)identifier[i]) {
      return COVEY_RUNTIME_NOT_TFLITE;
    }
  }
  uint32_t at = 0;
  const int error = follow(fb, 0, &at);
  return error != 0 ? error : open_table(fb, at, root);
}

int covey_fb_field(const covey_fb_t* fb, const covey_fb_table_t* table, uint32_t id, uint32_t size,
                   uint32_t* at) {
  const uint32_t slot = 4 + 2 * id;
  *at = 0;
  if (slot + 2 > table->vtable_size) {
    return 0;
  }
  const uint32_t offset = read_u16(fb, table->vtable + slot);
  if (offset == 0) {
    return 0;
  }
  if (offset < 4 || offset > table->size || size > table->size - offset) {
    return COVEY_RUNTIME_MODEL_CORRUPT;
  }
  *at = table->at + offset;
  return 0;
}

int covey_fb_field_u8(const covey_fb_t* fb, const covey_fb_table_t* table, uint32_t id,
                      uint8_t absent, uint8_t* value) {
  uint32_t at = 0;
  const int error = covey_fb_field(fb, table, id, 1, &at);
  *value = at == 0 ? absent : fb->bytes[at];
  return error;
}

int covey_fb_field_u32(const covey_fb_t* fb, const covey_fb_table_t* table, uint32_t id,
                       uint32_t absent, uint32_t* value) {
  uint32_t at = 0;
  const int error = covey_fb_field(fb, table, id, 4, &at);
  *value = at == 0 ? absent : covey_fb_u32(fb, at);
  return error;
}

int covey_fb_field_vector(const covey_fb_t* fb, const covey_fb_table_t* table, uint32_t id,
                          uint32_t element_size, covey_fb_vector_t* vector) {
  uint32_t at = 0;
  vector->at = 0;
  vector->count = 0;
  int error = covey_fb_field(fb, table, id, 4, &at);
  if (error != 0 || at == 0) {
    return error;
  }
  uint32_t target = 0;
  error = follow(fb, at, &target);
  if (error != 0) {
    return error;
  }
  if (!inside(fb, target, 4)) {
    return COVEY_RUNTIME_MODEL_CORRUPT;
  }
  const uint32_t count = covey_fb_u32(fb, target);
  if (count > (fb->size - target - 4) / element_size) {
    return COVEY_RUNTIME_MODEL_CORRUPT;
  }
  vector->at = target + 4;
  vector->count = count;
  return 0;
}

int covey_fb_field_table(const covey_fb_t* fb, const covey_fb_table_t* table, uint32_t id,
                         bool* present, covey_fb_table_t* child) {
  uint32_t at = 0;
  *present = false;
  int error = covey_fb_field(fb, table, id, 4, &at);
  if (error != 0 || at == 0) {
    return error;
  }
  uint32_t target = 0;
  error = follow(fb, at, &target);
  if (error == 0) {
    error = open_table(fb, target, child);
  }
  *present = error == 0;
  return error;
}

int covey_fb_vector_table(const covey_fb_t* fb, const covey_fb_vector_t* vector, uint32_t index,
                          covey_fb_table_t* table) {
  if (index >= vector->count) {
    return COVEY_RUNTIME_MODEL_CORRUPT;
  }
  uint32_t target = 0;
  const int error = follow(fb, vector->at + 4 * index, &target);
  return error != 0 ? error : open_table(fb, target, table);
}
