/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "wire.h"

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
    const void* at = (const uint32_t*)from + members->place;
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
