/* SPDX-License-Identifier: Apache-2.0 */
#include "flash.h"

static uint32_t u16_at(const uint8_t* bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

uint32_t covey_selftest_at(const covey_slot_view_t* view) {
  return view->image + view->manifest.image_size -
         covey_core_align(view->manifest.selftest_size, 16);
}

uint32_t covey_selftest_count(const uint8_t* section) { return u16_at(section); }

int covey_selftest_check(const covey_agent_t* a, const covey_slot_view_t* view) {
  const covey_manifest_t* m = &view->manifest;
  const uint8_t* section = covey_flash_bytes(a, covey_selftest_at(view));
  const uint32_t size = m->selftest_size - COVEY_SELFTEST_HEADER_BYTES;
  uint32_t count;
  if (m->selftest_size < COVEY_SELFTEST_HEADER_BYTES) return COVEY_ERROR_SELFTEST_INVALID;
  count = u16_at(section);
  if (count == 0 || u16_at(section + 2) != m->input_bytes ||
      u16_at(section + 4) != m->output_bytes || size % count != 0 ||
      size / count != m->input_bytes + m->output_bytes ||
      /* The output goes through the send buffer; checked before, but by another firmware. */
      m->output_bytes > a->config->send_bytes) {
    return COVEY_ERROR_SELFTEST_INVALID;
  }
  return COVEY_OK;
}
