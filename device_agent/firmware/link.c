/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <string.h>

#include "log.h"
#include "stream.h"

#define KEEP_ALIVE_S 20U
#define RESPONSE_TIMEOUT_MS 8000U
#define DIAL_MS 1500U
#define SECURE_MS 20000U
#define RETRY_MS_MAX 60000U
#define REFUSALS_MAX 3U

static int result_of(int mqtt_result) {
  return mqtt_result == COVEY_MQTT_OK          ? COVEY_OK
         : mqtt_result == COVEY_MQTT_TOO_LARGE ? COVEY_ERROR_MESSAGE_TOO_LARGE
                                               : COVEY_ERROR_AGAIN;
}

/* On the wire: topic, payload, lengths and type. */
static uint32_t message_bytes(size_t topic_size, size_t size) {
  return (uint32_t)(topic_size + size + 4);
}

static bool ends_with(const char* text, size_t size, const char* end) {
  const size_t end_size = strlen(end);
  return size >= end_size && memcmp(text + size - end_size, end, end_size) == 0;
}

static int publish(void* ctx, const char* topic, const uint8_t* payload, size_t size, uint8_t qos) {
  link_t* link = (link_t*)ctx;
  const int result =
      covey_mqtt_publish(&link->mqtt, topic, payload, size, qos, false, board_now_ms(), NULL);
  if (result == COVEY_MQTT_OK && ends_with(topic, strlen(topic), "/up/report")) {
    link->telemetry_out += message_bytes(strlen(topic), size);
  }
  return result_of(result);
}

static int subscribe(void* ctx, const char* topic, uint8_t qos) {
  link_t* link = (link_t*)ctx;
  return result_of(covey_mqtt_subscribe(&link->mqtt, &topic, 1, qos, board_now_ms(), NULL));
}

static int unsubscribe(void* ctx, const char* topic) {
  link_t* link = (link_t*)ctx;
  return result_of(covey_mqtt_unsubscribe(&link->mqtt, &topic, 1, board_now_ms(), NULL));
}

covey_link_t link_port(link_t* link) {
  covey_link_t port;
  port.ctx = link;
  port.publish = publish;
  port.subscribe = subscribe;
  port.unsubscribe = unsubscribe;
  return port;
}

/* The broker, its certificate or password: where that goes on, the site may have another one for
 * this key. */
static void refused(link_t* link) {
#if COVEY_DEVICE_KEY
  if (link->stream != BOARD_STREAM_DEVICE || ++link->refusals < REFUSALS_MAX) return;
  link->refusals = 0;
  log_line("link: not known any more; enrolling once more");
  covey_agent_enroll_again(link->agent);
#else
  (void)link;
#endif
}

static void on_event(void* ctx, const covey_mqtt_event* event) {
  link_t* link = (link_t*)ctx;
  switch (event->type) {
    case COVEY_MQTT_EVENT_CONNECTED:
      link->state = LINK_UP;
      link->tries = 0;
      link->refusals = 0;
      log_line("link: connected%s", link->stream == BOARD_STREAM_ENROLL ? " to enrol" : "");
      covey_agent_connected(link->agent, board_now_ms());
      break;
    case COVEY_MQTT_EVENT_REFUSED:
      log_line("link: the broker refuses us with code %u", (unsigned)event->code);
      refused(link);
      break;
    case COVEY_MQTT_EVENT_MESSAGE: {
      const int error =
          covey_agent_receive(link->agent, event->topic, event->topic_size, event->payload,
                              event->size, event->offset, event->total);
      if (event->offset == 0 && ends_with(event->topic, event->topic_size, "/down/ack")) {
        link->telemetry_in += message_bytes(event->topic_size, event->total);
      }
      if (error != 0) {
        const char* name = covey_error_name(error);
        log_line("link: refused a message of %s: %s", event->topic, name != NULL ? name : "?");
      }
      break;
    }
    case COVEY_MQTT_EVENT_PUBLISHED:
    case COVEY_MQTT_EVENT_SUBSCRIBED:
    case COVEY_MQTT_EVENT_UNSUBSCRIBED:
    case COVEY_MQTT_EVENT_SKIPPED:
      break;
  }
}

/* The wait doubles; the unit's clock spreads a hall that lost its broker. */
static void break_off(link_t* link) {
  uint32_t wait_ms = 500U << (link->tries < 7 ? link->tries : 7);
  if (wait_ms > RETRY_MS_MAX) wait_ms = RETRY_MS_MAX;
  if (link->state == LINK_UP) covey_agent_disconnected(link->agent, board_now_ms());
  ++link->tries;
  link->state = LINK_BREAKING;
  link->zeros_left = sizeof link->output;
  link->connect_at_ms = board_now_ms() + DIAL_MS + wait_ms / 2 + board_now_us() % (wait_ms / 2 + 1);
}

void link_init(link_t* link, covey_agent_t* agent, const char* device_id, const char* enroll_token,
               bool fresh) {
  covey_mqtt_config config;
  memset(link, 0, sizeof *link);
  memset(&config, 0, sizeof config);
  link->agent = agent;
  link->device_id = device_id;
  link->enroll_token = enroll_token;
  config.output = link->output;
  config.output_size = sizeof link->output;
  config.topic = link->topic;
  config.topic_size = sizeof link->topic;
  config.handler = on_event;
  config.context = link;
  config.response_timeout_ms = RESPONSE_TIMEOUT_MS;
  (void)covey_mqtt_init(&link->mqtt, &config); /* can refuse only what stands above */
  link->state = LINK_BREAKING;
  link->zeros_left = fresh ? 0 : sizeof link->output;
  link->connect_at_ms = board_now_ms() + (fresh ? 100U : DIAL_MS);
}

static void open_stream(link_t* link) {
  covey_credentials_t credentials;
  const bool enrolled = covey_agent_credentials(link->agent, &credentials) == COVEY_OK;
  memset(&credentials, 0, sizeof credentials);
  link->stream = enrolled ? BOARD_STREAM_DEVICE : BOARD_STREAM_ENROLL;
  link->state = LINK_SECURING;
  link->secure_until_ms = board_now_ms() + SECURE_MS;
  stream_open(link->stream);
}

static void connect(link_t* link) {
  covey_mqtt_connect_options options;
  covey_credentials_t credentials;
  char topic[COVEY_TOPIC_BYTES_MAX];
  uint8_t will[COVEY_BYE_BYTES_MAX];
  int result;
  memset(&options, 0, sizeof options);
  options.client_id = link->device_id;
  options.keep_alive_s = KEEP_ALIVE_S;
  if (covey_agent_credentials(link->agent, &credentials) == COVEY_OK) {
    if (!stream_shows_certificate()) { /* else that says who this is */
      options.username = credentials.username;
      options.password = (const uint8_t*)credentials.password;
      options.password_size = strlen(credentials.password);
    }
    options.will_size = covey_agent_will(link->agent, topic, sizeof topic, will, sizeof will);
    if (options.will_size > 0) {
      options.will_topic = topic;
      options.will_payload = will;
      options.will_qos = 1;
    }
  } else {
    if (link->enroll_token[0] != '\0') {
      options.username = "enroll";
      options.password = (const uint8_t*)link->enroll_token;
      options.password_size = strlen(link->enroll_token);
    }
  }
  result = covey_mqtt_connect(&link->mqtt, &options, board_now_ms());
  memset(&credentials, 0, sizeof credentials);
  if (result != COVEY_MQTT_OK) {
    log_line("link: cannot connect: %s", covey_mqtt_result_name(result));
    break_off(link);
    return;
  }
  link->state = LINK_CONNECTING;
}

static uint32_t breaking_step(link_t* link) {
  static const uint8_t zeros[64];
  uint8_t bytes[64];
  uint64_t now_ms;
  while (board_read(link->stream, bytes, sizeof bytes) > 0) {
  }
  while (link->zeros_left > 0) {
    const size_t n = link->zeros_left < sizeof zeros ? link->zeros_left : sizeof zeros;
    const size_t sent = board_write(link->stream, zeros, n);
    link->zeros_left -= (uint32_t)sent;
    if (sent < n) break;
  }
  now_ms = board_now_ms();
  if (now_ms < link->connect_at_ms) return (uint32_t)(link->connect_at_ms - now_ms);
  link->zeros_left = 0; /* the line takes nothing: then nothing of us is on its way either */
  open_stream(link);
  return 0;
}

static uint32_t securing_step(link_t* link) {
  const stream_state_t state = stream_step();
  const uint64_t now_ms = board_now_ms();
  if (state == STREAM_OPEN) {
    connect(link);
    return 0;
  }
  if (state == STREAM_OPENING && now_ms >= link->secure_until_ms) {
    log_line("link: no secure connection within %u ms", SECURE_MS);
  }
  if (state == STREAM_FAILED || now_ms >= link->secure_until_ms) {
    if (state == STREAM_FAILED) refused(link);
    break_off(link);
    return 0;
  }
  return (uint32_t)(link->secure_until_ms - now_ms); /* bytes that come wake us sooner */
}

static void write_output(link_t* link) {
  for (;;) {
    size_t size;
    const uint8_t* bytes = covey_mqtt_output(&link->mqtt, &size);
    const size_t sent = stream_write(bytes, size);
    if (sent > 0) covey_mqtt_sent(&link->mqtt, sent);
    link->bytes_out += (uint32_t)sent;
    if (sent == 0) return; /* nothing left, or no room: then an interrupt wakes us */
  }
}

static int read_input(link_t* link) {
  uint8_t bytes[256];
  size_t size;
  while ((size = stream_read(bytes, sizeof bytes)) > 0) {
    size_t at = 0;
    link->bytes_in += (uint32_t)size;
    while (at < size) {
      size_t consumed;
      const int result =
          covey_mqtt_receive(&link->mqtt, bytes + at, size - at, board_now_ms(), &consumed);
      if (result != COVEY_MQTT_OK) return result;
      at += consumed;
      write_output(link);
      board_feed_watchdog();
    }
  }
  return COVEY_MQTT_OK;
}

uint32_t link_step(link_t* link) {
  uint32_t wait_ms = 0;
  int result;
  if (link->state == LINK_BREAKING) return breaking_step(link);
  if (link->state == LINK_SECURING) return securing_step(link);
  write_output(link);
  result = read_input(link);
  if (result == COVEY_MQTT_OK) result = covey_mqtt_tick(&link->mqtt, board_now_ms(), &wait_ms);
  if (result != COVEY_MQTT_OK || stream_step() == STREAM_FAILED) {
    log_line("link: lost: %s", covey_mqtt_result_name(result));
    break_off(link);
    return 0;
  }
  write_output(link);
  return wait_ms;
}

void link_close(link_t* link) {
  if (link->state == LINK_UP &&
      covey_mqtt_disconnect(&link->mqtt, board_now_ms()) == COVEY_MQTT_OK) {
    write_output(link);
  }
  break_off(link);
  link->tries = 0;
}
