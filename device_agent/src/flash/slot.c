/* SPDX-License-Identifier: Apache-2.0 */
/* What a slot holds. Layout and the order in which it is written: flash.h. */
#include <string.h>

#include "row.h"

#define MESSAGE_OFFSET (2 * COVEY_ROW_BYTES)
#define TABLE_OFFSET (MESSAGE_OFFSET + COVEY_SIGNED_MANIFEST_BYTES_MAX)

uint32_t covey_slot_usable(const covey_agent_t* a, const covey_model_t* model) {
  /* The gateway reckons with 4,096 bytes beside chunk table and image; what alignment may cost
   * more is taken off here. */
  const covey_model_config_t* m = model->config;
  const uint32_t unit = covey_core_port(a)->flash.erase_unit_bytes;
  const uint32_t lost = unit <= 4096 ? unit : 4 * COVEY_ROW_BYTES;
  uint32_t smallest = m->slots[0].size_bytes;
  uint32_t i;
  for (i = 1; i < m->slot_count; ++i) {
    if (m->slots[i].size_bytes < smallest) smallest = m->slots[i].size_bytes;
  }
  return smallest - lost; /* a slot has more, see COVEY_SLOT_BYTES_MIN */
}

int covey_slot_layout(const covey_agent_t* a, const covey_model_t* m, uint8_t slot,
                      covey_slot_view_t* view) {
  const covey_slot_t* place = &m->config->slots[slot];
  const uint32_t unit = covey_core_port(a)->flash.erase_unit_bytes;
  const uint32_t table_size = view->manifest.chunk_count * COVEY_CHUNK_DIGEST_BYTES;
  uint32_t at = place->offset;
  if (view->manifest.chunk_count > COVEY_CHUNKS_MAX) return COVEY_ERROR_SLOT_TOO_SMALL;
  view->base = at;
  at += TABLE_OFFSET;
  view->tables[COVEY_CHUNK_TABLE].at = at;
  view->tables[COVEY_CHUNK_TABLE].size = table_size;
  at += covey_core_align(table_size, COVEY_ROW_BYTES) + COVEY_ROW_BYTES;
  view->tables[COVEY_TELEMETRY_TABLES].at = at;
  /* A fixed place, so that erasing can begin before the telemetry tables are there. */
  at = covey_core_align(at + covey_core_align(COVEY_TABLES_BYTES_MAX, COVEY_ROW_BYTES),
                        unit <= 4096 ? unit : COVEY_ROW_BYTES);
  view->image = at;
  /* No sum overflows: no section of an image is as large as 2^30 (covey_manifest_parse). */
  return at - place->offset + view->manifest.image_size > place->size_bytes
             ? COVEY_ERROR_SLOT_TOO_SMALL
             : COVEY_OK;
}

/* The size that a row with this key tells. Errors: negative. */
static int32_t size_in(covey_agent_t* a, uint32_t offset, int key) {
  covey_row_t row;
  return covey_row_read(a, offset, &row) == key ? (int32_t)row.value : -1;
}

int covey_slot_view(const covey_model_t* m, uint8_t slot, covey_slot_view_t* view) {
  covey_agent_t* a = m->agent;
  const covey_slot_t* place;
  int32_t size;
  int error;
  if (slot >= m->config->slot_count) return COVEY_ERROR_MANIFEST_MALFORMED;
  place = &m->config->slots[slot];
  size = size_in(a, place->offset, COVEY_ROW_HEADER);
  if ((uint32_t)size > COVEY_SIGNED_MANIFEST_BYTES_MAX) return COVEY_ERROR_MANIFEST_MALFORMED;
  view->message.bytes = covey_flash_bytes(a, place->offset + MESSAGE_OFFSET);
  view->message.size = (size_t)size;
  error = covey_manifest_open(view->message, &view->contents);
  if (error == 0) error = covey_manifest_parse(view->contents, &view->manifest);
  if (error == 0) error = covey_slot_layout(a, m, slot, view);
  if (error != 0) return error;
  view->tables[COVEY_CHUNK_TABLE].digest = view->manifest.chunk_table_digest;
  view->tables[COVEY_TELEMETRY_TABLES].digest = view->manifest.tables_digest;
  size = size_in(a, view->tables[COVEY_TELEMETRY_TABLES].at - COVEY_ROW_BYTES, COVEY_ROW_TABLES);
  view->tables_present = (uint32_t)size <= COVEY_TABLES_BYTES_MAX;
  view->tables[COVEY_TELEMETRY_TABLES].size = (uint32_t)size;
  return COVEY_OK;
}

void covey_slot_scan(covey_model_t* m) {
  covey_agent_t* a = m->agent;
  covey_slot_view_t view;
  uint8_t slot;
  m->slots_present = 0;
  for (slot = 0; slot < m->config->slot_count; ++slot) {
    if (covey_slot_view(m, slot, &view) != 0 ||
        size_in(a, view.base + COVEY_ROW_BYTES, COVEY_ROW_ERASED) != 0) {
      continue;
    }
    covey_digest_of(a, view.contents.bytes, view.contents.size, m->slot_digest[slot]);
    m->slots_present |= (uint8_t)(1U << slot);
  }
}

const uint8_t* covey_slot_digest(const covey_model_t* m, uint8_t slot) {
  const bool present = slot < COVEY_SLOTS_MAX && (m->slots_present >> slot & 1) != 0;
  return present ? m->slot_digest[slot] : NULL;
}

bool covey_slot_holds(const covey_model_t* m, uint8_t slot, const uint8_t* digest) {
  const uint8_t* held = covey_slot_digest(m, slot);
  return held != NULL && covey_bytes_same_digest(held, digest);
}

uint8_t covey_slot_find(const covey_model_t* m, const uint8_t* digest) {
  uint8_t slot;
  for (slot = 0; slot < COVEY_SLOTS_MAX; ++slot) {
    if (covey_slot_holds(m, slot, digest)) return slot;
  }
  return COVEY_NO_SLOT;
}

/* Writes the row at this offset. */
static int mark(covey_agent_t* a, uint32_t offset, uint8_t key, uint32_t value) {
  covey_row_t row;
  memset(&row, 0, sizeof row);
  row.value = value;
  return covey_row_write(a, offset, key, &row);
}

int covey_slot_begin(covey_model_t* m, uint8_t slot, covey_bytes_t message) {
  covey_agent_t* a = m->agent;
  const uint32_t base = m->config->slots[slot].offset;
  int error;
  m->slots_present &= (uint8_t) ~(1U << slot);
  error = covey_flash_erase(a, base, TABLE_OFFSET);
  if (error == 0) error = covey_flash_write(a, base + MESSAGE_OFFSET, message.bytes, message.size);
  return error != 0 ? error : mark(a, base, COVEY_ROW_HEADER, (uint32_t)message.size);
}

int covey_slot_erased(covey_agent_t* a, const covey_slot_view_t* view) {
  return mark(a, view->base + COVEY_ROW_BYTES, COVEY_ROW_ERASED, 0);
}

int covey_slot_tables(covey_agent_t* a, const covey_slot_view_t* view, uint32_t size) {
  return mark(a, view->tables[COVEY_TELEMETRY_TABLES].at - COVEY_ROW_BYTES, COVEY_ROW_TABLES, size);
}
