/* SPDX-License-Identifier: Apache-2.0 */
/* How the device speaks: topics, the seal of the order key, and publishing. Knows the connection,
 * not what is said. */
#ifndef COVEY_SRC_LINK_H
#define COVEY_SRC_LINK_H

#include "../core/core.h"
#include "../wire/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- topic.c: built exactly; recognised, or not at all */
enum covey_topic_kind {
  COVEY_TOPIC_NONE = 0,
  COVEY_TOPIC_SITE, /* these are subscribed to in every session */
  COVEY_TOPIC_GOAL,
  COVEY_TOPIC_ACK,
  COVEY_TOPIC_CHUNK,
#if COVEY_DEVICE_KEY
  COVEY_TOPIC_CERTIFICATE,
#endif
#if COVEY_ROOT
  COVEY_TOPIC_ROOT, /* the last one: where there is no root document it is left out */
#endif
  COVEY_TOPIC_ENROLL,   /* this one before there is an identity */
  COVEY_TOPIC_MANIFEST, /* these by digest, when they are waited for */
  COVEY_TOPIC_TABLE
};
/* The fixed topics that are listened to now, from the first to the last one. */
static inline enum covey_topic_kind covey_topic_first(const covey_agent_t* a) {
  return covey_core_enrolled(a) ? COVEY_TOPIC_SITE : COVEY_TOPIC_ENROLL;
}
static inline enum covey_topic_kind covey_topic_last(const covey_agent_t* a) {
  enum covey_topic_kind last = (enum covey_topic_kind)(COVEY_TOPIC_ENROLL - 1);
#if COVEY_ROOT
  if (a->root_version == 0) last = (enum covey_topic_kind)(COVEY_TOPIC_ROOT - 1);
#endif
  return covey_core_enrolled(a) ? last : COVEY_TOPIC_ENROLL;
}
/* One of these; NONE: no fixed topic. */
enum covey_topic_kind covey_topic_parse(const covey_agent_t* a, const char* topic, size_t size);
/* Of SITE to ENROLL. */
void covey_topic_of(const covey_agent_t* a, enum covey_topic_kind kind,
                    char topic[COVEY_TOPIC_BYTES_MAX]);
/* covey/v1/{shard}/{id}/{tail}, e.g. tail "up/hello"; {shard} is "enroll" before enrolment */
void covey_topic_own(const covey_agent_t* a, const char* tail, char topic[COVEY_TOPIC_BYTES_MAX]);
void covey_topic_digest(const uint8_t* digest, char topic[COVEY_TOPIC_BYTES_MAX]);
bool covey_topic_id_valid(const char* id);

/* ---- seal.c: authentication. `kind` is the last topic level. */
void covey_seal_add(covey_agent_t* a, const char* kind, covey_writer_t* w);
/* Takes the mac field off the message. Errors: MAC_INVALID. */
int covey_seal_open(covey_agent_t* a, const char* kind, covey_bytes_t* message);

/* ---- send.c */
/* Empty, over the send buffer. */
covey_writer_t covey_send_writer(const covey_agent_t* a);
/* Sealed, once there is a key, and published under the own topic with this tail. Errors: AGAIN. */
int covey_send_message(covey_agent_t* a, const char* tail, covey_writer_t* w, uint8_t qos);

#ifdef __cplusplus
}
#endif

#endif
