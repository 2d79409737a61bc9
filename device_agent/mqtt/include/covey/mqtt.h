/* SPDX-License-Identifier: Apache-2.0 */
/* A minimal streaming MQTT 3.1.1 client for bare metal (OASIS standard, 29 October 2014).
 *
 * Sans I/O: it never touches a socket, a clock or the heap. Received bytes go in, in pieces of any
 * size; packets to send collect in a buffer of the caller's, who takes them out again. Payloads are
 * passed on in pieces as they arrive and are never held whole, so a message may be larger than
 * every buffer. QoS 0 and 1, clean sessions only: what matters is repeated by the layer above.
 *
 * Threads: one client belongs to one thread or main loop; nothing here may be called from an ISR.
 * Units: milliseconds; `now_ms` is any monotonic 64-bit time.
 * Errors: 0 is success, negative a covey_mqtt_result. After MALFORMED, PROTOCOL, REFUSED or TIMEOUT
 * the connection is over: close the transport, then call covey_mqtt_connect() for a new one. */
#ifndef COVEY_MQTT_H
#define COVEY_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum covey_mqtt_result {
  COVEY_MQTT_OK = 0,
  COVEY_MQTT_BUSY = -1,      /* no room now: take output out and call again */
  COVEY_MQTT_TOO_LARGE = -2, /* can never fit in the output buffer */
  COVEY_MQTT_ARGUMENT = -3,
  COVEY_MQTT_STATE = -4,     /* not connected, or connected already */
  COVEY_MQTT_MALFORMED = -5, /* the server sent bytes that are no MQTT 3.1.1 packet */
  COVEY_MQTT_PROTOCOL = -6,  /* a well-formed packet that may not come now */
  COVEY_MQTT_REFUSED = -7,   /* CONNACK with a return code; see the event */
  COVEY_MQTT_TIMEOUT = -8    /* no CONNACK or no PINGRESP in time */
} covey_mqtt_result;

/* Text of a result for logs, never NULL. */
const char* covey_mqtt_result_name(int result);

typedef enum covey_mqtt_event_type {
  COVEY_MQTT_EVENT_CONNECTED = 1,
  COVEY_MQTT_EVENT_REFUSED,      /* code: CONNACK return code (section 3.2.2.3) */
  COVEY_MQTT_EVENT_MESSAGE,      /* one piece of one PUBLISH */
  COVEY_MQTT_EVENT_PUBLISHED,    /* PUBACK for packet_id */
  COVEY_MQTT_EVENT_SUBSCRIBED,   /* packet_id; code: 0x80 if any filter was refused, else 0 */
  COVEY_MQTT_EVENT_UNSUBSCRIBED, /* packet_id */
  COVEY_MQTT_EVENT_SKIPPED       /* a PUBLISH whose topic is longer than the topic buffer */
} covey_mqtt_event_type;

/* Valid only during the call. A message comes as one or more pieces in order; offset + size ==
 * total marks the last one (an empty message is one piece of size 0). */
typedef struct covey_mqtt_event {
  covey_mqtt_event_type type;
  const char* topic; /* terminated by NUL */
  size_t topic_size;
  const uint8_t* payload;
  size_t size;
  size_t offset;
  size_t total;
  uint16_t packet_id;
  uint8_t code;
  bool retained;
} covey_mqtt_event;

/* May call publish, subscribe and unsubscribe of the same client; not receive, tick or connect. */
typedef void (*covey_mqtt_handler)(void* context, const covey_mqtt_event* event);

#ifndef COVEY_MQTT_IN_FLIGHT_MAX
#define COVEY_MQTT_IN_FLIGHT_MAX 8 /* packets that wait for PUBACK, SUBACK or UNSUBACK */
#endif

/* Buffers and strings stay the caller's and must outlive the client. */
typedef struct covey_mqtt_config {
  uint8_t* output;
  size_t output_size; /* at least the largest packet ever sent, at least 64 */
  char* topic;
  size_t topic_size; /* longest topic accepted + 1 */
  covey_mqtt_handler handler;
  void* context;
  uint32_t response_timeout_ms; /* for CONNACK and PINGRESP; 0: 10 s */
} covey_mqtt_config;

typedef struct covey_mqtt_connect_options {
  const char* client_id;
  const char* username; /* NULL: none */
  const uint8_t* password;
  size_t password_size;   /* needs a username [MQTT-3.1.2-22] */
  const char* will_topic; /* NULL: no last will */
  const uint8_t* will_payload;
  size_t will_size;
  uint8_t will_qos; /* 0 or 1 */
  bool will_retain;
  uint16_t keep_alive_s; /* 0: no keep alive, and no PINGREQ */
} covey_mqtt_connect_options;

/* Public only so that the caller can place it in memory; fields are private. Small ones first: the
 * code to reach them is shorter. */
typedef struct covey_mqtt {
  struct { /* the packet being read */
    uint8_t step;
    uint8_t header;
    uint8_t shift; /* of the next length byte */
    uint8_t code;
    bool skipping;
    uint16_t taken;  /* bytes of topic or number */
    uint16_t number; /* the last one read: topic length, packet id, CONNACK's body */
    uint16_t topic_length;
    uint32_t remaining; /* bytes that have not come yet */
    uint32_t total;     /* of the payload */
  } in;
  uint8_t state;
  bool waiting; /* for CONNACK or PINGRESP */
  struct {      /* the packet being written */
    uint8_t header;
    uint8_t expected; /* type that answers */
    uint16_t id;      /* 0: none */
    uint32_t length;  /* after the fixed header */
    int error;
  } out;
  uint16_t puback_id;                          /* 0: none to send */
  uint8_t in_flight[COVEY_MQTT_IN_FLIGHT_MAX]; /* packet id - 1 -> type that answers; 0: free */
  uint32_t now_ms;                             /* times modulo 2^32 */
  uint32_t sent_ms;
  uint32_t received_ms;
  uint32_t waiting_since_ms;
  uint32_t keep_alive_ms;
  uint32_t skipped;
  size_t output_used;
  covey_mqtt_config config;
} covey_mqtt;

/* ARGUMENT when the configuration cannot work. */
int covey_mqtt_init(covey_mqtt* client, const covey_mqtt_config* config);

/* Call when a new transport is open: forgets the last connection, also when it returns an error,
 * and queues CONNECT. */
int covey_mqtt_connect(covey_mqtt* client, const covey_mqtt_connect_options* options,
                       uint64_t now_ms);

/* Feeds received bytes. *consumed < size with OK means: an acknowledgement did not fit, take output
 * out and feed the rest again. */
int covey_mqtt_receive(covey_mqtt* client, const uint8_t* bytes, size_t size, uint64_t now_ms,
                       size_t* consumed);

/* Keep alive and time-outs. *wait_ms: call again no later than that (UINT32_MAX: no need). */
int covey_mqtt_tick(covey_mqtt* client, uint64_t now_ms, uint32_t* wait_ms);

/* Bytes to send, oldest first; report what the transport took. Both may be called at any time. */
const uint8_t* covey_mqtt_output(const covey_mqtt* client, size_t* size);
void covey_mqtt_sent(covey_mqtt* client, size_t size);

/* QoS 0 or 1. *packet_id (QoS 1; NULL if not wanted) comes back in PUBLISHED. A QoS 1 message that
 * was not acknowledged when the connection ends is the caller's to repeat: sessions are clean. */
int covey_mqtt_publish(covey_mqtt* client, const char* topic, const uint8_t* payload, size_t size,
                       uint8_t qos, bool retain, uint64_t now_ms, uint16_t* packet_id);

/* All filters in one packet, with one QoS. */
int covey_mqtt_subscribe(covey_mqtt* client, const char* const* filters, size_t count, uint8_t qos,
                         uint64_t now_ms, uint16_t* packet_id);
int covey_mqtt_unsubscribe(covey_mqtt* client, const char* const* filters, size_t count,
                           uint64_t now_ms, uint16_t* packet_id);

/* Queues DISCONNECT: the server drops the last will [MQTT-3.1.2-10]. Nothing may follow it. */
int covey_mqtt_disconnect(covey_mqtt* client, uint64_t now_ms);

bool covey_mqtt_connected(const covey_mqtt* client);

/* Messages skipped since init because their topic did not fit. */
uint32_t covey_mqtt_skipped(const covey_mqtt* client);

#ifdef __cplusplus
}
#endif

#endif
