/* What a slot holds. Layout and the order in which it is written: internal.h. */
#include "internal.h"

#define HEADER_MAGIC 0x31535643U /* "CVS1" */
#define ERASED_MAGIC 0x31455643U /* "CVE1": all that the image needs was erased */
#define TABLES_MAGIC 0x31545643U /* "CVT1" */
#define MESSAGE_OFFSET (2 * COVEY_ROW_BYTES)
#define TABLE_OFFSET (MESSAGE_OFFSET + COVEY_SIGNED_MANIFEST_BYTES_MAX)

/* A row {magic, value, prefix of the manifest, crc32}. */
static int write_row(covey_agent_t* a, uint32_t offset, uint32_t magic, uint32_t value) {
  uint8_t row[COVEY_ROW_BYTES];
  memset(row, 0, sizeof row);
  covey_store32(row, magic);
  covey_store32(row + 4, value);
  covey_store32(row + 60, covey_crc32(row, 60));
  return covey_flash_write(a, offset, row, sizeof row);
}

static bool read_row(covey_agent_t* a, uint32_t offset, uint32_t magic, uint32_t* value) {
  uint8_t row[COVEY_ROW_BYTES];
  if (covey_flash_read(a, offset, row, sizeof row) != 0) return false;
  *value = covey_load32(row + 4);
  return covey_load32(row) == magic && covey_crc32(row, 60) == covey_load32(row + 60);
}

const uint8_t* covey_slot_bytes(const covey_agent_t* a, uint32_t offset) {
  return covey_port(a)->flash.xip_base + offset;
}

uint32_t covey_slot_usable(const covey_agent_t* a, size_t model) {
  /* The gateway reckons with 4,096 bytes beside chunk table and image; what alignment may cost
   * more is taken off here. */
  const covey_model_config_t* m = &a->config->models[model];
  const uint32_t unit = covey_port(a)->flash.erase_unit_bytes;
  const uint32_t lost = unit <= 4096 ? unit : 4 * COVEY_ROW_BYTES;
  uint32_t smallest = UINT32_MAX;
  uint32_t i;
  for (i = 0; i < m->slot_count; ++i) {
    if (m->slots[i].size_bytes < smallest) smallest = m->slots[i].size_bytes;
  }
  return smallest > lost ? smallest - lost : 0;
}

int covey_slot_layout(const covey_agent_t* a, size_t model, uint8_t slot, covey_slot_view_t* view) {
  const covey_slot_t* place = &a->config->models[model].slots[slot];
  const uint32_t unit = covey_port(a)->flash.erase_unit_bytes;
  if (view->manifest.chunk_count > COVEY_CHUNKS_MAX) return COVEY_ERROR_SLOT_TOO_SMALL;
  view->base = place->offset;
  view->table = view->base + TABLE_OFFSET;
  view->tables_row =
      view->table +
      covey_align(view->manifest.chunk_count * COVEY_CHUNK_DIGEST_BYTES, COVEY_ROW_BYTES);
  view->tables = view->tables_row + COVEY_ROW_BYTES;
  /* A fixed place, so that erasing can begin before the telemetry tables are there. */
  view->image = covey_align(view->tables + covey_align(COVEY_TABLES_BYTES_MAX, COVEY_ROW_BYTES),
                            unit <= 4096 ? unit : COVEY_ROW_BYTES);
  if (view->manifest.image_size > place->size_bytes ||
      view->image - view->base > place->size_bytes - view->manifest.image_size) {
    return COVEY_ERROR_SLOT_TOO_SMALL;
  }
  return COVEY_OK;
}

int covey_slot_view(covey_agent_t* a, size_t model, uint8_t slot, covey_slot_view_t* view) {
  const covey_model_config_t* m = &a->config->models[model];
  covey_bytes_t manifest;
  uint32_t size = 0;
  int error;
  if (slot >= m->slot_count || !read_row(a, m->slots[slot].offset, HEADER_MAGIC, &size) ||
      size > COVEY_SIGNED_MANIFEST_BYTES_MAX) {
    return COVEY_ERROR_MANIFEST_MALFORMED;
  }
  view->message.bytes = covey_slot_bytes(a, m->slots[slot].offset + MESSAGE_OFFSET);
  view->message.size = size;
  error = covey_signed_manifest_open(view->message, &manifest);
  if (error == 0) {
    error = covey_manifest_parse(manifest, a->config->device_class, &view->manifest);
  }
  if (error == 0) error = covey_slot_layout(a, model, slot, view);
  if (error != 0) return error;
  view->tables_present =
      read_row(a, view->tables_row, TABLES_MAGIC, &size) && size <= COVEY_TABLES_BYTES_MAX;
  view->tables_size = view->tables_present ? size : 0;
  return COVEY_OK;
}

void covey_slots_scan(covey_agent_t* a, size_t model) {
  covey_model_t* m = &a->models[model];
  covey_slot_view_t view;
  uint8_t slot;
  m->slots_present = 0;
  for (slot = 0; slot < a->config->models[model].slot_count; ++slot) {
    covey_bytes_t manifest;
    bool erased = false;
    if (covey_slot_view(a, model, slot, &view) != 0) continue;
    covey_slot_erased(a, &view, &erased);
    if (!erased || covey_signed_manifest_open(view.message, &manifest) != 0) continue;
    covey_digest(a, manifest.bytes, manifest.size, m->slot_digest[slot]);
    m->slots_present |= (uint8_t)(1U << slot);
  }
}

int covey_slot_find(const covey_agent_t* a, size_t model, const uint8_t* digest) {
  const covey_model_t* m = &a->models[model];
  int slot;
  for (slot = 0; slot < COVEY_SLOTS_MAX; ++slot) {
    if ((m->slots_present >> slot & 1) != 0 && covey_digest_equal(m->slot_digest[slot], digest)) {
      return slot;
    }
  }
  return -1;
}

int covey_slot_begin(covey_agent_t* a, size_t model, uint8_t slot, covey_bytes_t message) {
  const uint32_t base = a->config->models[model].slots[slot].offset;
  uint32_t at;
  int error = COVEY_OK;
  a->models[model].slots_present &= (uint8_t) ~(1U << slot);
  for (at = 0; at < TABLE_OFFSET && error == 0; at += covey_port(a)->flash.erase_unit_bytes) {
    error = covey_flash_erase(a, base + at);
  }
  if (error == 0) error = covey_flash_write(a, base + MESSAGE_OFFSET, message.bytes, message.size);
  if (error == 0) error = write_row(a, base, HEADER_MAGIC, (uint32_t)message.size);
  return error;
}

void covey_slot_erased(covey_agent_t* a, const covey_slot_view_t* view, bool* erased) {
  uint32_t value = 0;
  *erased = read_row(a, view->base + COVEY_ROW_BYTES, ERASED_MAGIC, &value);
}

int covey_slot_mark_erased(covey_agent_t* a, const covey_slot_view_t* view) {
  return write_row(a, view->base + COVEY_ROW_BYTES, ERASED_MAGIC, 0);
}

int covey_slot_write_tables_row(covey_agent_t* a, const covey_slot_view_t* view, uint32_t size) {
  return write_row(a, view->tables_row, TABLES_MAGIC, size);
}
