/* SPDX-License-Identifier: Apache-2.0 */
#include "covey/port_zephyr.h"

#include <errno.h>
#include <string.h>
#include <zephyr/drivers/flash.h>
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/kernel.h>

#include "covey/error.h"
#include "covey/port_psa.h"

static __noinit covey_retained_t retained;

covey_retained_t* covey_zephyr_retained(void) { return &retained; }

covey_start_cause_t covey_zephyr_start_cause(void) {
  uint32_t cause = 0;
  if (hwinfo_get_reset_cause(&cause) != 0) return COVEY_START_UNKNOWN;
  (void)hwinfo_clear_reset_cause();
  /* Several may be set; what says most about the model comes first. */
  if ((cause & RESET_WATCHDOG) != 0) return COVEY_START_WATCHDOG;
  if ((cause & RESET_CPU_LOCKUP) != 0) return COVEY_START_FAULT;
  if ((cause & RESET_BROWNOUT) != 0) return COVEY_START_BROWN_OUT;
  if ((cause & RESET_LOW_POWER_WAKE) != 0) return COVEY_START_SLEEP;
  if ((cause & RESET_POR) != 0) return COVEY_START_POWER_ON;
  if ((cause & RESET_SOFTWARE) != 0) return COVEY_START_SOFTWARE;
  return COVEY_START_UNKNOWN;
}

/* ---- Flash */

static int flash_read_area(void* ctx, uint32_t offset, void* into, size_t size) {
  const covey_zephyr_t* zephyr = (const covey_zephyr_t*)ctx;
  return flash_area_read(zephyr->area, (off_t)offset, into, size);
}

static int flash_write_area(void* ctx, uint32_t offset, const void* from, size_t size) {
  const covey_zephyr_t* zephyr = (const covey_zephyr_t*)ctx;
  return flash_area_write(zephyr->area, (off_t)offset, from, size);
}

static int flash_erase_unit(void* ctx, uint32_t offset) {
  const covey_zephyr_t* zephyr = (const covey_zephyr_t*)ctx;
  return flash_area_erase(zephyr->area, (off_t)offset, zephyr->port.flash.erase_unit_bytes);
}

static int open_flash(covey_zephyr_t* zephyr, uint8_t partition) {
  covey_flash_t* flash = &zephyr->port.flash;
  struct flash_pages_info page;
  int error = flash_area_open(partition, &zephyr->area);
  if (error != 0) return error;
  error = flash_get_page_info_by_offs(zephyr->area->fa_dev, zephyr->area->fa_off, &page);
  if (error != 0) return error;
  flash->ctx = zephyr;
  flash->size_bytes = (uint32_t)zephyr->area->fa_size;
  flash->erase_unit_bytes = (uint32_t)page.size;
  flash->write_align_bytes = flash_area_align(zephyr->area);
  flash->erased_value = flash_area_erased_val(zephyr->area);
  flash->xip_base =
      (const uint8_t*)((uintptr_t)CONFIG_FLASH_BASE_ADDRESS + (uintptr_t)zephyr->area->fa_off);
  flash->read = flash_read_area;
  flash->write = flash_write_area;
  flash->erase = flash_erase_unit;
  return COVEY_OK;
}

/* ---- Link */

static uint16_t next_message_id(covey_zephyr_t* zephyr) {
  if (++zephyr->message_id == 0) zephyr->message_id = 1;
  return zephyr->message_id;
}

static struct mqtt_utf8 utf8_of(const char* text) {
  struct mqtt_utf8 utf8;
  utf8.utf8 = (const uint8_t*)text;
  utf8.size = (uint32_t)strlen(text);
  return utf8;
}

/* No room, or no connection: the agent asks again, and hears of a lost connection by its event. */
static int result_of(int error) {
  return error == 0         ? COVEY_OK
         : error == -ENOMEM ? COVEY_ERROR_MESSAGE_TOO_LARGE
                            : COVEY_ERROR_AGAIN;
}

static int publish(void* ctx, const char* topic, const uint8_t* payload, size_t size, uint8_t qos) {
  covey_zephyr_t* zephyr = (covey_zephyr_t*)ctx;
  struct mqtt_publish_param param;
  memset(&param, 0, sizeof param);
  param.message.topic.topic = utf8_of(topic);
  param.message.topic.qos = qos;
  param.message.payload.data = (uint8_t*)(uintptr_t)payload; /* the library only reads it */
  param.message.payload.len = (uint32_t)size;
  param.message_id = next_message_id(zephyr);
  return result_of(mqtt_publish(zephyr->client, &param));
}

static int change_subscription(covey_zephyr_t* zephyr, const char* topic, uint8_t qos,
                               int (*change)(struct mqtt_client* client,
                                             const struct mqtt_subscription_list* param)) {
  struct mqtt_topic one;
  struct mqtt_subscription_list list;
  memset(&list, 0, sizeof list);
  one.topic = utf8_of(topic);
  one.qos = qos;
  list.list = &one;
  list.list_count = 1;
  list.message_id = next_message_id(zephyr);
  return result_of(change(zephyr->client, &list));
}

static int subscribe(void* ctx, const char* topic, uint8_t qos) {
  return change_subscription((covey_zephyr_t*)ctx, topic, qos, mqtt_subscribe);
}

static int unsubscribe(void* ctx, const char* topic) {
  return change_subscription((covey_zephyr_t*)ctx, topic, 0, mqtt_unsubscribe);
}

/* The payload is read in pieces, whatever its size; what is not for the agent is read over. */
static void receive(covey_zephyr_t* zephyr, covey_agent_t* agent,
                    const struct mqtt_publish_param* message) {
  const struct mqtt_utf8* topic = &message->message.topic.topic;
  const size_t total = message->message.payload.len;
  uint8_t piece[128];
  size_t at = 0;
  if (total == 0) {
    (void)covey_agent_receive(agent, (const char*)topic->utf8, topic->size, piece, 0, 0, 0);
  }
  while (at < total) {
    const size_t wanted = total - at < sizeof piece ? total - at : sizeof piece;
    const int got = mqtt_read_publish_payload_blocking(zephyr->client, piece, wanted);
    if (got <= 0) return; /* the connection is gone: its event follows */
    (void)covey_agent_receive(agent, (const char*)topic->utf8, topic->size, piece, (size_t)got, at,
                              total);
    at += (size_t)got;
  }
  if (message->message.topic.qos == MQTT_QOS_1_AT_LEAST_ONCE) {
    struct mqtt_puback_param ack;
    memset(&ack, 0, sizeof ack);
    ack.message_id = message->message_id;
    (void)mqtt_publish_qos1_ack(zephyr->client, &ack);
  }
}

void covey_zephyr_event(covey_zephyr_t* zephyr, covey_agent_t* agent,
                        const struct mqtt_evt* event) {
  const uint64_t now_ms = (uint64_t)k_uptime_get();
  if (event->type == MQTT_EVT_CONNACK && event->result == 0) {
    covey_agent_connected(agent, now_ms);
  } else if (event->type == MQTT_EVT_DISCONNECT) {
    covey_agent_disconnected(agent, now_ms);
  } else if (event->type == MQTT_EVT_PUBLISH && event->result == 0) {
    receive(zephyr, agent, &event->param.publish);
  }
}

/* ---- Lock */

static void lock(void* ctx) { ((covey_zephyr_t*)ctx)->irq_key = irq_lock(); }

static void unlock(void* ctx) { irq_unlock(((covey_zephyr_t*)ctx)->irq_key); }

int covey_zephyr_open(covey_zephyr_t* zephyr, uint8_t partition, struct mqtt_client* client) {
  covey_port_t* port = &zephyr->port;
  int error;
  memset(zephyr, 0, sizeof *zephyr);
  zephyr->client = client;
  error = open_flash(zephyr, partition);
  if (error == 0)
    error =
        covey_flash_store_open(&zephyr->identity, &port->flash, 0, port->flash.erase_unit_bytes);
  if (error == 0) error = covey_psa_crypto(&port->crypto);
  if (error != 0) return error;
  port->store = covey_flash_store_port(&zephyr->identity);
  port->link.ctx = zephyr;
  port->link.publish = publish;
  port->link.subscribe = subscribe;
  port->link.unsubscribe = unsubscribe;
  port->lock_ctx = zephyr;
  port->lock = lock;
  port->unlock = unlock;
  return COVEY_OK;
}
