/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing protobuf in the caller's memory; no recursion, no allocation. Messages are
 * described as data: which field is which member of a struct. Unknown fields are skipped. Pure; any
 * thread; knows nothing of the agent. */
#ifndef COVEY_SRC_WIRE_H
#define COVEY_SRC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "covey/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- write.c. What does not fit sets `overflow`, and nothing more is written. */
typedef struct covey_writer {
  uint8_t* bytes;
  size_t size;
  size_t capacity;
  bool overflow;
} covey_writer_t;

enum covey_wire_type { COVEY_VARINT = 0, COVEY_FIXED64 = 1, COVEY_BYTES = 2, COVEY_FIXED32 = 5 };

/* Zero and empty values are left out, as proto3 does. */
/* tag: field << 3 | type; of the numbers, so not COVEY_BYTES */
void covey_write_number(covey_writer_t* w, uint32_t tag, uint64_t value);
void covey_write_uint(covey_writer_t* w, uint32_t field, uint32_t value);
static inline void covey_write_uint64(covey_writer_t* w, uint32_t field, uint64_t value) {
  covey_write_number(w, field << 3, value);
}
static inline void covey_write_fixed32(covey_writer_t* w, uint32_t field, uint32_t value) {
  covey_write_number(w, (field << 3) | COVEY_FIXED32, value);
}
static inline void covey_write_fixed64(covey_writer_t* w, uint32_t field, uint64_t value) {
  covey_write_number(w, (field << 3) | COVEY_FIXED64, value);
}
void covey_write_sint(covey_writer_t* w, uint32_t field, int64_t value); /* zigzag */
void covey_write_bytes(covey_writer_t* w, uint32_t field, const void* bytes, size_t size);
void covey_write_text(covey_writer_t* w, uint32_t field, const char* text);
/* Packed 32-bit numbers, zeros included. */
void covey_write_packed(covey_writer_t* w, uint32_t field, const uint32_t* values, size_t count);
/* A nested message: begin returns what end wants. */
size_t covey_write_begin(covey_writer_t* w, uint32_t field);
void covey_write_end(covey_writer_t* w, size_t begun);

/* ---- read.c */
typedef struct covey_field {
  uint64_t value;      /* VARINT, FIXED32, FIXED64 */
  covey_bytes_t bytes; /* BYTES */
  uint32_t tag;        /* number << 3 | type */
} covey_field_t;

/* Takes the next field off the message: 1; 0: there is none; -1: the rest is no protobuf. */
int covey_read_field(covey_bytes_t* rest, covey_field_t* field);
/* One number of a packed field. */
bool covey_read_varint(covey_bytes_t* rest, uint64_t* value);

static inline int32_t covey_read_unzigzag(uint64_t value) {
  return (int32_t)((uint32_t)(value >> 1) ^ (0U - (uint32_t)(value & 1)));
}

/* ---- Messages as data: two bytes for each member of a struct. A table ends
 * with number 0; one for reading says there how long the struct is. */
typedef struct covey_member {
  uint8_t field; /* number << 3, numbers to 31; and in a table for reading the wire type, else the
                    kind */
  uint8_t place; /* of the member in its struct: a quarter of its offset; in a table for reading the
                    rest of the kind from bit 6 on */
} covey_member_t;

enum covey_written_kind {
  COVEY_WRITTEN_U32 = 0, /* varint of a uint32_t */
  COVEY_WRITTEN_U64,     /* varint of a uint64_t */
  COVEY_WRITTEN_I32,     /* int32: varint, sign-extended */
  COVEY_WRITTEN_F64,     /* fixed64 of a uint64_t */
  COVEY_WRITTEN_TEXT,    /* const char* */
  COVEY_WRITTEN_DIGEST   /* const uint8_t* to 32 bytes, or NULL */
};

/* Bits 0 to 2: wire type. Then for a number whether it has 64 bits, and for bytes n, if there are
 * to be 64 >> n and only their address is kept. */
enum covey_member_kind {
  COVEY_MEMBER_U32 = COVEY_VARINT,       /* varint into a uint32_t */
  COVEY_MEMBER_F32 = COVEY_FIXED32,      /* fixed32 into a uint32_t */
  COVEY_MEMBER_BYTES = COVEY_BYTES,      /* covey_bytes_t; the last one counts */
  COVEY_MEMBER_U64 = 8 | COVEY_VARINT,   /* varint into a uint64_t */
  COVEY_MEMBER_F64 = 8 | COVEY_FIXED64,  /* fixed64 into a uint64_t */
  COVEY_MEMBER_DIGEST = 8 | COVEY_BYTES, /* const uint8_t* to 32 bytes; NULL: absent or empty */
  COVEY_MEMBER_PREFIX = 24 | COVEY_BYTES /* the same of 8 bytes */
};

/* Does not compile with a value that is no byte. */
#define COVEY_BYTE(value) ((uint8_t)((value) * sizeof(char[(value) < 256 ? 1 : -1])))
#define COVEY_PLACE(type, member) \
  (offsetof(type, member) / 4 + (offsetof(type, member) % 4 == 0 ? 0 : 256))
#define COVEY_WRITTEN(number, kind, type, member) \
  { COVEY_BYTE((number) << 3 | (kind)), COVEY_BYTE(COVEY_PLACE(type, member)) }
#define COVEY_MEMBER(number, kind, type, member)                                           \
  {                                                                                        \
    COVEY_BYTE((number) << 3 | ((kind)&7)),                                                \
        COVEY_BYTE(((kind) >> 3 << 6) |                                                    \
                   (COVEY_PLACE(type, member) + (offsetof(type, member) < 256 ? 0 : 256))) \
  }
#define COVEY_WRITTEN_END \
  { 0, 0 }
#define COVEY_MEMBERS_END(type) \
  { 0, COVEY_BYTE(sizeof(type) / 4) }

void covey_write_members(covey_writer_t* w, const covey_member_t* members, const void* from);
/* Clears the struct `into`, then fills it in. A number too large for its member becomes the largest
 * there is; a field of another wire type is unknown. False: no protobuf, or a DIGEST or PREFIX of
 * another size. */
bool covey_read_members(covey_bytes_t message, const covey_member_t* members, void* into);
/* Takes the next occurrence of a repeated field of bytes, texts, messages off a message that
 * covey_read_members found to be protobuf; false: no more. */
bool covey_read_next(covey_bytes_t* rest, uint32_t number, covey_bytes_t* item);

/* ---- bytes.c */

/* memcpy as a call: a compiler that knows the size would unroll it. */
void covey_bytes_copy(void* to, const void* from, size_t size);
/* Whether they are just this text. */
bool covey_bytes_are_text(const char* text, const void* bytes, size_t size);
bool covey_bytes_same_digest(const uint8_t* x, const uint8_t* y);
bool covey_bytes_same_prefix(const uint8_t* x, const uint8_t* y);
/* Little endian. */
uint32_t covey_bytes_load32(const uint8_t* from);
/* CRC-32 (IEEE 802.3), bit by bit: small rather than fast, of records of 64 bytes. */
uint32_t covey_bytes_crc32(const uint8_t* bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif
