/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's link over device_agent/mqtt and a serial stream that leads straight to the broker, as
 * a modem in transparent mode gives it.
 *
 * Such a stream tells nothing of the connection behind it: it may be gone, or another one than
 * before. So the client notices by time-outs alone, and before every new attempt the stream is
 * broken off: zeros, which end any packet that was on its way and are no packet themselves, so that
 * the broker closes the connection (section 2.2.1: type 0 is reserved), then silence until the
 * modem has dialled again. */
#ifndef COVEY_FIRMWARE_LINK_H
#define COVEY_FIRMWARE_LINK_H

#include "board.h"
#include "covey/agent.h"
#include "covey/mqtt.h"

#define LINK_OUTPUT_BYTES (COVEY_SEND_BYTES_MIN + COVEY_TOPIC_BYTES_MAX + 16)

typedef enum link_state {
  LINK_BREAKING = 0,
  LINK_SECURING = 1, /* of TLS, where the image speaks it */
  LINK_CONNECTING = 2,
  LINK_UP = 3
} link_state_t;

typedef struct link {
  covey_agent_t* agent;
  const char* device_id;
  const char* enroll_token;
  link_state_t state;
  board_stream_t stream;
  uint32_t zeros_left;
  uint32_t tries;
  uint32_t refusals; /* of what it shows, in a row */
  uint64_t connect_at_ms;
  uint64_t secure_until_ms;
  uint32_t bytes_in; /* since boot, MQTT included */
  uint32_t bytes_out;
  uint32_t telemetry_in; /* of them: acknowledgements and reports, with their topics */
  uint32_t telemetry_out;
  covey_mqtt mqtt;
  char topic[COVEY_TOPIC_BYTES_MAX];
  uint8_t output[LINK_OUTPUT_BYTES];
} link_t;

/* `fresh`: the modem started with us, so nothing is left of an earlier connection. */
void link_init(link_t* link, covey_agent_t* agent, const char* device_id, const char* enroll_token,
               bool fresh);

covey_link_t link_port(link_t* link);

/* Moves bytes, connects; hands messages to the agent. Returns the milliseconds until it wants to be
 * called again. */
uint32_t link_step(link_t* link);

/* Ends the connection in order, e.g. to connect with other credentials. */
void link_close(link_t* link);

#endif
