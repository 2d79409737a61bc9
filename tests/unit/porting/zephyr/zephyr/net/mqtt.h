/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations only; see the README above. */
#ifndef STUB_ZEPHYR_MQTT_H
#define STUB_ZEPHYR_MQTT_H

#include <zephyr/kernel.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mqtt_evt_type {
  MQTT_EVT_CONNACK,
  MQTT_EVT_DISCONNECT,
  MQTT_EVT_PUBLISH,
  MQTT_EVT_PUBACK,
  MQTT_EVT_PUBREC,
  MQTT_EVT_PUBREL,
  MQTT_EVT_PUBCOMP,
  MQTT_EVT_SUBACK,
  MQTT_EVT_UNSUBACK,
  MQTT_EVT_PINGRESP
};

enum mqtt_qos { MQTT_QOS_0_AT_MOST_ONCE = 0, MQTT_QOS_1_AT_LEAST_ONCE = 1 };

struct mqtt_utf8 {
  const uint8_t* utf8;
  uint32_t size;
};

struct mqtt_binstr {
  uint8_t* data;
  uint32_t len;
};

struct mqtt_topic {
  struct mqtt_utf8 topic;
  uint8_t qos;
};

struct mqtt_publish_message {
  struct mqtt_topic topic;
  struct mqtt_binstr payload;
};

struct mqtt_puback_param {
  uint16_t message_id;
};

struct mqtt_publish_param {
  struct mqtt_publish_message message;
  uint16_t message_id;
  uint8_t dup_flag : 1;
  uint8_t retain_flag : 1;
};

struct mqtt_subscription_list {
  struct mqtt_topic* list;
  uint16_t list_count;
  uint16_t message_id;
};

union mqtt_evt_param {
  struct mqtt_publish_param publish;
  struct mqtt_puback_param puback;
};

struct mqtt_evt {
  enum mqtt_evt_type type;
  union mqtt_evt_param param;
  int result;
};

struct mqtt_client {
  void* user_data;
};

int mqtt_publish(struct mqtt_client* client, const struct mqtt_publish_param* param);
int mqtt_publish_qos1_ack(struct mqtt_client* client, const struct mqtt_puback_param* param);
int mqtt_subscribe(struct mqtt_client* client, const struct mqtt_subscription_list* param);
int mqtt_unsubscribe(struct mqtt_client* client, const struct mqtt_subscription_list* param);
int mqtt_read_publish_payload_blocking(struct mqtt_client* client, void* buffer, size_t length);

#ifdef __cplusplus
}
#endif

#endif
