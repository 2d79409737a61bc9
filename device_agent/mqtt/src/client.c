/* SPDX-License-Identifier: Apache-2.0 */
#include "covey/mqtt.h"

#include <string.h>

#include "packet.h"

#define RESPONSE_TIMEOUT_DEFAULT_MS 10000u

const char* covey_mqtt_result_name(int result) {
  static const char names[][10] = {"OK",        "BUSY",     "TOO_LARGE", "ARGUMENT", "STATE",
                                   "MALFORMED", "PROTOCOL", "REFUSED",   "TIMEOUT",  "UNKNOWN"};
  const unsigned index = 0u - (unsigned)result;
  return names[index < 9u ? index : 9u];
}

int covey_mqtt_init(covey_mqtt* client, const covey_mqtt_config* config) {
  if (config->output == NULL || config->output_size < 64 || config->topic == NULL ||
      config->topic_size < 2 || config->handler == NULL) {
    return COVEY_MQTT_ARGUMENT;
  }
  memset(client, 0, sizeof *client);
  client->config = *config;
  if (client->config.response_timeout_ms == 0) {
    client->config.response_timeout_ms = RESPONSE_TIMEOUT_DEFAULT_MS;
  }
  return COVEY_MQTT_OK;
}

static void wait_for_answer(covey_mqtt* client) {
  client->waiting = true;
  client->waiting_since_ms = client->now_ms;
}

int covey_mqtt_connect(covey_mqtt* client, const covey_mqtt_connect_options* options,
                       uint64_t now_ms) {
  /* protocol name, level 3.1.1 [MQTT-3.1.2-2] */
  static const uint8_t begin[] = {0, 4, 'M', 'Q', 'T', 'T', 4};
  unsigned flags = 0x02u; /* clean session */
  int result;
  memset(&client->in, 0, sizeof client->in);
  memset(client->in_flight, 0, sizeof client->in_flight);
  client->output_used = 0;
  client->puback_id = 0;
  client->waiting = false;
  client->state = STATE_CLOSED;

  packet_begin(client, PACKET_CONNECT << 4, now_ms);
  if (options->will_qos > 1 ||
      (options->password != NULL && options->username == NULL)) { /* [MQTT-3.1.2-22] */
    return COVEY_MQTT_ARGUMENT;
  }
  if (options->will_topic != NULL) {
    flags |= 0x04u | (unsigned)options->will_qos << 3 | (options->will_retain ? 0x20u : 0u);
  }
  if (options->username != NULL) flags |= 0x80u;
  if (options->password != NULL) flags |= 0x40u;
  put(client, begin, sizeof begin);
  put_byte(client, flags);
  put_u16(client, options->keep_alive_s);
  put_text(client, options->client_id, NULL); /* this order: [MQTT-3.1.3-1] */
  if (options->will_topic != NULL) {
    put_text(client, options->will_topic, "+#");
    put_field(client, options->will_payload, options->will_size);
  }
  if (options->username != NULL) put_text(client, options->username, NULL);
  if (options->password != NULL) put_field(client, options->password, options->password_size);
  result = packet_finish(client, NULL);
  if (result != COVEY_MQTT_OK) return result;
  client->state = STATE_CONNECTING;
  client->keep_alive_ms = (uint32_t)options->keep_alive_s * 1000u;
  client->received_ms = client->now_ms;
  wait_for_answer(client);
  return COVEY_MQTT_OK;
}

const uint8_t* covey_mqtt_output(const covey_mqtt* client, size_t* size) {
  *size = client->output_used;
  return client->config.output;
}

void covey_mqtt_sent(covey_mqtt* client, size_t size) {
  if (size > client->output_used) size = client->output_used;
  client->output_used -= size;
  memmove(client->config.output, client->config.output + size, client->output_used);
}

int covey_mqtt_publish(covey_mqtt* client, const char* topic, const uint8_t* payload, size_t size,
                       uint8_t qos, bool retain, uint64_t now_ms, uint16_t* packet_id) {
  packet_begin(client, PACKET_PUBLISH << 4 | (unsigned)qos << 1 | (unsigned)(retain ? 1 : 0),
               now_ms);
  if (qos > 1) return COVEY_MQTT_ARGUMENT;
  put_text(client, topic, "+#");              /* a name has no wildcards [MQTT-3.3.2-2] */
  if (qos > 0) put_id(client, PACKET_PUBACK); /* [MQTT-2.3.1-5]: QoS 0 has no packet id */
  put(client, payload, size);
  return packet_finish(client, packet_id);
}

#define NO_QOS 0xffu /* what UNSUBSCRIBE has behind each filter: nothing */

/* Flags 0010: [MQTT-3.8.1-1], [MQTT-3.10.1-1]. Answers are the next packet types. */
static int send_filters(covey_mqtt* client, const char* const* filters, size_t count, uint8_t qos,
                        uint64_t now_ms, uint16_t* packet_id) {
  const unsigned type = qos == NO_QOS ? PACKET_UNSUBSCRIBE : PACKET_SUBSCRIBE;
  if (count == 0 || filters == NULL) {
    return COVEY_MQTT_ARGUMENT; /* at least one filter: [MQTT-3.8.3-3], [MQTT-3.10.3-2] */
  }
  packet_begin(client, type << 4 | 2u, now_ms);
  put_id(client, (uint8_t)(type + 1u));
  for (; count > 0; --count) {
    put_text(client, *filters++, "");
    if (qos != NO_QOS) put_byte(client, qos);
  }
  return packet_finish(client, packet_id);
}

int covey_mqtt_subscribe(covey_mqtt* client, const char* const* filters, size_t count, uint8_t qos,
                         uint64_t now_ms, uint16_t* packet_id) {
  return qos > 1 ? COVEY_MQTT_ARGUMENT
                 : send_filters(client, filters, count, qos, now_ms, packet_id);
}

int covey_mqtt_unsubscribe(covey_mqtt* client, const char* const* filters, size_t count,
                           uint64_t now_ms, uint16_t* packet_id) {
  return send_filters(client, filters, count, NO_QOS, now_ms, packet_id);
}

int covey_mqtt_disconnect(covey_mqtt* client, uint64_t now_ms) {
  int result;
  packet_begin(client, PACKET_DISCONNECT << 4, now_ms);
  result = packet_finish(client, NULL);
  if (result == COVEY_MQTT_OK) client->state = STATE_CLOSING; /* [MQTT-3.14.4-2]: nothing after */
  return result;
}

int covey_mqtt_tick(covey_mqtt* client, uint64_t now_ms, uint32_t* wait_ms) {
  const uint32_t now = (uint32_t)now_ms; /* differences are below 49 days */
  const uint32_t unsent_ms = now - client->sent_ms;
  const uint32_t unheard_ms = now - client->received_ms;
  uint32_t quiet_ms = unsent_ms > unheard_ms ? unsent_ms : unheard_ms;
  uint32_t limit_ms = client->keep_alive_ms / 4u * 3u;
  *wait_ms = UINT32_MAX;
  if (client->state != STATE_CONNECTING && client->state != STATE_CONNECTED) return COVEY_MQTT_OK;
  if (!client->waiting) {
    if (limit_ms == 0) return COVEY_MQTT_OK;
    /* A ping is due when nothing was sent for three quarters of the keep alive [MQTT-3.1.2-23], and
     * also when nothing was *received* for that long: a client that only publishes at QoS 0 would
     * never notice that the other side is gone. */
    if (quiet_ms >= limit_ms) {
      /* No room: output does not drain, then the time-out below is right too. */
      packet_begin(client, PACKET_PINGREQ << 4, now_ms);
      (void)packet_finish(client, NULL);
      wait_for_answer(client);
    }
  }
  if (client->waiting) {
    quiet_ms = now - client->waiting_since_ms;
    limit_ms = client->config.response_timeout_ms;
  }
  if (quiet_ms >= limit_ms) {
    client->state = STATE_CLOSED;
    return COVEY_MQTT_TIMEOUT;
  }
  *wait_ms = limit_ms - quiet_ms;
  return COVEY_MQTT_OK;
}

bool covey_mqtt_connected(const covey_mqtt* client) { return client->state == STATE_CONNECTED; }

uint32_t covey_mqtt_skipped(const covey_mqtt* client) { return client->skipped; }
