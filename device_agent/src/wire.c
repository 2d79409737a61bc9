#include "wire.h"

#include <string.h>

/* ---- Writing */

static void put(covey_writer_t* w, uint8_t byte) {
  if (w->size >= w->capacity) w->overflow = true;
  if (!w->overflow) w->bytes[w->size++] = byte;
}

static void put_varint(covey_writer_t* w, uint64_t value) {
  while (value >= 0x80) {
    put(w, (uint8_t)(value | 0x80));
    value >>= 7;
  }
  put(w, (uint8_t)value);
}

static void put_tag(covey_writer_t* w, uint32_t field, enum covey_wire_type type) {
  put_varint(w, (field << 3) | (uint32_t)type);
}

static void put_fixed(covey_writer_t* w, uint32_t field, uint64_t value, unsigned size) {
  if (value == 0) return;
  put_tag(w, field, size == 4 ? COVEY_FIXED32 : COVEY_FIXED64);
  while (size-- > 0) {
    put(w, (uint8_t)value);
    value >>= 8;
  }
}

void covey_write_uint(covey_writer_t* w, uint32_t field, uint64_t value) {
  if (value == 0) return;
  put_tag(w, field, COVEY_VARINT);
  put_varint(w, value);
}

void covey_write_sint(covey_writer_t* w, uint32_t field, int64_t value) {
  const uint64_t bits = (uint64_t)value;
  covey_write_uint(w, field, (bits << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

void covey_write_fixed32(covey_writer_t* w, uint32_t field, uint32_t value) {
  put_fixed(w, field, value, 4);
}

void covey_write_fixed64(covey_writer_t* w, uint32_t field, uint64_t value) {
  put_fixed(w, field, value, 8);
}

void covey_write_bytes(covey_writer_t* w, uint32_t field, const void* bytes, size_t size) {
  if (size == 0) return;
  put_tag(w, field, COVEY_BYTES);
  put_varint(w, size);
  if (size > w->capacity - w->size) w->overflow = true;
  if (w->overflow) return;
  memcpy(w->bytes + w->size, bytes, size);
  w->size += size;
}

void covey_write_text(covey_writer_t* w, uint32_t field, const char* text) {
  covey_write_bytes(w, field, text, strlen(text));
}

size_t covey_write_begin(covey_writer_t* w, uint32_t field) {
  put_tag(w, field, COVEY_BYTES);
  put(w, 0); /* most nested messages are shorter than 128 bytes: one byte of length */
  return w->size;
}

void covey_write_end(covey_writer_t* w, size_t begun) {
  size_t size;
  size_t more = 0;
  size_t rest;
  if (w->overflow) return;
  size = w->size - begun;
  for (rest = size >> 7; rest != 0; rest >>= 7) ++more;
  if (more > w->capacity - w->size) {
    w->overflow = true;
    return;
  }
  memmove(w->bytes + begun + more, w->bytes + begun, size);
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
  for (; members->number != 0; ++members) {
    const uint32_t number = members->number;
    const void* at = (const uint8_t*)from + members->offset;
    const uint8_t* bytes;
    switch (members->kind) {
      case COVEY_MEMBER_U8:
        covey_write_uint(w, number, *(const uint8_t*)at);
        break;
      case COVEY_MEMBER_U16:
        covey_write_uint(w, number, *(const uint16_t*)at);
        break;
      case COVEY_MEMBER_U32:
        covey_write_uint(w, number, *(const uint32_t*)at);
        break;
      case COVEY_MEMBER_I32:
        covey_write_uint(w, number, (uint64_t)(int64_t) * (const int32_t*)at);
        break;
      case COVEY_MEMBER_U64:
        covey_write_uint(w, number, *(const uint64_t*)at);
        break;
      case COVEY_MEMBER_F32:
        covey_write_fixed32(w, number, *(const uint32_t*)at);
        break;
      case COVEY_MEMBER_F64:
        covey_write_fixed64(w, number, *(const uint64_t*)at);
        break;
      case COVEY_MEMBER_TEXT:
        covey_write_text(w, number, *(const char* const*)at);
        break;
      default: /* EXACTLY: a pointer */
        bytes = *(const uint8_t* const*)at;
        if (bytes != NULL) {
          covey_write_bytes(w, number, bytes, (size_t)(members->kind - COVEY_MEMBER_EXACTLY));
        }
    }
  }
}

/* ---- Reading */

static bool malformed(covey_reader_t* r) {
  r->malformed = true;
  return false;
}

covey_reader_t covey_reader_of(covey_bytes_t message) {
  covey_reader_t r;
  r.at = message.bytes;
  r.end =
      message.size != 0 ? message.bytes + message.size : message.bytes; /* NULL: no arithmetic */
  r.malformed = false;
  return r;
}

bool covey_read_varint(covey_reader_t* r, uint64_t* value) {
  unsigned shift;
  *value = 0;
  for (shift = 0; shift < 64 && r->at != r->end; shift += 7) {
    const uint8_t byte = *r->at++;
    *value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return malformed(r);
}

bool covey_read(covey_reader_t* r, covey_field_t* field) {
  uint64_t value;
  if (r->malformed || r->at == r->end || !covey_read_varint(r, &value)) return false;
  field->number = (uint32_t)value >> 3;
  field->type = (uint8_t)(value & 7);
  if (field->number == 0 || value > UINT32_MAX) return malformed(r);
  switch (field->type) {
    case COVEY_VARINT:
      return covey_read_varint(r, &field->value);
    case COVEY_BYTES:
      if (!covey_read_varint(r, &value)) return false;
      break;
    case COVEY_FIXED32:
      value = 4;
      break;
    case COVEY_FIXED64:
      value = 8;
      break;
    default: /* groups (types 3 and 4) were never part of proto3 */
      return malformed(r);
  }
  if (value > (size_t)(r->end - r->at)) return malformed(r);
  field->bytes.bytes = r->at;
  field->bytes.size = (size_t)value;
  r->at += field->bytes.size;
  if (field->type == COVEY_FIXED32) field->value = covey_load32(field->bytes.bytes);
  if (field->type == COVEY_FIXED64) field->value = covey_load64(field->bytes.bytes);
  return true;
}

/* The wire type that a member has; all EXACTLY are bytes. */
static uint8_t type_of(uint8_t kind) {
  if (kind <= COVEY_MEMBER_I32) return COVEY_VARINT;
  if (kind == COVEY_MEMBER_F32) return COVEY_FIXED32;
  return kind == COVEY_MEMBER_F64 ? COVEY_FIXED64 : COVEY_BYTES;
}

static bool assign(const covey_member_t* member, const covey_field_t* field, void* at) {
  uint64_t value = field->value;
  switch (member->kind) {
    case COVEY_MEMBER_U8:
      *(uint8_t*)at = (uint8_t)(value > UINT8_MAX ? UINT8_MAX : value);
      return true;
    case COVEY_MEMBER_F32:
    case COVEY_MEMBER_U32:
      *(uint32_t*)at = (uint32_t)(value > UINT32_MAX ? UINT32_MAX : value);
      return true;
    case COVEY_MEMBER_F64:
    case COVEY_MEMBER_U64:
      *(uint64_t*)at = value;
      return true;
    case COVEY_MEMBER_BYTES:
      *(covey_bytes_t*)at = field->bytes;
      return true;
  }
  *(const uint8_t**)at = field->bytes.size != 0 ? field->bytes.bytes : NULL;
  return field->bytes.size == 0 ||
         field->bytes.size == (size_t)(member->kind - COVEY_MEMBER_EXACTLY);
}

bool covey_read_members(covey_bytes_t message, const covey_member_t* members, void* into,
                        size_t size) {
  covey_reader_t r = covey_reader_of(message);
  covey_field_t field;
  memset(into, 0, size);
  while (covey_read(&r, &field)) {
    const covey_member_t* m = members;
    while (m->number != 0 && (m->number != field.number || type_of(m->kind) != field.type)) ++m;
    if (m->number != 0 && !assign(m, &field, (uint8_t*)into + m->offset)) return false;
  }
  return !r.malformed;
}

bool covey_read_next(covey_reader_t* r, uint32_t number, covey_bytes_t* item) {
  covey_field_t field;
  while (covey_read(r, &field)) {
    if (field.number != number || field.type != COVEY_BYTES) continue;
    *item = field.bytes;
    return true;
  }
  return false;
}

/* ---- Numbers in flash */

uint32_t covey_load32(const uint8_t* from) {
  return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
         (uint32_t)from[3] << 24;
}

uint64_t covey_load64(const uint8_t* from) {
  return (uint64_t)covey_load32(from) | (uint64_t)covey_load32(from + 4) << 32;
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
