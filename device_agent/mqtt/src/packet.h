/* Writing MQTT packets into the client's output buffer, whole or not at all. Internal. */
#ifndef COVEY_MQTT_PACKET_H
#define COVEY_MQTT_PACKET_H

#include "covey/mqtt.h"

enum {
  PACKET_CONNECT = 1,
  PACKET_CONNACK = 2,
  PACKET_PUBLISH = 3,
  PACKET_PUBACK = 4,
  PACKET_SUBSCRIBE = 8,
  PACKET_SUBACK = 9,
  PACKET_UNSUBSCRIBE = 10,
  PACKET_UNSUBACK = 11,
  PACKET_PINGREQ = 12,
  PACKET_PINGRESP = 13,
  PACKET_DISCONNECT = 14
};

enum { STATE_CLOSED = 0, STATE_CONNECTING = 1, STATE_CONNECTED = 2, STATE_CLOSING = 3 };

#define MQTT_LENGTH_MAX 268435455u /* section 2.2.3 */
#define MQTT_STRING_MAX 65535u     /* section 1.5.3 */

/* Reserves room for a packet of `length` bytes after the fixed header and writes that header.
 * *at points to the body. Nothing is queued before packet_finish(). */
int packet_begin(covey_mqtt* client, uint8_t header, size_t length, uint8_t** at);
void packet_finish(covey_mqtt* client, const uint8_t* at, uint64_t now_ms);

uint8_t* put_u16(uint8_t* at, size_t value);
/* Length-prefixed, section 1.5.3. */
uint8_t* put_field(uint8_t* at, const void* bytes, size_t size);

/* A packet id that is not in use [MQTT-2.3.1-2], or BUSY when too many wait. */
int in_flight_add(covey_mqtt* client, uint8_t expected, uint16_t* id);
bool in_flight_end(covey_mqtt* client, uint8_t expected, uint16_t id);

#endif
