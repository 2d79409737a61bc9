#include "covey/mqtt.h"

#include <string.h>

#include "packet.h"

#define RESPONSE_TIMEOUT_DEFAULT_MS 10000u

const char* covey_mqtt_result_name(int result) {
  switch (result) {
    case COVEY_MQTT_OK:
      return "OK";
    case COVEY_MQTT_BUSY:
      return "BUSY";
    case COVEY_MQTT_TOO_LARGE:
      return "TOO_LARGE";
    case COVEY_MQTT_ARGUMENT:
      return "ARGUMENT";
    case COVEY_MQTT_STATE:
      return "STATE";
    case COVEY_MQTT_MALFORMED:
      return "MALFORMED";
    case COVEY_MQTT_PROTOCOL:
      return "PROTOCOL";
    case COVEY_MQTT_REFUSED:
      return "REFUSED";
    case COVEY_MQTT_TIMEOUT:
      return "TIMEOUT";
    default: /* an int, not the enum: any number can come */
      return "UNKNOWN";
  }
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

/* Length of a string that fits an MQTT field, or -1. */
static int field_size(const char* text, size_t* size) {
  *size = text == NULL ? 0 : strlen(text);
  return *size > MQTT_STRING_MAX ? COVEY_MQTT_ARGUMENT : COVEY_MQTT_OK;
}

/* Topic names have no wildcards [MQTT-3.3.2-2] and at least one character [MQTT-4.7.3-1]. */
static bool topic_valid(const char* topic) {
  return topic != NULL && topic[0] != '\0' && strpbrk(topic, "+#") == NULL;
}

static void forget_connection(covey_mqtt* client) {
  memset(client->in_flight, 0, sizeof client->in_flight);
  client->output_used = 0;
  client->remaining = 0;
  client->puback_id = 0;
  client->step = 0;
  client->waiting = false;
  client->skipping = false;
}

int covey_mqtt_connect(covey_mqtt* client, const covey_mqtt_connect_options* options,
                       uint64_t now_ms) {
  size_t id_size;
  size_t username_size;
  size_t topic_size;
  if (options->client_id == NULL || field_size(options->client_id, &id_size) != 0 ||
      field_size(options->username, &username_size) != 0 ||
      field_size(options->will_topic, &topic_size) != 0 ||
      options->password_size > MQTT_STRING_MAX || options->will_size > MQTT_STRING_MAX ||
      options->will_qos > 1 || (options->password_size > 0 && options->password == NULL) ||
      (options->will_size > 0 && options->will_payload == NULL)) {
    return COVEY_MQTT_ARGUMENT;
  }
  const bool will = options->will_topic != NULL;
  const bool user = options->username != NULL;
  const bool password = options->password != NULL;
  if ((will && !topic_valid(options->will_topic)) || (password && !user)) { /* [MQTT-3.1.2-22] */
    return COVEY_MQTT_ARGUMENT;
  }
  size_t length = 10 + 2 + id_size;
  length += will ? 2 + topic_size + 2 + options->will_size : 0;
  length += user ? 2 + username_size : 0;
  length += password ? 2 + options->password_size : 0;

  forget_connection(client);
  client->state = STATE_CLOSED;
  uint8_t* at;
  int result = packet_begin(client, PACKET_CONNECT << 4, length, &at);
  if (result != COVEY_MQTT_OK) {
    return result;
  }
  at = put_field(at, "MQTT", 4); /* section 3.1.2.1 */
  *at++ = 4;                     /* protocol level 3.1.1 [MQTT-3.1.2-2] */
  uint8_t flags = 0x02;          /* clean session */
  if (will) {
    flags = (uint8_t)(flags | 0x04u | (unsigned)options->will_qos << 3 |
                      (options->will_retain ? 0x20u : 0u));
  }
  *at++ = (uint8_t)(flags | (user ? 0x80u : 0u) | (password ? 0x40u : 0u));
  at = put_u16(at, options->keep_alive_s);
  at = put_field(at, options->client_id, id_size); /* this order: [MQTT-3.1.3-1] */
  if (will) {
    at = put_field(at, options->will_topic, topic_size);
    at = put_field(at, options->will_payload, options->will_size);
  }
  if (user) {
    at = put_field(at, options->username, username_size);
  }
  if (password) {
    at = put_field(at, options->password, options->password_size);
  }
  packet_finish(client, at, now_ms);
  client->state = STATE_CONNECTING;
  client->keep_alive_ms = (uint32_t)options->keep_alive_s * 1000u;
  client->received_ms = now_ms;
  client->waiting = true;
  client->waiting_since_ms = now_ms;
  return COVEY_MQTT_OK;
}

const uint8_t* covey_mqtt_output(const covey_mqtt* client, size_t* size) {
  *size = client->output_used;
  return client->config.output;
}

void covey_mqtt_sent(covey_mqtt* client, size_t size) {
  if (size >= client->output_used) {
    client->output_used = 0;
    return;
  }
  client->output_used -= size;
  memmove(client->config.output, client->config.output + size, client->output_used);
}

int covey_mqtt_publish(covey_mqtt* client, const char* topic, const uint8_t* payload, size_t size,
                       uint8_t qos, bool retain, uint64_t now_ms, uint16_t* packet_id) {
  size_t topic_size;
  if (!topic_valid(topic) || field_size(topic, &topic_size) != 0 || qos > 1 ||
      (size > 0 && payload == NULL)) {
    return COVEY_MQTT_ARGUMENT;
  }
  if (client->state != STATE_CONNECTED) {
    return COVEY_MQTT_STATE;
  }
  if (size > MQTT_LENGTH_MAX) { /* first, so that the sum below cannot wrap */
    return COVEY_MQTT_TOO_LARGE;
  }
  uint8_t* at;
  const uint8_t header = (uint8_t)(PACKET_PUBLISH << 4 | (unsigned)qos << 1 | (retain ? 1u : 0u));
  int result = packet_begin(client, header, 2 + topic_size + (qos > 0 ? 2u : 0u) + size, &at);
  uint16_t id = 0;
  if (result == COVEY_MQTT_OK && qos > 0) {
    result = in_flight_add(client, PACKET_PUBACK, &id);
  }
  if (result != COVEY_MQTT_OK) {
    return result;
  }
  at = put_field(at, topic, topic_size);
  if (qos > 0) { /* [MQTT-2.3.1-5]: QoS 0 has no packet id */
    at = put_u16(at, id);
  }
  if (size > 0) {
    memcpy(at, payload, size);
    at += size;
  }
  packet_finish(client, at, now_ms);
  if (packet_id != NULL) {
    *packet_id = id;
  }
  return COVEY_MQTT_OK;
}

/* SUBSCRIBE and UNSUBSCRIBE differ in the QoS byte after each filter. Flags 0010: [MQTT-3.8.1-1],
 * [MQTT-3.10.1-1]. */
static int send_filters(covey_mqtt* client, uint8_t type, const char* const* filters, size_t count,
                        const uint8_t* qos, uint64_t now_ms, uint16_t* packet_id) {
  if (count == 0 || filters == NULL || (qos != NULL && *qos > 1)) {
    return COVEY_MQTT_ARGUMENT; /* at least one filter: [MQTT-3.8.3-3], [MQTT-3.10.3-2] */
  }
  size_t length = 2;
  for (size_t i = 0; i < count; i++) {
    size_t size;
    if (filters[i] == NULL || filters[i][0] == '\0' || field_size(filters[i], &size) != 0) {
      return COVEY_MQTT_ARGUMENT;
    }
    length += 2 + size + (qos != NULL ? 1u : 0u);
  }
  if (client->state != STATE_CONNECTED) {
    return COVEY_MQTT_STATE;
  }
  uint8_t* at;
  uint16_t id = 0;
  int result = packet_begin(client, (uint8_t)((unsigned)type << 4 | 2u), length, &at);
  if (result == COVEY_MQTT_OK) {
    result = in_flight_add(client, type == PACKET_SUBSCRIBE ? PACKET_SUBACK : PACKET_UNSUBACK, &id);
  }
  if (result != COVEY_MQTT_OK) {
    return result;
  }
  at = put_u16(at, id);
  for (size_t i = 0; i < count; i++) {
    at = put_field(at, filters[i], strlen(filters[i]));
    if (qos != NULL) {
      *at++ = *qos;
    }
  }
  packet_finish(client, at, now_ms);
  if (packet_id != NULL) {
    *packet_id = id;
  }
  return COVEY_MQTT_OK;
}

int covey_mqtt_subscribe(covey_mqtt* client, const char* const* filters, size_t count, uint8_t qos,
                         uint64_t now_ms, uint16_t* packet_id) {
  return send_filters(client, PACKET_SUBSCRIBE, filters, count, &qos, now_ms, packet_id);
}

int covey_mqtt_unsubscribe(covey_mqtt* client, const char* const* filters, size_t count,
                           uint64_t now_ms, uint16_t* packet_id) {
  return send_filters(client, PACKET_UNSUBSCRIBE, filters, count, NULL, now_ms, packet_id);
}

int covey_mqtt_disconnect(covey_mqtt* client, uint64_t now_ms) {
  if (client->state != STATE_CONNECTED) {
    return COVEY_MQTT_STATE;
  }
  uint8_t* at;
  int result = packet_begin(client, PACKET_DISCONNECT << 4, 0, &at);
  if (result != COVEY_MQTT_OK) {
    return result;
  }
  packet_finish(client, at, now_ms);
  client->state = STATE_CLOSING; /* [MQTT-3.14.4-2]: nothing after DISCONNECT */
  return COVEY_MQTT_OK;
}

/* A ping is due when nothing was sent for three quarters of the keep alive [MQTT-3.1.2-23], and
 * also when nothing was *received* for that long: a client that only publishes at QoS 0 would never
 * notice that the other side is gone. */
static uint64_t ping_due_ms(const covey_mqtt* client) {
  const uint64_t quiet_since =
      client->sent_ms < client->received_ms ? client->sent_ms : client->received_ms;
  return quiet_since + client->keep_alive_ms / 4u * 3u;
}

int covey_mqtt_tick(covey_mqtt* client, uint64_t now_ms, uint32_t* wait_ms) {
  *wait_ms = UINT32_MAX;
  if (client->state != STATE_CONNECTING && client->state != STATE_CONNECTED) {
    return COVEY_MQTT_OK;
  }
  if (!client->waiting && client->keep_alive_ms > 0 && now_ms >= ping_due_ms(client)) {
    uint8_t* at;
    if (packet_begin(client, PACKET_PINGREQ << 4, 0, &at) == COVEY_MQTT_OK) {
      packet_finish(client, at, now_ms);
    } /* else output does not drain; then the time-out below is right too */
    client->waiting = true;
    client->waiting_since_ms = now_ms;
  }
  if (!client->waiting && client->keep_alive_ms == 0) {
    return COVEY_MQTT_OK;
  }
  const uint64_t due = client->waiting
                           ? client->waiting_since_ms + client->config.response_timeout_ms
                           : ping_due_ms(client);
  if (now_ms >= due) {
    client->state = STATE_CLOSED;
    return COVEY_MQTT_TIMEOUT;
  }
  *wait_ms = due - now_ms > UINT32_MAX - 1 ? UINT32_MAX - 1 : (uint32_t)(due - now_ms);
  return COVEY_MQTT_OK;
}

bool covey_mqtt_connected(const covey_mqtt* client) { return client->state == STATE_CONNECTED; }

uint32_t covey_mqtt_skipped(const covey_mqtt* client) { return client->skipped; }
