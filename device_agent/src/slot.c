/* What a slot holds. Layout and the order in which it is written: internal.h. */
#include "internal.h"

#define HEADER_MAGIC 0x31535643U /* "CVS1" */
#define ERASED_MAGIC 0x31455643U /* "CVE1": all that the image needs was erased */
#define TABLES_MAGIC 0x31545643U /* "CVT1" */
#define MESSAGE_OFFSET (2 * COVEY_ROW_BYTES)
#define TABLE_OFFSET (MESSAGE_OFFSET + COVEY_SIGNED_MANIFEST_BYTES_MAX)

typedef struct row {
  uint32_t magic;
  uint32_t value;
  uint32_t zero[13];
  uint32_t crc; /* of all before it */
} row_t;
COVEY_STATIC_ASSERT(sizeof(row_t) == COVEY_ROW_BYTES);

static uint32_t crc_of(const row_t* row) {
  return covey_crc32((const uint8_t*)row, offsetof(row_t, crc));
}

static int write_row(covey_agent_t* a, uint32_t offset, uint32_t magic, uint32_t value) {
  row_t row;
  memset(&row, 0, sizeof row);
  row.magic = magic;
  row.value = value;
  row.crc = crc_of(&row);
  return covey_flash_write(a, offset, &row, sizeof row);
}

static bool read_row(covey_agent_t* a, uint32_t offset, uint32_t magic, uint32_t* value) {
  row_t row;
  if (covey_flash_read(a, offset, &row, sizeof row) != 0) return false;
  *value = row.value;
  return row.magic == magic && row.crc == crc_of(&row);
}

const uint8_t* covey_slot_bytes(const covey_agent_t* a, uint32_t offset) {
  return covey_port(a)->flash.xip_base + offset;
}

uint32_t covey_slot_usable(const covey_agent_t* a, const covey_model_t* model) {
  /* The gateway reckons with 4,096 bytes beside chunk table and image; what alignment may cost
   * more is taken off here. */
  const covey_model_config_t* m = model->config;
  const uint32_t unit = covey_port(a)->flash.erase_unit_bytes;
  const uint32_t lost = unit <= 4096 ? unit : 4 * COVEY_ROW_BYTES;
  uint32_t smallest = UINT32_MAX;
  uint32_t i;
  for (i = 0; i < m->slot_count; ++i) {
    if (m->slots[i].size_bytes < smallest) smallest = m->slots[i].size_bytes;
  }
  return smallest > lost ? smallest - lost : 0;
}

int covey_slot_layout(const covey_agent_t* a, const covey_model_t* m, uint8_t slot,
                      covey_slot_view_t* view) {
  const covey_slot_t* place = &m->config->slots[slot];
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

int covey_slot_view(covey_agent_t* a, const covey_model_t* m, uint8_t slot,
                    covey_slot_view_t* view) {
  const covey_model_config_t* config = m->config;
  covey_bytes_t manifest;
  uint32_t size = 0;
  int error;
  if (slot >= config->slot_count || !read_row(a, config->slots[slot].offset, HEADER_MAGIC, &size) ||
      size > COVEY_SIGNED_MANIFEST_BYTES_MAX) {
    return COVEY_ERROR_MANIFEST_MALFORMED;
  }
  view->message.bytes = covey_slot_bytes(a, config->slots[slot].offset + MESSAGE_OFFSET);
  view->message.size = size;
  error = covey_signed_manifest_open(view->message, &manifest);
  if (error == 0) error = covey_manifest_parse(manifest, &view->manifest);
  if (error == 0) error = covey_slot_layout(a, m, slot, view);
  if (error != 0) return error;
  view->tables_present =
      read_row(a, view->tables_row, TABLES_MAGIC, &size) && size <= COVEY_TABLES_BYTES_MAX;
  view->tables_size = view->tables_present ? size : 0;
  return COVEY_OK;
}

void covey_slots_scan(covey_agent_t* a, covey_model_t* m) {
  covey_slot_view_t view;
  uint8_t slot;
  m->slots_present = 0;
  for (slot = 0; slot < m->config->slot_count; ++slot) {
    covey_bytes_t manifest;
    if (covey_slot_view(a, m, slot, &view) != 0 || !covey_slot_erased(a, &view) ||
        covey_signed_manifest_open(view.message, &manifest) != 0) {
      continue;
    }
    covey_digest(a, manifest.bytes, manifest.size, m->slot_digest[slot]);
    m->slots_present |= (uint8_t)(1U << slot);
  }
}

const uint8_t* covey_slot_digest(const covey_model_t* m, uint8_t slot) {
  const bool present = slot < COVEY_SLOTS_MAX && (m->slots_present >> slot & 1) != 0;
  return present ? m->slot_digest[slot] : NULL;
}

bool covey_slot_holds(const covey_model_t* m, uint8_t slot, const uint8_t* digest) {
  const uint8_t* held = covey_slot_digest(m, slot);
  return held != NULL && covey_digest_equal(held, digest);
}

uint8_t covey_slot_find(const covey_model_t* m, const uint8_t* digest) {
  uint8_t slot;
  for (slot = 0; slot < COVEY_SLOTS_MAX; ++slot) {
    if (covey_slot_holds(m, slot, digest)) return slot;
  }
  return COVEY_NO_SLOT;
}

int covey_slot_begin(covey_agent_t* a, covey_model_t* m, uint8_t slot, covey_bytes_t message) {
  const uint32_t base = m->config->slots[slot].offset;
  int error;
  m->slots_present &= (uint8_t) ~(1U << slot);
  error = covey_flash_erase(a, base, TABLE_OFFSET);
  if (error == 0) error = covey_flash_write(a, base + MESSAGE_OFFSET, message.bytes, message.size);
  if (error == 0) error = write_row(a, base, HEADER_MAGIC, (uint32_t)message.size);
  return error;
}

bool covey_slot_erased(covey_agent_t* a, const covey_slot_view_t* view) {
  uint32_t value;
  return read_row(a, view->base + COVEY_ROW_BYTES, ERASED_MAGIC, &value);
}

int covey_slot_mark_erased(covey_agent_t* a, const covey_slot_view_t* view) {
  return write_row(a, view->base + COVEY_ROW_BYTES, ERASED_MAGIC, 0);
}

int covey_slot_write_tables_row(covey_agent_t* a, const covey_slot_view_t* view, uint32_t size) {
  return write_row(a, view->tables_row, TABLES_MAGIC, size);
}
