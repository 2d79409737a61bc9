/* Topics of DESIGN.md section 5: built and recognised, exactly, or not at all. */
#include "internal.h"

static char* append(char* at, const char* text) {
  while (*text != '\0') *at++ = *text++;
  *at = '\0';
  return at;
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
  at = append(at, a->enrolled ? a->shard : "enroll");
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
  static const char* const tails[] = {"down/goal", "down/ack", "down/chunk", "down"};
  if (kind == COVEY_TOPIC_SITE) {
    (void)append(topic, "covey/v1/site");
  } else {
    covey_topic_own(a, tails[kind - COVEY_TOPIC_GOAL], topic);
  }
}

enum covey_topic_kind covey_topic_parse(covey_agent_t* a, const char* topic, size_t size) {
  char own[COVEY_TOPIC_BYTES_MAX];
  const unsigned last = a->enrolled ? COVEY_TOPIC_CHUNK : COVEY_TOPIC_ENROLL;
  unsigned kind = a->enrolled ? COVEY_TOPIC_SITE : COVEY_TOPIC_ENROLL;
  const uint8_t* wanted;
  for (; kind <= last; ++kind) {
    covey_topic_of(a, (enum covey_topic_kind)kind, own);
    if (covey_text_equal(own, topic, size)) return (enum covey_topic_kind)kind;
  }
  /* A retained message by digest: only the one that is waited for, others are left over. */
  wanted = covey_job_wants(a);
  if (wanted == NULL) return COVEY_TOPIC_NONE;
  covey_topic_digest(wanted, own);
  if (!covey_text_equal(own, topic, size)) return COVEY_TOPIC_NONE;
  return a->job.state == COVEY_JOB_MANIFEST ? COVEY_TOPIC_MANIFEST : COVEY_TOPIC_TABLE;
}
