/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a configuration can work. It is constant in a product, so it is asked on the bench. */
#include <string.h>

#include "../flash/flash.h"
#include "../link/link.h"

static bool power_of_two(uint32_t value) { return value != 0 && (value & (value - 1)) == 0; }

static bool overlap(uint32_t x, uint32_t x_bytes, uint32_t y, uint32_t y_bytes) {
  return x < y + y_bytes && y < x + x_bytes;
}

static bool inside(const covey_flash_t* flash, uint32_t offset, uint32_t bytes) {
  return offset % flash->erase_unit_bytes == 0 && bytes % flash->erase_unit_bytes == 0 &&
         offset <= flash->size_bytes && bytes <= flash->size_bytes - offset;
}

static int check_slot(const covey_agent_config_t* c, const covey_slot_t* slot) {
  const covey_flash_t* flash = &c->port->flash;
  const covey_model_config_t* m;
  uint32_t i;
  if (!inside(flash, slot->offset, slot->size_bytes) || slot->offset % COVEY_ROW_BYTES != 0 ||
      slot->size_bytes < COVEY_SLOT_BYTES_MIN ||
      (uintptr_t)(flash->xip_base + slot->offset) % COVEY_ARENA_ALIGN != 0) {
    return COVEY_ERROR_FLASH_GEOMETRY;
  }
  if (overlap(slot->offset, slot->size_bytes, c->journal_offset, c->journal_bytes)) {
    return COVEY_ERROR_CONFIG;
  }
  for (m = c->models; m != c->models + c->model_count; ++m) {
    for (i = 0; i < m->slot_count && i < COVEY_SLOTS_MAX; ++i) {
      const covey_slot_t* other = &m->slots[i];
      if (other != slot &&
          overlap(slot->offset, slot->size_bytes, other->offset, other->size_bytes)) {
        return COVEY_ERROR_CONFIG;
      }
    }
  }
  return COVEY_OK;
}

static int check_model(const covey_agent_config_t* c, const covey_model_config_t* m) {
  uint32_t i;
  int error = COVEY_OK;
  if (m->name == NULL || m->name[0] == '\0' || strlen(m->name) > COVEY_MODEL_NAME_BYTES_MAX ||
      m->runtime == NULL || (m->arena == NULL && m->arena_bytes != 0) ||
      (uintptr_t)m->arena % COVEY_ARENA_ALIGN != 0 || m->slot_count == 0 ||
      m->slot_count > COVEY_SLOTS_MAX) {
    return COVEY_ERROR_CONFIG;
  }
  for (i = 0; i < m->slot_count && error == 0; ++i) error = check_slot(c, &m->slots[i]);
  return error;
}

static int check_flash(const covey_agent_config_t* c) {
  const covey_flash_t* flash = &c->port->flash;
  const uint32_t half = c->journal_bytes / 2;
  if (!power_of_two(flash->erase_unit_bytes) || !power_of_two(flash->write_align_bytes) ||
      flash->write_align_bytes > COVEY_ROW_BYTES || flash->erase_unit_bytes < 4 * COVEY_ROW_BYTES ||
      flash->size_bytes > INT32_MAX || flash->size_bytes > UINT32_MAX / COVEY_BYTE_BUDGET_FACTOR ||
      !inside(flash, c->journal_offset, c->journal_bytes) || half % flash->erase_unit_bytes != 0 ||
      half / COVEY_ROW_BYTES < 2 * c->model_count + 4) {
    return COVEY_ERROR_FLASH_GEOMETRY;
  }
  return COVEY_OK;
}

#if COVEY_ROOT
/* A journal that has room for the largest. */
static int check_root(const covey_agent_config_t* c) {
  if (c->root.size == 0) return COVEY_OK;
  if (c->root.bytes == NULL || c->root.size > COVEY_SIGNED_ROOT_BYTES_MAX)
    return COVEY_ERROR_CONFIG;
  return c->journal_bytes / 2 / COVEY_ROW_BYTES <
                 COVEY_ROOT_ROWS_MAX + 2 * (uint32_t)c->model_count + 4
             ? COVEY_ERROR_FLASH_GEOMETRY
             : COVEY_OK;
}
#endif

static bool port_complete(const covey_port_t* p) {
  return p->flash.read != NULL && p->flash.write != NULL && p->flash.erase != NULL &&
         p->flash.xip_base != NULL && p->crypto.hash_begin != NULL &&
         p->crypto.hash_update != NULL && p->crypto.hash_finish != NULL &&
         p->crypto.verify != NULL && p->crypto.mac != NULL && p->crypto.random != NULL &&
         p->store.read != NULL && p->store.write != NULL && p->link.publish != NULL &&
         p->link.subscribe != NULL && p->link.unsubscribe != NULL &&
         (p->lock == NULL) == (p->unlock == NULL);
}

static bool outbox_complete(const covey_port_t* p) {
  uint32_t place;
  if (p->outbox_places > COVEY_OUTBOX_PLACES_MAX || (p->outbox_places != 0 && p->outbox == NULL)) {
    return false;
  }
  for (place = 0; place < p->outbox_places; ++place) {
    if (p->outbox[place].read == NULL || p->outbox[place].write == NULL) return false;
  }
  return true;
}

/* 1 to 15 of a-z 0-9 -, the first one no -. */
static bool claim_is_valid(const covey_agent_config_t* c) {
#if COVEY_CLAIM
  size_t i;
  if (c->claim == NULL) return c->claim_proof == NULL;
  for (i = 0; c->claim[i] != '\0'; ++i) {
    const char x = c->claim[i];
    const bool good = (x >= 'a' && x <= 'z') || (x >= '0' && x <= '9') || (x == '-' && i > 0);
    if (!good || i >= COVEY_CLAIM_NAME_BYTES_MAX) return false;
  }
  return i > 0;
#else
  (void)c; /* nobody looks at it */
  return true;
#endif
}

int covey_config_check(const covey_agent_config_t* c) {
  const covey_times_t* t;
  size_t k;
  int error;
  if (c == NULL) return COVEY_ERROR_ARGUMENT;
  t = &c->times;
  if (c->port == NULL || !port_complete(c->port) || !outbox_complete(c->port) ||
      c->device_id == NULL || !covey_topic_id_valid(c->device_id) || !claim_is_valid(c) ||
      c->device_class == NULL || strlen(c->device_class) > COVEY_DEVICE_CLASS_BYTES_MAX ||
      c->firmware == NULL || strlen(c->firmware) > COVEY_FIRMWARE_BYTES_MAX ||
      c->model_count == 0 || c->model_count > COVEY_MODELS_MAX || c->models == NULL ||
      (c->keys == NULL && c->key_count != 0) || c->send_buffer == NULL ||
      c->send_bytes < COVEY_SEND_BYTES_MIN || c->receive_buffer == NULL ||
      c->receive_bytes < COVEY_RECEIVE_BYTES_MIN || t->retry_max_ms > UINT32_MAX / 4 ||
      t->report_interval_ms > UINT32_MAX / 4 || t->keep_ms == COVEY_NEVER ||
      (t->retry_max_ms != 0 && t->retry_min_ms > t->retry_max_ms)) {
    return COVEY_ERROR_CONFIG;
  }
  error = check_flash(c);
#if COVEY_ROOT
  if (error == 0) error = check_root(c);
#endif
  for (k = 0; k < c->model_count && error == 0; ++k) error = check_model(c, &c->models[k]);
  return error;
}
