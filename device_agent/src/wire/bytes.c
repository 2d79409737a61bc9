/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "wire.h"

bool covey_bytes_are_text(const char* text, const void* bytes, size_t size) {
  return strlen(text) == size && memcmp(text, bytes, size) == 0;
}

bool covey_bytes_same_digest(const uint8_t* x, const uint8_t* y) {
  return memcmp(x, y, COVEY_DIGEST_BYTES) == 0;
}

bool covey_bytes_same_prefix(const uint8_t* x, const uint8_t* y) {
  return memcmp(x, y, COVEY_PREFIX_BYTES) == 0;
}

void covey_bytes_copy(void* to, const void* from, size_t size) { memcpy(to, from, size); }

uint32_t covey_bytes_load32(const uint8_t* from) {
  return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
         (uint32_t)from[3] << 24;
}

uint32_t covey_bytes_crc32(const uint8_t* bytes, size_t size) {
  uint32_t crc = UINT32_MAX;
  unsigned bit;
  while (size-- > 0) {
    crc ^= *bytes++;
    for (bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1)));
  }
  return ~crc;
}
