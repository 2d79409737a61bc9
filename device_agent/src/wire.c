#include "wire.h"

#include <string.h>

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

static void put_fixed(covey_writer_t* w, uint64_t value, unsigned size) {
  while (size-- > 0) {
    put(w, (uint8_t)value);
    value >>= 8;
  }
}

static void put_tag(covey_writer_t* w, uint32_t field, enum covey_wire_type type) {
  put_varint(w, (field << 3) | (uint32_t)type);
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
  if (value == 0) return;
  put_tag(w, field, COVEY_FIXED32);
  put_fixed(w, value, 4);
}

void covey_write_fixed64(covey_writer_t* w, uint32_t field, uint64_t value) {
  if (value == 0) return;
  put_tag(w, field, COVEY_FIXED64);
  put_fixed(w, value, 8);
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

covey_reader_t covey_reader_of(const void* bytes, size_t size) {
  covey_reader_t r;
  r.at = (const uint8_t*)bytes;
  r.end = r.at + size;
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
  r->malformed = true;
  return false;
}

bool covey_read(covey_reader_t* r, covey_field_t* field) {
  uint64_t number;
  size_t fixed;
  if (r->malformed || r->at == r->end || !covey_read_varint(r, &number)) return false;
  field->number = (uint32_t)(number >> 3);
  field->type = (uint8_t)(number & 7);
  field->value = 0;
  field->bytes = NULL;
  field->size = 0;
  r->malformed = field->number == 0 || (number >> 32) != 0;
  switch (field->type) {
    case COVEY_VARINT:
      return covey_read_varint(r, &field->value) && !r->malformed;
    case COVEY_BYTES:
      if (!covey_read_varint(r, &number)) return false;
      if (number > (uint64_t)(r->end - r->at)) {
        r->malformed = true;
        return false;
      }
      field->bytes = r->at;
      field->size = (size_t)number;
      r->at += field->size;
      return !r->malformed;
    case COVEY_FIXED32:
    case COVEY_FIXED64:
      fixed = field->type == COVEY_FIXED32 ? 4 : 8;
      if ((size_t)(r->end - r->at) < fixed) break;
      field->value = fixed == 4 ? covey_load32(r->at) : covey_load64(r->at);
      r->at += fixed;
      return !r->malformed;
  }
  r->malformed = true; /* groups (types 3 and 4) were never part of proto3 */
  return false;
}

uint32_t covey_load32(const uint8_t* from) {
  return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
         (uint32_t)from[3] << 24;
}

uint64_t covey_load64(const uint8_t* from) {
  return (uint64_t)covey_load32(from) | (uint64_t)covey_load32(from + 4) << 32;
}

void covey_store32(uint8_t* to, uint32_t value) {
  unsigned i;
  for (i = 0; i < 4; ++i) to[i] = (uint8_t)(value >> (8 * i));
}

void covey_store64(uint8_t* to, uint64_t value) {
  covey_store32(to, (uint32_t)value);
  covey_store32(to + 4, (uint32_t)(value >> 32));
}

uint32_t covey_crc32(const uint8_t* bytes, size_t size) {
  static const uint32_t nibble[16] = {0x00000000U, 0x1db71064U, 0x3b6e20c8U, 0x26d930acU,
                                      0x76dc4190U, 0x6b6b51f4U, 0x4db26158U, 0x5005713cU,
                                      0xedb88320U, 0xf00f9344U, 0xd6d6a3e8U, 0xcb61b384U,
                                      0x9b64c2b0U, 0x86d3d2d4U, 0xa00ae278U, 0xbdbdf21cU};
  uint32_t crc = UINT32_MAX;
  while (size-- > 0) {
    crc ^= *bytes++;
    crc = (crc >> 4) ^ nibble[crc & 15];
    crc = (crc >> 4) ^ nibble[crc & 15];
  }
  return ~crc;
}
