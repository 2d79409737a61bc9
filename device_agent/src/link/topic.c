/* SPDX-License-Identifier: Apache-2.0 */
/* Topics of docs/design/device-wire.md, "Topics". */
#include "link.h"

static char* append(char* at, const char* text) {
  while (*text != '\0') *at++ = *text++;
  *at = '\0';
  return at;
}

bool covey_topic_id_valid(const char* id) {
  size_t i;
  for (i = 0; id[i] != '\0'; ++i) {
    const char c = id[i];
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!alphanumeric && (i == 0 || (c != '.' && c != '_' && c != '-'))) return false;
    if (i >= COVEY_DEVICE_ID_BYTES_MAX) return false;
  }
  return i > 0;
}

void covey_topic_own(const covey_agent_t* a, const char* tail, char topic[COVEY_TOPIC_BYTES_MAX]) {
  char* at = append(topic, "covey/v1/");
#if COVEY_CLAIM
  if (!covey_core_enrolled(a) && a->config->claim != NULL) {
    at = append(append(at, "c/"), a->config->claim);
  } else
#endif
  {
    at = append(at, covey_core_enrolled(a) ? a->shard : "enroll");
  }
  *at++ = '/';
  at = append(at, a->config->device_id);
  *at++ = '/';
  (void)append(at, tail);
}

void covey_topic_digest(const uint8_t* digest, char topic[COVEY_TOPIC_BYTES_MAX]) {
  char* at = append(topic, "covey/v1/m/");
  size_t i;
  for (i = 0; i < 2 * COVEY_DIGEST_BYTES; ++i) {
    const unsigned byte = digest[i / 2];
    const unsigned nibble = i % 2 != 0 ? byte & 15 : byte >> 4;
    *at++ = (char)(nibble + (nibble < 10 ? '0' : 'a' - 10));
  }
  *at = '\0';
}

void covey_topic_of(const covey_agent_t* a, enum covey_topic_kind kind,
                    char topic[COVEY_TOPIC_BYTES_MAX]) {
  static const char* const tails[] = {
    "down/goal",
    "down/ack",
    "down/chunk",
#if COVEY_DEVICE_KEY
    "down/certificate",
#endif
#if COVEY_ROOT
    NULL,
#endif
    "down"
  };
#if COVEY_ROOT
  if (kind == COVEY_TOPIC_ROOT) { /* of the version that comes next */
    char digits[11];
    char* at = &digits[sizeof digits - 1];
    uint32_t number = a->root_version + 1;
    *at = '\0';
    do {
      *--at = (char)('0' + number % 10);
      number /= 10;
    } while (number != 0);
    (void)append(append(topic, "covey/v1/m/root-"), at);
    return;
  }
#endif
  if (kind == COVEY_TOPIC_SITE) {
    (void)append(topic, "covey/v1/site");
  } else {
    covey_topic_own(a, tails[kind - COVEY_TOPIC_GOAL], topic);
  }
}

enum covey_topic_kind covey_topic_parse(const covey_agent_t* a, const char* topic, size_t size) {
  const unsigned last = covey_topic_last(a);
  unsigned kind;
  for (kind = covey_topic_first(a); kind <= last; ++kind) {
    char own[COVEY_TOPIC_BYTES_MAX];
    covey_topic_of(a, (enum covey_topic_kind)kind, own);
    if (covey_bytes_are_text(own, topic, size)) return (enum covey_topic_kind)kind;
  }
  return COVEY_TOPIC_NONE;
}
