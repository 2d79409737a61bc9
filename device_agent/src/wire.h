/* Reading and writing protobuf in the caller's memory; no recursion, no allocation. Messages are
 * described as data: which field is which member of a struct. Unknown fields are skipped. Pure; any
 * thread. */
#ifndef COVEY_SRC_WIRE_H
#define COVEY_SRC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "covey/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Writing. What does not fit sets `overflow`, and nothing more is written. */
typedef struct covey_writer {
  uint8_t* bytes;
  size_t size;
  size_t capacity;
  bool overflow;
} covey_writer_t;

/* Zero and empty values are left out, as proto3 does. */
void covey_write_uint(covey_writer_t* w, uint32_t field, uint64_t value);
void covey_write_sint(covey_writer_t* w, uint32_t field, int64_t value); /* zigzag */
void covey_write_fixed32(covey_writer_t* w, uint32_t field, uint32_t value);
void covey_write_fixed64(covey_writer_t* w, uint32_t field, uint64_t value);
void covey_write_bytes(covey_writer_t* w, uint32_t field, const void* bytes, size_t size);
void covey_write_text(covey_writer_t* w, uint32_t field, const char* text);
/* Packed 32-bit numbers, zeros included. */
void covey_write_packed(covey_writer_t* w, uint32_t field, const uint32_t* values, size_t count);
/* A nested message: begin returns what end wants. */
size_t covey_write_begin(covey_writer_t* w, uint32_t field);
void covey_write_end(covey_writer_t* w, size_t begun);

/* ---- Reading. */
enum covey_wire_type { COVEY_VARINT = 0, COVEY_FIXED64 = 1, COVEY_BYTES = 2, COVEY_FIXED32 = 5 };

typedef struct covey_reader {
  const uint8_t* at;
  const uint8_t* end;
  bool malformed;
} covey_reader_t;

typedef struct covey_field {
  uint32_t number;
  uint8_t type;
  uint64_t value;      /* VARINT, FIXED32, FIXED64 */
  covey_bytes_t bytes; /* BYTES */
} covey_field_t;

covey_reader_t covey_reader_of(covey_bytes_t message);
/* The next field, or false at the end or when the rest is no protobuf (then `malformed`). */
bool covey_read(covey_reader_t* r, covey_field_t* field);
/* One number of a packed field. */
bool covey_read_varint(covey_reader_t* r, uint64_t* value);

static inline int32_t covey_unzigzag(uint64_t value) {
  return (int32_t)((uint32_t)(value >> 1) ^ (0U - (uint32_t)(value & 1)));
}

/* ---- Messages as data. A table of members ends with number 0. */
enum covey_kind {
  COVEY_MEMBER_U8 = 1, /* varint in a uint8_t; a bool */
  COVEY_MEMBER_U16,    /* varint in a uint16_t */
  COVEY_MEMBER_U32,    /* varint in a uint32_t */
  COVEY_MEMBER_U64,    /* varint in a uint64_t */
  COVEY_MEMBER_I32,    /* int32: varint, sign-extended; written only */
  COVEY_MEMBER_F32,    /* fixed32 in a uint32_t */
  COVEY_MEMBER_F64,    /* fixed64 in a uint64_t */
  COVEY_MEMBER_TEXT,   /* const char*; written only */
  COVEY_MEMBER_BYTES,  /* covey_bytes_t; the last one counts; read only */
  COVEY_MEMBER_EXACTLY /* + n: const uint8_t* to n bytes, or NULL when absent or empty */
};
#define COVEY_MEMBER_DIGEST (COVEY_MEMBER_EXACTLY + COVEY_DIGEST_BYTES)
#define COVEY_MEMBER_PREFIX (COVEY_MEMBER_EXACTLY + COVEY_PREFIX_BYTES)

typedef struct covey_member {
  uint8_t number;
  uint8_t kind;
  uint16_t offset; /* of the member in its struct */
} covey_member_t;

#define COVEY_MEMBER(number, kind, type, member) \
  { number, kind, (uint16_t)offsetof(type, member) }
#define COVEY_MEMBERS_END \
  { 0, 0, 0 }

void covey_write_members(covey_writer_t* w, const covey_member_t* members, const void* from);
/* Clears `into` (size bytes), then fills it in. A number too large for its member becomes the
 * largest there is; a field of another wire type is unknown. False: no protobuf, or bytes of
 * another size than EXACTLY says. */
bool covey_read_members(covey_bytes_t message, const covey_member_t* members, void* into,
                        size_t size);
/* The next occurrence of a repeated field of bytes, texts, messages; false: no more, or malformed.
 */
bool covey_read_next(covey_reader_t* r, uint32_t number, covey_bytes_t* item);

/* ---- Little endian numbers. */
uint32_t covey_load32(const uint8_t* from);
uint64_t covey_load64(const uint8_t* from);
/* CRC-32 (IEEE 802.3), bit by bit: small rather than fast, of records of 64 bytes. */
uint32_t covey_crc32(const uint8_t* bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif
