#include "packet.h"

#include <string.h>

int packet_begin(covey_mqtt* client, uint8_t header, size_t length, uint8_t** at) {
  size_t length_bytes = length < 128u ? 1 : length < 16384u ? 2 : length < 2097152u ? 3 : 4;
  if (length > MQTT_LENGTH_MAX || client->config.output_size < 1 + length_bytes ||
      length > client->config.output_size - 1 - length_bytes) {
    return COVEY_MQTT_TOO_LARGE;
  }
  if (1 + length_bytes + length > client->config.output_size - client->output_used) {
    return COVEY_MQTT_BUSY;
  }
  uint8_t* out = client->config.output + client->output_used;
  *out++ = header;
  do { /* section 2.2.3: seven bits per byte, least significant first */
    uint8_t byte = (uint8_t)(length & 0x7Fu);
    length >>= 7;
    *out++ = (uint8_t)(byte | (length > 0 ? 0x80u : 0u));
  } while (length > 0);
  *at = out;
  return COVEY_MQTT_OK;
}

void packet_finish(covey_mqtt* client, const uint8_t* at, uint64_t now_ms) {
  client->output_used = (size_t)(at - client->config.output);
  client->sent_ms = now_ms;
}

uint8_t* put_u16(uint8_t* at, size_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)(value & 0xFFu);
  return at + 2;
}

uint8_t* put_field(uint8_t* at, const void* bytes, size_t size) {
  at = put_u16(at, size);
  if (size > 0) {
    memcpy(at, bytes, size);
  }
  return at + size;
}

static bool id_used(const covey_mqtt* client, uint16_t id) {
  for (size_t i = 0; i < COVEY_MQTT_IN_FLIGHT_MAX; i++) {
    if (client->in_flight[i].expected != 0 && client->in_flight[i].id == id) {
      return true;
    }
  }
  return false;
}

int in_flight_add(covey_mqtt* client, uint8_t expected, uint16_t* id) {
  for (size_t i = 0; i < COVEY_MQTT_IN_FLIGHT_MAX; i++) {
    if (client->in_flight[i].expected != 0) {
      continue;
    }
    do { /* at most IN_FLIGHT_MAX + 1 rounds: so many ids are taken, and 0 is none [MQTT-2.3.1-1] */
      client->next_id++;
    } while (client->next_id == 0 || id_used(client, client->next_id));
    client->in_flight[i].id = client->next_id;
    client->in_flight[i].expected = expected;
    *id = client->next_id;
    return COVEY_MQTT_OK;
  }
  return COVEY_MQTT_BUSY;
}

bool in_flight_end(covey_mqtt* client, uint8_t expected, uint16_t id) {
  for (size_t i = 0; i < COVEY_MQTT_IN_FLIGHT_MAX; i++) {
    if (client->in_flight[i].expected == expected && client->in_flight[i].id == id) {
      client->in_flight[i].expected = 0;
      return true;
    }
  }
  return false;
}
