#include "wire.h"

#include <string.h>

/* ---- Writing */

static void overflow(covey_writer_t* w) { /* nothing fits any more */
  w->size = 0;
  w->capacity = 0;
  w->overflow = true;
}

static void put(covey_writer_t* w, uint32_t byte) {
  if (w->size == w->capacity) {
    overflow(w);
  } else {
    w->bytes[w->size++] = (uint8_t)byte;
  }
}

static void put_varint(covey_writer_t* w, uint64_t value) {
  while (value >= 0x80) {
    put(w, (uint32_t)value | 0x80);
    value >>= 7;
  }
  put(w, (uint32_t)value);
}

static void put_tag(covey_writer_t* w, uint32_t tag) { put_varint(w, tag); }

void covey_write_number(covey_writer_t* w, uint32_t tag, uint64_t value) {
  unsigned size;
  if (value == 0) return;
  put_tag(w, tag);
  if ((tag & 7) == COVEY_VARINT) {
    put_varint(w, value);
    return;
  }
  for (size = (tag & 7) == COVEY_FIXED32 ? 4 : 8; size > 0; --size) {
    put(w, (uint32_t)value);
    value >>= 8;
  }
}

void covey_write_uint(covey_writer_t* w, uint32_t field, uint32_t value) {
  covey_write_number(w, field << 3, value);
}

void covey_write_sint(covey_writer_t* w, uint32_t field, int64_t value) {
  const uint64_t bits = (uint64_t)value;
  covey_write_uint64(w, field, (bits << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

void covey_write_bytes(covey_writer_t* w, uint32_t field, const void* bytes, size_t size) {
  const uint8_t* at = (const uint8_t*)bytes;
  if (size == 0) return;
  put_tag(w, (field << 3) | COVEY_BYTES);
  put_varint(w, size);
  while (size-- > 0) put(w, *at++);
}

void covey_write_text(covey_writer_t* w, uint32_t field, const char* text) {
  covey_write_bytes(w, field, text, strlen(text));
}

size_t covey_write_begin(covey_writer_t* w, uint32_t field) {
  put_tag(w, (field << 3) | COVEY_BYTES);
  put(w, 0); /* most nested messages are shorter than 128 bytes: one byte of length */
  return w->size;
}

void covey_write_end(covey_writer_t* w, size_t begun) {
  const size_t size = w->size - begun;
  size_t rest;
  for (rest = size >> 7; rest != 0; rest >>= 7) put(w, 0);
  if (w->overflow) return;
  memmove(w->bytes + w->size - size, w->bytes + begun, size);
  w->size = begun - 1;
  put_varint(w, size);
  w->size += size;
}

void covey_write_packed(covey_writer_t* w, uint32_t field, const uint32_t* values, size_t count) {
  size_t begun;
  size_t i;
  if (count == 0) return;
  begun = covey_write_begin(w, field);
  for (i = 0; i < count; ++i) put_varint(w, values[i]);
  covey_write_end(w, begun);
}

void covey_write_members(covey_writer_t* w, const covey_member_t* members, const void* from) {
  for (; members->field != 0; ++members) {
    const uint32_t number = members->field >> 3;
    const enum covey_written_kind kind = (enum covey_written_kind)(members->field & 7);
    const void* at = (const uint8_t*)from + members->place;
    uint32_t type = COVEY_VARINT;
    uint64_t value = 0;
    if (kind >= COVEY_WRITTEN_TEXT) {
      const char* bytes = *(const char* const*)at;
      if (bytes == NULL) continue;
      covey_write_bytes(w, number, bytes,
                        kind == COVEY_WRITTEN_TEXT ? strlen(bytes) : COVEY_DIGEST_BYTES);
      continue;
    }
    switch (kind) {
      case COVEY_WRITTEN_U8:
        value = *(const uint8_t*)at;
        break;
      case COVEY_WRITTEN_U16:
        value = *(const uint16_t*)at;
        break;
      case COVEY_WRITTEN_U32:
        value = *(const uint32_t*)at;
        break;
      case COVEY_WRITTEN_I32:
        value = (uint64_t)(int64_t) * (const int32_t*)at;
        break;
      case COVEY_WRITTEN_F64:
        type = COVEY_FIXED64;
        value = *(const uint64_t*)at;
        break;
      case COVEY_WRITTEN_U64:
        value = *(const uint64_t*)at;
        break;
      case COVEY_WRITTEN_TEXT:
      case COVEY_WRITTEN_DIGEST:
        break;
    }
    covey_write_number(w, (number << 3) | type, value);
  }
}

/* ---- Reading */

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

int covey_read(covey_bytes_t* rest, covey_field_t* field) {
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
    result = covey_read(&message, &field);
    for (m = members; result > 0 && m->field != 0; ++m) {
      if (m->field == field.tag && !assign(m, &field, into)) return false;
    }
  } while (result > 0);
  return result == 0;
}

bool covey_read_next(covey_bytes_t* rest, uint32_t number, covey_bytes_t* item) {
  covey_field_t field;
  while (covey_read(rest, &field) > 0) {
    if (field.tag != (number << 3 | COVEY_BYTES)) continue;
    *item = field.bytes;
    return true;
  }
  return false;
}

/* ---- Memory */

void covey_copy(void* to, const void* from, size_t size) { memcpy(to, from, size); }

uint32_t covey_load32(const uint8_t* from) {
  return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
         (uint32_t)from[3] << 24;
}

uint32_t covey_crc32(const uint8_t* bytes, size_t size) {
  uint32_t crc = UINT32_MAX;
  unsigned bit;
  while (size-- > 0) {
    crc ^= *bytes++;
    for (bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1)));
  }
  return ~crc;
}
