// SPDX-License-Identifier: Apache-2.0
// The MQTT client's reader against any bytes in any pieces: no overrun, pieces of a message add up,
// and reading always makes progress. Byte 0 of the input chooses the piece size.
#include <cstdint>
#include <cstdlib>

#include "covey/mqtt.h"

namespace {

struct Watch {
  size_t next_offset = 0;
  size_t total = 0;
};

void on_event(void* context, const covey_mqtt_event* event) {
  auto* watch = static_cast<Watch*>(context);
  if (event->type != COVEY_MQTT_EVENT_MESSAGE) {
    return;
  }
  if (event->offset != 0 && (event->offset != watch->next_offset || event->total != watch->total)) {
    abort();
  }
  watch->total = event->total;
  watch->next_offset = event->offset + event->size;
  if (watch->next_offset > watch->total || event->topic[event->topic_size] != '\0') {
    abort();
  }
  unsigned sum = 0;  // read all of it, so that ASan sees; no sum of bytes is that large
  for (size_t i = 0; i < event->size; i++) {
    sum += event->payload[i];
  }
  if (sum > event->size * 255) {
    abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) {
    return 0;
  }
  Watch watch;
  uint8_t output[64];
  char topic[16];
  covey_mqtt client;
  covey_mqtt_config config{};
  config.output = output;
  config.output_size = sizeof output;
  config.topic = topic;
  config.topic_size = sizeof topic;
  config.handler = on_event;
  config.context = &watch;
  covey_mqtt_connect_options options{};
  options.client_id = "d";
  if (covey_mqtt_init(&client, &config) != 0 || covey_mqtt_connect(&client, &options, 0) != 0) {
    abort();
  }
  covey_mqtt_sent(&client, sizeof output);
  const size_t piece_size = size_t{data[0]} + 1;
  size_t at = 1;
  const uint8_t connack[] = {0x20, 2, 0, 0};
  size_t consumed = 0;
  if ((data[0] & 1) != 0) {  // half of the inputs start connected
    covey_mqtt_receive(&client, connack, sizeof connack, 0, &consumed);
    covey_mqtt_publish(&client, "t", nullptr, 0, 1, false, 0, nullptr);
  }
  while (at < size) {
    const size_t piece = piece_size < size - at ? piece_size : size - at;
    if (covey_mqtt_receive(&client, data + at, piece, 0, &consumed) != COVEY_MQTT_OK) {
      break;
    }
    size_t pending = 0;
    covey_mqtt_output(&client, &pending);
    if (consumed == 0 && pending == 0) {
      abort();  // no progress although there was room
    }
    covey_mqtt_sent(&client, pending);
    at += consumed;
  }
  return 0;
}
