/* The streaming reader: a state machine over bytes. At most one field of a packet is held: the
 * topic in the caller's buffer; payloads pass through. */
#include <string.h>

#include "covey/mqtt.h"
#include "packet.h"

enum {
  STEP_HEADER = 0,
  STEP_LENGTH,
  STEP_BODY, /* CONNACK, PUBACK, SUBACK, UNSUBACK */
  STEP_TOPIC_LENGTH,
  STEP_TOPIC,
  STEP_PACKET_ID,
  STEP_PAYLOAD
};

static void emit(covey_mqtt* client, covey_mqtt_event_type type) {
  covey_mqtt_event event;
  memset(&event, 0, sizeof event);
  event.type = type;
  event.packet_id = client->packet_id;
  event.code = client->code;
  client->config.handler(client->config.context, &event);
}

static void emit_piece(covey_mqtt* client, const uint8_t* payload, size_t size) {
  covey_mqtt_event event;
  memset(&event, 0, sizeof event);
  event.type = COVEY_MQTT_EVENT_MESSAGE;
  event.topic = client->config.topic;
  event.topic_size = client->topic_length;
  event.payload = payload;
  event.size = size;
  event.total = client->payload_total;
  event.offset = client->payload_total - client->remaining;
  event.retained = (client->header & 1u) != 0;
  client->config.handler(client->config.context, &event);
}

/* First byte [MQTT-2.2.2-2]: flags are fixed except for PUBLISH; what only clients send is refused.
 */
static int check_header(const covey_mqtt* client) {
  const unsigned type = client->header >> 4;
  const unsigned flags = client->header & 0x0Fu;
  switch (type) {
    case PACKET_PUBLISH:
      /* QoS 3 is malformed [MQTT-3.3.1-4]; QoS 2 was never subscribed to. */
      return (flags & 0x06u) == 0x06u            ? COVEY_MQTT_MALFORMED
             : (flags & 0x04u) != 0              ? COVEY_MQTT_PROTOCOL
             : client->state == STATE_CONNECTING ? COVEY_MQTT_PROTOCOL
                                                 : COVEY_MQTT_OK;
    case PACKET_CONNACK: /* the first packet, and once [MQTT-3.2.0-1] */
      return flags != 0                          ? COVEY_MQTT_MALFORMED
             : client->state != STATE_CONNECTING ? COVEY_MQTT_PROTOCOL
                                                 : COVEY_MQTT_OK;
    case PACKET_PUBACK:
    case PACKET_SUBACK:
    case PACKET_UNSUBACK:
    case PACKET_PINGRESP:
      return flags != 0                          ? COVEY_MQTT_MALFORMED
             : client->state == STATE_CONNECTING ? COVEY_MQTT_PROTOCOL
                                                 : COVEY_MQTT_OK;
    default:
      return COVEY_MQTT_MALFORMED;
  }
}

static void end_packet(covey_mqtt* client) { client->step = STEP_HEADER; }

static int begin_body(covey_mqtt* client) {
  const unsigned type = client->header >> 4;
  client->topic_read = 0;
  client->topic_length = 0;
  client->packet_id = 0;
  client->code = 0;
  client->skipping = false;
  switch (type) {
    case PACKET_PUBLISH:
      client->step = STEP_TOPIC_LENGTH;
      return client->remaining < 3 ? COVEY_MQTT_MALFORMED : COVEY_MQTT_OK;
    case PACKET_PINGRESP:
      if (client->remaining != 0) {
        return COVEY_MQTT_MALFORMED;
      }
      client->waiting = false;
      end_packet(client);
      return COVEY_MQTT_OK;
    case PACKET_SUBACK:
      client->step = STEP_BODY;
      return client->remaining < 3 ? COVEY_MQTT_MALFORMED : COVEY_MQTT_OK;
    default: /* CONNACK, PUBACK, UNSUBACK: check_header() let nothing else pass */
      client->step = STEP_BODY;
      return client->remaining != 2 ? COVEY_MQTT_MALFORMED : COVEY_MQTT_OK;
  }
}

static int take_length(covey_mqtt* client, uint8_t byte) {
  client->remaining |= (uint32_t)(byte & 0x7Fu) << (7u * client->length_bytes);
  client->length_bytes++;
  if ((byte & 0x80u) == 0) {
    return begin_body(client);
  }
  return client->length_bytes == 4 ? COVEY_MQTT_MALFORMED : COVEY_MQTT_OK; /* section 2.2.3 */
}

static int end_body(covey_mqtt* client) {
  const uint8_t type = client->header >> 4;
  end_packet(client);
  if (type == PACKET_CONNACK) {
    client->waiting = false;
    if ((client->packet_id & 0xFEFFu) > 5 || client->packet_id >= 0x0200u) {
      return COVEY_MQTT_MALFORMED; /* session-present flag and return code, section 3.2.2 */
    }
    client->code = (uint8_t)(client->packet_id & 0xFFu);
    /* A clean session has no state on the server [MQTT-3.2.2-1]. */
    if (client->code == 0 && client->packet_id != 0) {
      return COVEY_MQTT_PROTOCOL;
    }
    client->packet_id = 0;
    if (client->code != 0) {
      emit(client, COVEY_MQTT_EVENT_REFUSED);
      return COVEY_MQTT_REFUSED;
    }
    client->state = STATE_CONNECTED;
    emit(client, COVEY_MQTT_EVENT_CONNECTED);
    return COVEY_MQTT_OK;
  }
  if (!in_flight_end(client, type, client->packet_id)) {
    return COVEY_MQTT_PROTOCOL;
  }
  emit(client, type == PACKET_PUBACK   ? COVEY_MQTT_EVENT_PUBLISHED
               : type == PACKET_SUBACK ? COVEY_MQTT_EVENT_SUBSCRIBED
                                       : COVEY_MQTT_EVENT_UNSUBSCRIBED);
  return COVEY_MQTT_OK;
}

/* Two bytes, then for SUBACK return codes, of which only "any refused?" is kept. */
static int take_body(covey_mqtt* client, uint8_t byte) {
  if (client->topic_read < 2) {
    client->packet_id = (uint16_t)(client->packet_id << 8 | byte);
    client->topic_read++;
  } else if (byte == 0x80u) {
    client->code = 0x80u;
  } else if (byte > 2) {
    return COVEY_MQTT_MALFORMED; /* [MQTT-3.9.3-2] */
  }
  client->remaining--;
  return client->remaining == 0 ? end_body(client) : COVEY_MQTT_OK;
}

static void end_publish(covey_mqtt* client) {
  client->puback_id = client->packet_id;
  end_packet(client);
}

static void begin_payload(covey_mqtt* client) {
  client->payload_total = client->remaining;
  client->step = STEP_PAYLOAD;
  if (client->skipping) {
    client->skipped++;
    emit(client, COVEY_MQTT_EVENT_SKIPPED);
  } else if (client->remaining == 0) {
    emit_piece(client, NULL, 0);
  }
  if (client->remaining == 0) {
    end_publish(client);
  }
}

static int take_topic_length(covey_mqtt* client, uint8_t byte) {
  client->topic_length = (uint16_t)(client->topic_length << 8 | byte);
  client->remaining--;
  if (++client->topic_read < 2) {
    return COVEY_MQTT_OK;
  }
  const uint32_t id_size = (client->header & 0x06u) != 0 ? 2u : 0u;
  if (client->topic_length == 0 || client->remaining < client->topic_length + id_size) {
    return COVEY_MQTT_MALFORMED;
  }
  /* Too long for us is not the server's fault: read over it and acknowledge it, or the server's
   * window for us would fill with a message that never goes away. */
  client->skipping = client->topic_length >= client->config.topic_size;
  client->topic_read = 0;
  client->step = STEP_TOPIC;
  return COVEY_MQTT_OK;
}

static int take_topic(covey_mqtt* client, uint8_t byte) {
  if (byte == '\0' || byte == '+' || byte == '#') {
    return COVEY_MQTT_MALFORMED; /* [MQTT-1.5.3-2], [MQTT-3.3.2-2] */
  }
  if (!client->skipping) {
    client->config.topic[client->topic_read] = (char)byte;
    client->config.topic[client->topic_read + 1u] = '\0';
  }
  client->remaining--;
  client->topic_read++;
  if (client->topic_read == client->topic_length) {
    client->topic_read = 0;
    if ((client->header & 0x06u) != 0) {
      client->step = STEP_PACKET_ID;
    } else {
      begin_payload(client);
    }
  }
  return COVEY_MQTT_OK;
}

static int take_packet_id(covey_mqtt* client, uint8_t byte) {
  client->packet_id = (uint16_t)(client->packet_id << 8 | byte);
  client->remaining--;
  if (++client->topic_read == 2) {
    if (client->packet_id == 0) {
      return COVEY_MQTT_MALFORMED; /* [MQTT-2.3.1-1] */
    }
    begin_payload(client);
  }
  return COVEY_MQTT_OK;
}

static int take_byte(covey_mqtt* client, uint8_t byte) {
  switch (client->step) {
    case STEP_HEADER:
      client->header = byte;
      client->remaining = 0;
      client->length_bytes = 0;
      client->step = STEP_LENGTH;
      return check_header(client);
    case STEP_LENGTH:
      return take_length(client, byte);
    case STEP_BODY:
      return take_body(client, byte);
    case STEP_TOPIC_LENGTH:
      return take_topic_length(client, byte);
    case STEP_TOPIC:
      return take_topic(client, byte);
    default: /* STEP_PACKET_ID; STEP_PAYLOAD is taken in pieces below */
      return take_packet_id(client, byte);
  }
}

/* [MQTT-4.3.2-2]: PUBACK only after the message was passed on whole. */
static bool send_puback(covey_mqtt* client, uint64_t now_ms) {
  uint8_t* at;
  if (client->puback_id == 0 || client->state != STATE_CONNECTED) {
    client->puback_id = 0;
    return true;
  }
  if (packet_begin(client, PACKET_PUBACK << 4, 2, &at) != COVEY_MQTT_OK) {
    return false;
  }
  packet_finish(client, put_u16(at, client->puback_id), now_ms);
  client->puback_id = 0;
  return true;
}

int covey_mqtt_receive(covey_mqtt* client, const uint8_t* bytes, size_t size, uint64_t now_ms,
                       size_t* consumed) {
  *consumed = 0;
  if (client->state == STATE_CLOSED) {
    return COVEY_MQTT_STATE;
  }
  client->received_ms = now_ms;
  size_t at = 0;
  int result = COVEY_MQTT_OK;
  while (result == COVEY_MQTT_OK && send_puback(client, now_ms) && at < size) {
    if (client->step != STEP_PAYLOAD) {
      result = take_byte(client, bytes[at++]);
      continue;
    }
    const size_t left = size - at;
    const size_t piece = left < client->remaining ? left : client->remaining;
    if (!client->skipping) {
      emit_piece(client, bytes + at, piece);
    }
    at += piece;
    client->remaining -= (uint32_t)piece;
    if (client->remaining == 0) {
      end_publish(client);
    }
  }
  *consumed = at;
  if (result != COVEY_MQTT_OK) {
    client->state = STATE_CLOSED;
  }
  return result;
}
