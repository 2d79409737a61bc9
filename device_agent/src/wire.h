/* Reading and writing protobuf in the caller's memory: varints, fixed, bytes, nested messages; no
 * tables, no recursion, no allocation. Unknown fields are skipped. Pure; any thread. */
#ifndef COVEY_SRC_WIRE_H
#define COVEY_SRC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
  uint64_t value;       /* VARINT, FIXED32, FIXED64 */
  const uint8_t* bytes; /* BYTES */
  size_t size;
} covey_field_t;

covey_reader_t covey_reader_of(const void* bytes, size_t size);
/* The next field, or false at the end or when the rest is no protobuf (then `malformed`). */
bool covey_read(covey_reader_t* r, covey_field_t* field);
/* One number of a packed field. */
bool covey_read_varint(covey_reader_t* r, uint64_t* value);

static inline int32_t covey_unzigzag(uint64_t value) {
  return (int32_t)((uint32_t)(value >> 1) ^ (0U - (uint32_t)(value & 1)));
}

/* ---- Little endian numbers in flash records. */
uint32_t covey_load32(const uint8_t* from);
uint64_t covey_load64(const uint8_t* from);
void covey_store32(uint8_t* to, uint32_t value);
void covey_store64(uint8_t* to, uint64_t value);
/* CRC-32 (IEEE 802.3), by nibbles: small rather than fast. */
uint32_t covey_crc32(const uint8_t* bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif
