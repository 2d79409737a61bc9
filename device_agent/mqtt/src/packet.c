/* SPDX-License-Identifier: Apache-2.0 */
#include "packet.h"

#include <string.h>

/* Where the body is written first: most lengths take one byte. */
#define HEADER_BYTES_MIN 2u

void packet_begin(covey_mqtt* client, unsigned header, uint64_t now_ms) {
  memset(&client->out, 0, sizeof client->out);
  client->out.header = (uint8_t)header;
  client->now_ms = (uint32_t)now_ms;
}

/* Counts on when nothing fits any more, so that packet_finish knows whether it ever would. */
void put(covey_mqtt* client, const void* bytes, size_t size) {
  const covey_mqtt_config* config = &client->config;
  const size_t at = client->output_used + HEADER_BYTES_MIN + client->out.length;
  if (size == 0) return;
  if (size > MQTT_LENGTH_MAX + 1u - client->out.length) {
    size = MQTT_LENGTH_MAX + 1u - client->out.length; /* no sum can wrap */
  } else if (bytes == NULL) {
    client->out.error = COVEY_MQTT_ARGUMENT;
  } else if (at < config->output_size && size <= config->output_size - at) {
    memcpy(config->output + at, bytes, size);
  }
  client->out.length += (uint32_t)size;
}

void put_byte(covey_mqtt* client, unsigned value) {
  const uint8_t byte = (uint8_t)value;
  put(client, &byte, 1);
}

void put_u16(covey_mqtt* client, size_t value) {
  put_byte(client, (unsigned)value >> 8);
  put_byte(client, (unsigned)value);
}

void put_field(covey_mqtt* client, const void* bytes, size_t size) {
  if (size > MQTT_STRING_MAX) client->out.error = COVEY_MQTT_ARGUMENT;
  put_u16(client, size);
  put(client, bytes, size);
}

void put_text(covey_mqtt* client, const char* text, const char* forbidden) {
  if (text == NULL ||
      (forbidden != NULL && (text[0] == '\0' || text[strcspn(text, forbidden)] != '\0'))) {
    client->out.error = COVEY_MQTT_ARGUMENT;
  } else {
    put_field(client, text, strlen(text));
  }
}

/* Ids are places in the table: 1 is the first. */
void put_id(covey_mqtt* client, uint8_t expected) {
  const uint8_t* in_flight = client->in_flight;
  unsigned i = 0;
  while (i < COVEY_MQTT_IN_FLIGHT_MAX && in_flight[i] != 0) ++i;
  client->out.id = (uint16_t)(i + 1);
  client->out.expected = expected;
  put_u16(client, client->out.id);
}

bool in_flight_end(covey_mqtt* client, uint8_t expected, uint16_t id) {
  const unsigned place = id - 1u;
  if (place >= COVEY_MQTT_IN_FLIGHT_MAX || client->in_flight[place] != expected) return false;
  client->in_flight[place] = 0;
  return true;
}

int packet_finish(covey_mqtt* client, uint16_t* id) {
  uint8_t* out = client->config.output + client->output_used;
  size_t length = client->out.length;
  size_t header_bytes = HEADER_BYTES_MIN;
  size_t left;
  if (client->out.error != COVEY_MQTT_OK) return client->out.error;
  if (client->state != STATE_CONNECTED && client->out.header >> 4 != PACKET_CONNECT) {
    return COVEY_MQTT_STATE;
  }
  for (left = length >> 7; left != 0; left >>= 7) ++header_bytes;
  if (length > MQTT_LENGTH_MAX || header_bytes + length > client->config.output_size) {
    return COVEY_MQTT_TOO_LARGE;
  }
  if (header_bytes + length > client->config.output_size - client->output_used ||
      client->out.id > COVEY_MQTT_IN_FLIGHT_MAX) {
    return COVEY_MQTT_BUSY;
  }
  memmove(out + header_bytes, out + HEADER_BYTES_MIN, length);
  *out++ = client->out.header;
  for (left = length; left > 0x7Fu; left >>= 7) { /* section 2.2.3: least significant first */
    *out++ = (uint8_t)(left | 0x80u);
  }
  *out = (uint8_t)left;
  client->output_used += header_bytes + length;
  client->sent_ms = client->now_ms;
  if (client->out.id != 0) client->in_flight[client->out.id - 1u] = client->out.expected;
  if (id != NULL) *id = client->out.id;
  return COVEY_MQTT_OK;
}
