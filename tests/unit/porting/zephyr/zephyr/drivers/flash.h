/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations only; see the README above. */
#ifndef STUB_ZEPHYR_FLASH_H
#define STUB_ZEPHYR_FLASH_H

#include <zephyr/kernel.h>

#ifdef __cplusplus
extern "C" {
#endif

struct device;

struct flash_pages_info {
  off_t start_offset;
  size_t size;
  uint32_t index;
};

int flash_get_page_info_by_offs(const struct device* dev, off_t offset,
                                struct flash_pages_info* info);

#ifdef __cplusplus
}
#endif

#endif
