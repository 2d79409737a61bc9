/* SPDX-License-Identifier: Apache-2.0 */
/* The streaming reader: a state machine over bytes. At most one field of a packet is held: the
 * topic in the caller's buffer; payloads pass through. */
#include <string.h>

#include "covey/mqtt.h"
#include "packet.h"

enum {
  STEP_HEADER = 0,
  STEP_LENGTH,
  /* from here on a byte of the packet's remaining ones */
  STEP_NUMBER, /* two bytes: topic length, packet id, or what CONNACK says */
  STEP_TOPIC,
  STEP_CODES, /* SUBACK */
  STEP_PAYLOAD
};

#define QOS_BITS 0x06u

static unsigned type_of(const covey_mqtt* client) { return client->in.header >> 4; }

static void emit(covey_mqtt* client, covey_mqtt_event_type type, const uint8_t* payload,
                 size_t size) {
  covey_mqtt_event event;
  memset(&event, 0, sizeof event);
  event.type = type;
  if (type == COVEY_MQTT_EVENT_MESSAGE) {
    event.topic = client->config.topic;
    event.topic_size = client->in.topic_length;
    event.payload = payload;
    event.size = size;
    event.total = client->in.total;
    event.offset = client->in.total - client->in.remaining;
    event.retained = (client->in.header & 1u) != 0;
  } else if (type != COVEY_MQTT_EVENT_SKIPPED) {
    event.packet_id = client->in.number;
    event.code = client->in.code;
  }
  client->config.handler(client->config.context, &event);
}

/* First byte [MQTT-2.2.2-2]: flags are fixed except for PUBLISH; what only clients send is refused.
 */
static int check_header(const covey_mqtt* client) {
  const unsigned from_servers = 1u << PACKET_CONNACK | 1u << PACKET_PUBACK | 1u << PACKET_SUBACK |
                                1u << PACKET_UNSUBACK | 1u << PACKET_PINGRESP;
  const unsigned type = type_of(client);
  const unsigned flags = client->in.header & 0x0Fu;
  if (type == PACKET_PUBLISH) {
    /* QoS 3 is malformed [MQTT-3.3.1-4]; QoS 2 was never subscribed to. */
    if ((flags & QOS_BITS) == QOS_BITS) return COVEY_MQTT_MALFORMED;
    if ((flags & QOS_BITS) > 2u) return COVEY_MQTT_PROTOCOL;
  } else if (flags != 0 || (from_servers >> type & 1u) == 0) {
    return COVEY_MQTT_MALFORMED;
  }
  /* CONNACK is the first packet, and comes once [MQTT-3.2.0-1] */
  return (type == PACKET_CONNACK) == (client->state == STATE_CONNECTING) ? COVEY_MQTT_OK
                                                                         : COVEY_MQTT_PROTOCOL;
}

static int take_length(covey_mqtt* client, uint8_t byte) {
  const unsigned type = type_of(client);
  uint32_t least = 2;
  client->in.remaining |= (uint32_t)(byte & 0x7Fu) << client->in.shift;
  client->in.shift = (uint8_t)(client->in.shift + 7u);
  if ((byte & 0x80u) != 0) {
    return client->in.shift == 28u ? COVEY_MQTT_MALFORMED : COVEY_MQTT_OK; /* section 2.2.3 */
  }
  client->in.step = STEP_NUMBER;
  if (type == PACKET_PUBLISH || type == PACKET_SUBACK) {
    return client->in.remaining < 3u ? COVEY_MQTT_MALFORMED : COVEY_MQTT_OK;
  }
  if (type == PACKET_PINGRESP) {
    least = 0;
    client->in.step = STEP_HEADER;
    client->waiting = false;
  }
  return client->in.remaining != least ? COVEY_MQTT_MALFORMED : COVEY_MQTT_OK;
}

static int end_connack(covey_mqtt* client) {
  const unsigned said = client->in.number; /* session present, return code: section 3.2.2 */
  client->waiting = false;
  if ((said & 0xFEFFu) > 5u) return COVEY_MQTT_MALFORMED;
  client->in.code = (uint8_t)said;
  client->in.number = 0;
  if (client->in.code != 0) {
    emit(client, COVEY_MQTT_EVENT_REFUSED, NULL, 0);
    return COVEY_MQTT_REFUSED;
  }
  /* A clean session has no state on the server [MQTT-3.2.2-1]. */
  if (said != 0) return COVEY_MQTT_PROTOCOL;
  client->state = STATE_CONNECTED;
  emit(client, COVEY_MQTT_EVENT_CONNECTED, NULL, 0);
  return COVEY_MQTT_OK;
}

static int end_answer(covey_mqtt* client) {
  const unsigned type = type_of(client);
  client->in.step = STEP_HEADER;
  if (type == PACKET_CONNACK) return end_connack(client);
  if (!in_flight_end(client, (uint8_t)type, client->in.number)) return COVEY_MQTT_PROTOCOL;
  emit(client,
       type == PACKET_PUBACK   ? COVEY_MQTT_EVENT_PUBLISHED
       : type == PACKET_SUBACK ? COVEY_MQTT_EVENT_SUBSCRIBED
                               : COVEY_MQTT_EVENT_UNSUBSCRIBED,
       NULL, 0);
  return COVEY_MQTT_OK;
}

/* A piece of the payload, all that is left of it, or the nothing that an empty one is. */
static void pass_on(covey_mqtt* client, const uint8_t* bytes, size_t size) {
  if (!client->in.skipping) emit(client, COVEY_MQTT_EVENT_MESSAGE, bytes, size);
  client->in.remaining -= (uint32_t)size;
  if (client->in.remaining == 0) {
    client->puback_id = (client->in.header & QOS_BITS) != 0 ? client->in.number : 0;
    client->in.step = STEP_HEADER;
  }
}

static void begin_payload(covey_mqtt* client) {
  client->in.total = client->in.remaining;
  client->in.step = STEP_PAYLOAD;
  if (client->in.skipping) {
    client->skipped++;
    emit(client, COVEY_MQTT_EVENT_SKIPPED, NULL, 0);
  }
  if (client->in.remaining == 0) pass_on(client, NULL, 0);
}

static int begin_topic(covey_mqtt* client) {
  const uint32_t id_size = (client->in.header & QOS_BITS) != 0 ? 2u : 0u;
  const uint16_t length = client->in.number;
  if (length == 0 || client->in.remaining < length + id_size) return COVEY_MQTT_MALFORMED;
  /* Too long for us is not the server's fault: read over it and acknowledge it, or the server's
   * window for us would fill with a message that never goes away. */
  client->in.skipping = length >= client->config.topic_size;
  client->in.topic_length = length;
  client->in.taken = 0;
  client->in.step = STEP_TOPIC;
  return COVEY_MQTT_OK;
}

static int take_number(covey_mqtt* client, uint8_t byte) {
  client->in.number = (uint16_t)(client->in.number << 8 | byte);
  if (++client->in.taken < 2) return COVEY_MQTT_OK;
  if (type_of(client) != PACKET_PUBLISH) {
    client->in.step = STEP_CODES;
    return client->in.remaining == 0 ? end_answer(client) : COVEY_MQTT_OK;
  }
  if (client->in.topic_length == 0) return begin_topic(client);
  if (client->in.number == 0) return COVEY_MQTT_MALFORMED; /* [MQTT-2.3.1-1] */
  begin_payload(client);
  return COVEY_MQTT_OK;
}

static int take_topic(covey_mqtt* client, uint8_t byte) {
  if (byte == '\0' || byte == '+' || byte == '#') {
    return COVEY_MQTT_MALFORMED; /* [MQTT-1.5.3-2], [MQTT-3.3.2-2] */
  }
  if (!client->in.skipping) {
    char* at = &client->config.topic[client->in.taken];
    at[0] = (char)byte;
    at[1] = '\0';
  }
  if (++client->in.taken < client->in.topic_length) return COVEY_MQTT_OK;
  client->in.taken = 0;
  client->in.step = STEP_NUMBER;
  if ((client->in.header & QOS_BITS) == 0) begin_payload(client);
  return COVEY_MQTT_OK;
}

/* Of the return codes only "any refused?" is kept. */
static int take_code(covey_mqtt* client, uint8_t byte) {
  if (byte == 0x80u) {
    client->in.code = byte;
  } else if (byte > 2) {
    return COVEY_MQTT_MALFORMED; /* [MQTT-3.9.3-2] */
  }
  return client->in.remaining == 0 ? end_answer(client) : COVEY_MQTT_OK;
}

static int take_byte(covey_mqtt* client, uint8_t byte) {
  if (client->in.step > STEP_LENGTH) client->in.remaining--;
  switch (client->in.step) {
    case STEP_HEADER:
      memset(&client->in, 0, sizeof client->in);
      client->in.header = byte;
      client->in.step = STEP_LENGTH;
      return check_header(client);
    case STEP_LENGTH:
      return take_length(client, byte);
    case STEP_NUMBER:
      return take_number(client, byte);
    case STEP_TOPIC:
      return take_topic(client, byte);
    default: /* STEP_CODES; STEP_PAYLOAD is taken in pieces below */
      return take_code(client, byte);
  }
}

/* [MQTT-4.3.2-2]: PUBACK only after the message was passed on whole. */
static bool send_puback(covey_mqtt* client, uint64_t now_ms) {
  if (client->puback_id == 0) return true;
  packet_begin(client, PACKET_PUBACK << 4, now_ms);
  put_u16(client, client->puback_id);
  if (packet_finish(client, NULL) == COVEY_MQTT_BUSY) return false;
  client->puback_id = 0; /* after DISCONNECT nothing may follow */
  return true;
}

int covey_mqtt_receive(covey_mqtt* client, const uint8_t* bytes, size_t size, uint64_t now_ms,
                       size_t* consumed) {
  size_t at = 0;
  int result = client->state == STATE_CLOSED ? COVEY_MQTT_STATE : COVEY_MQTT_OK;
  client->received_ms = (uint32_t)now_ms;
  while (result == COVEY_MQTT_OK && send_puback(client, now_ms) && at < size) {
    if (client->in.step != STEP_PAYLOAD) {
      result = take_byte(client, bytes[at++]);
    } else {
      const size_t left = size - at;
      const size_t piece = left < client->in.remaining ? left : client->in.remaining;
      pass_on(client, bytes + at, piece);
      at += piece;
    }
  }
  *consumed = at;
  if (result != COVEY_MQTT_OK) client->state = STATE_CLOSED;
  return result;
}
