/* SPDX-License-Identifier: Apache-2.0 */
/* Writing MQTT packets into the client's output buffer, whole or not at all. Internal.
 *
 * packet_begin, then put_ functions in any number, then packet_finish: it alone tells whether all
 * of it was right and fits, and queues it. */
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

void packet_begin(covey_mqtt* client, unsigned header, uint64_t now_ms);
/* Errors: ARGUMENT, STATE (only CONNECT may come first), TOO_LARGE, BUSY. `id` may be NULL. */
int packet_finish(covey_mqtt* client, uint16_t* id);

void put(covey_mqtt* client, const void* bytes, size_t size);
void put_byte(covey_mqtt* client, unsigned value);
void put_u16(covey_mqtt* client, size_t value);
/* Length-prefixed, section 1.5.3. */
void put_field(covey_mqtt* client, const void* bytes, size_t size);
/* The same for text that ends with NUL. `forbidden` (may be NULL): it is a topic, with at least one
 * character [MQTT-4.7.3-1] and none of these. */
void put_text(covey_mqtt* client, const char* text, const char* forbidden);

/* The packet waits for an answer: a packet id that is not in use [MQTT-2.3.1-2]. */
void put_id(covey_mqtt* client, uint8_t expected);
/* The answer is there; false: nobody waits for it. */
bool in_flight_end(covey_mqtt* client, uint8_t expected, uint16_t id);

#endif
