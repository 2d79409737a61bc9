/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "wire.h"

static void skip(covey_bytes_t* rest, size_t size) {
  rest->bytes += size;
  rest->size -= size;
}

bool covey_read_varint(covey_bytes_t* rest, uint64_t* value) {
  const uint8_t* at = rest->bytes;
  uint64_t bits = 0;
  size_t size = 0;
  do {
    if (size == 10 || size == rest->size) return false;
  } while (at[size++] >= 0x80);
  skip(rest, size);
  while (size > 0) bits = (bits << 7) | (at[--size] & 0x7fU);
  *value = bits;
  return true;
}

int covey_read_field(covey_bytes_t* rest, covey_field_t* field) {
  uint64_t* value = &field->value;
  const uint8_t* at;
  uint32_t type;
  size_t size;
  if (rest->size == 0) return 0;
  if (!covey_read_varint(rest, value) || *value >> 32 != 0) return -1;
  field->tag = (uint32_t)*value;
  type = field->tag & 7;
  if (field->tag < 8) return -1; /* no number */
  if (type == COVEY_VARINT || type == COVEY_BYTES) {
    if (!covey_read_varint(rest, value)) return -1;
    if (type == COVEY_VARINT) return 1;
    if (*value > rest->size) return -1;
    size = (size_t)*value;
  } else {
    /* Groups (types 3 and 4) were never part of proto3. */
    if (type != COVEY_FIXED64 && type != COVEY_FIXED32) return -1;
    size = type == COVEY_FIXED64 ? 8 : 4;
    if (size > rest->size) return -1;
  }
  at = rest->bytes;
  field->bytes.bytes = at;
  field->bytes.size = size;
  skip(rest, size);
  if (type == COVEY_BYTES) return 1;
  *value = 0;
  while (size > 0) *value = (*value << 8) | at[--size];
  return 1;
}

/* False: bytes of a wrong size. */
static bool assign(const covey_member_t* member, const covey_field_t* field, void* into) {
  void* at = (uint8_t*)into + (member->place & 63U) * 4;
  const uint32_t variant = (uint32_t)member->place >> 6;
  if ((field->tag & 7) != COVEY_BYTES) {
    if (variant != 0) {
      *(uint64_t*)at = field->value;
    } else {
      *(uint32_t*)at = field->value >> 32 != 0 ? UINT32_MAX : (uint32_t)field->value;
    }
  } else if (variant == 0) {
    *(covey_bytes_t*)at = field->bytes;
  } else {
    if (field->bytes.size != 0 && field->bytes.size != 64U >> variant) return false;
    *(const uint8_t**)at = field->bytes.size != 0 ? field->bytes.bytes : NULL;
  }
  return true;
}
COVEY_STATIC_ASSERT(COVEY_DIGEST_BYTES == 64 >> 1 && COVEY_PREFIX_BYTES == 64 >> 3);

bool covey_read_members(covey_bytes_t message, const covey_member_t* members, void* into) {
  const covey_member_t* m = members;
  covey_field_t field;
  int result;
  while (m->field != 0) ++m;
  memset(into, 0, m->place * sizeof(uint32_t));
  do {
    result = covey_read_field(&message, &field);
    for (m = members; result > 0 && m->field != 0; ++m) {
      if (m->field == field.tag && !assign(m, &field, into)) return false;
    }
  } while (result > 0);
  return result == 0;
}

bool covey_read_next(covey_bytes_t* rest, uint32_t number, covey_bytes_t* item) {
  covey_field_t field;
  while (covey_read_field(rest, &field) > 0) {
    if (field.tag != (number << 3 | COVEY_BYTES)) continue;
    *item = field.bytes;
    return true;
  }
  return false;
}
