/* Topics of DESIGN.md section 5: built and recognised, exactly, or not at all. */
#include "internal.h"

static char* append(char* at, const char* text) {
  const size_t size = strlen(text);
  memcpy(at, text, size + 1);
  return at + size;
}

bool covey_device_id_valid(const char* id) {
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
  at = append(at, a->shard);
  at = append(at, "/");
  at = append(at, a->config->device_id);
  at = append(at, "/");
  (void)append(at, tail);
}

void covey_topic_enroll(const covey_agent_t* a, const char* tail,
                        char topic[COVEY_TOPIC_BYTES_MAX]) {
  char* at = append(topic, "covey/v1/enroll/");
  at = append(at, a->config->device_id);
  at = append(at, "/");
  (void)append(at, tail);
}

void covey_topic_digest(const uint8_t* digest, char topic[COVEY_TOPIC_BYTES_MAX]) {
  static const char hex[] = "0123456789abcdef";
  char* at = append(topic, "covey/v1/m/");
  size_t i;
  for (i = 0; i < COVEY_DIGEST_BYTES; ++i) {
    *at++ = hex[digest[i] >> 4];
    *at++ = hex[digest[i] & 15];
  }
  *at = '\0';
}

static int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

static bool digest_topic(const char* topic, size_t size, uint8_t digest[COVEY_DIGEST_BYTES]) {
  static const char head[] = "covey/v1/m/";
  const size_t head_size = sizeof head - 1;
  size_t i;
  if (size != head_size + 2 * COVEY_DIGEST_BYTES || memcmp(topic, head, head_size) != 0) {
    return false;
  }
  for (i = 0; i < COVEY_DIGEST_BYTES; ++i) {
    const int high = nibble(topic[head_size + 2 * i]);
    const int low = nibble(topic[head_size + 2 * i + 1]);
    if (high < 0 || low < 0) return false;
    digest[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

static bool equal(const char* expected, const char* topic, size_t size) {
  return strlen(expected) == size && memcmp(expected, topic, size) == 0;
}

enum covey_topic_kind covey_topic_parse(const covey_agent_t* a, const char* topic, size_t size,
                                        uint8_t digest[COVEY_DIGEST_BYTES]) {
  char own[COVEY_TOPIC_BYTES_MAX];
  if (equal("covey/v1/site", topic, size)) return COVEY_TOPIC_SITE;
  if (digest_topic(topic, size, digest)) return COVEY_TOPIC_MANIFEST;
  if (!a->enrolled) {
    covey_topic_enroll(a, "down", own);
    return equal(own, topic, size) ? COVEY_TOPIC_ENROLL : COVEY_TOPIC_NONE;
  }
  covey_topic_own(a, "down/chunk", own);
  if (equal(own, topic, size)) return COVEY_TOPIC_CHUNK;
  covey_topic_own(a, "down/goal", own);
  if (equal(own, topic, size)) return COVEY_TOPIC_GOAL;
  covey_topic_own(a, "down/ack", own);
  return equal(own, topic, size) ? COVEY_TOPIC_ACK : COVEY_TOPIC_NONE;
}
