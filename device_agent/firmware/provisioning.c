/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning.h"

#include <string.h>

COVEY_STATIC_ASSERT(sizeof(provisioning_t) == 4 + 4 + 32 + 68 + 4 * 64 + 6 * 4 +
                                                  PROVISIONING_AUTHORITY_BYTES +
                                                  PROVISIONING_KEY_BYTES);
COVEY_STATIC_ASSERT(sizeof(provisioning_t) <= 1024);

static uint32_t crc32(const uint8_t* bytes, size_t size) {
  uint32_t crc = 0xffffffffU;
  size_t i;
  int bit;
  for (i = 0; i < size; ++i) {
    crc ^= bytes[i];
    for (bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (0xedb88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

static int terminated(const char* text, size_t capacity) {
  return memchr(text, '\0', capacity) != NULL;
}

const provisioning_t* provisioning_read(const covey_flash_t* flash) {
  const provisioning_t* page = (const provisioning_t*)(const void*)flash->xip_base;
  if (page->magic != PROVISIONING_MAGIC || page->size != sizeof *page ||
      crc32(flash->xip_base, offsetof(provisioning_t, crc)) != page->crc ||
      !terminated(page->device_id, sizeof page->device_id) ||
      !terminated(page->device_class, sizeof page->device_class) ||
      !terminated(page->enroll_token, sizeof page->enroll_token) ||
      !terminated(page->gateway_name, sizeof page->gateway_name) ||
      page->authority_size > sizeof page->authority ||
      page->pre_shared_key_size > sizeof page->pre_shared_key) {
    return NULL;
  }
  return page;
}
