/* SPDX-License-Identifier: Apache-2.0 */
/* The sizes that follow from this configuration; all in bytes: buffers, and the longest that each
 * message to the gateway can be. Those of the wire, which hold for every agent, are in
 * covey/limits.h. */
#ifndef COVEY_SIZES_H
#define COVEY_SIZES_H

#include "covey/config.h"
#include "covey/limits.h"

/* Device to gateway. */
#define COVEY_MODEL_STATE_BYTES_MAX (2 + COVEY_MODEL_NAME_BYTES_MAX + 4 * 34 + 10 * 7 + 11 + 4)
#define COVEY_FACTS_BYTES_MAX \
  (3 * 2 + COVEY_DEVICE_CLASS_BYTES_MAX + COVEY_FIRMWARE_BYTES_MAX + 16 + 7 * 6 + 9)
#define COVEY_STATUS_BYTES_MAX \
  (64 + COVEY_MODELS_MAX * (3 + COVEY_MODEL_STATE_BYTES_MAX) + COVEY_MAC_FIELD_BYTES)
#define COVEY_HELLO_BYTES_MAX                                                            \
  (COVEY_STATUS_BYTES_MAX + 3 + COVEY_FACTS_BYTES_MAX + 32 + COVEY_DEVICE_ID_BYTES_MAX + \
   (COVEY_DEVICE_KEY ? 9 : 0) + (COVEY_ROOT ? 6 : 0))
/* The agent's own request for a certificate: 202 bytes, the id and a signature of 72. */
#define COVEY_OWN_REQUEST_BYTES_MAX (202 + COVEY_DEVICE_ID_BYTES_MAX + 72)
#define COVEY_ENROLL_REQUEST_BYTES_MAX                          \
  (16 + COVEY_DEVICE_ID_BYTES_MAX + 3 + COVEY_FACTS_BYTES_MAX + \
   COVEY_MODELS_MAX * (2 + COVEY_MODEL_NAME_BYTES_MAX) +        \
   (COVEY_CLAIM ? 2 + COVEY_CLAIM_PROOF_BYTES : 0) +            \
   (COVEY_DEVICE_KEY ? 3 + COVEY_OWN_REQUEST_BYTES_MAX : 0) +   \
   (COVEY_MANUFACTURER_CERTIFICATE_BYTES > 0 ? 5 + COVEY_MANUFACTURER_CERTIFICATE_BYTES : 0))
#define COVEY_FETCH_BYTES_MAX (34 + 6 + 5 + 6 + COVEY_MAC_FIELD_BYTES)
#define COVEY_FEATURE_WINDOW_BYTES_MAX (2 + 5 * COVEY_BINS_MAX + 3 * 6 + 2 * 6 + 2 * 11)
#define COVEY_SAMPLE_BYTES_MAX (11 + 3 * 6 + 11)
#define COVEY_SHADOW_BYTES_MAX                                                                     \
  (COVEY_SHADOW                                                                                    \
       ? 3 + 10 + 3 * 6 + 3 + 5 * COVEY_SHADOW_CLASSES_MAX * COVEY_SHADOW_CLASSES_MAX + 2 + 5 * 16 \
       : 0)
#define COVEY_JOINT_BYTES_MAX (COVEY_JOINT_LEAVES_MAX > 0 ? 3 + 5 * COVEY_JOINT_LEAVES_MAX : 0)
#define COVEY_ENERGY_BYTES_MAX \
  (COVEY_ENERGY_BUCKETS > 0 ? 3 + 2 + 5 * COVEY_ENERGY_BUCKETS + 11 : 0)
#define COVEY_HEALTH_BYTES_MAX (COVEY_HEALTH ? 3 + 7 * 6 : 0)
#define COVEY_REPORT_BYTES_MAX                                                         \
  (9 + 10 + 2 * 6 + 2 * 11 + 2 * 6 + 11 + (2 + 5 * COVEY_CLASSES_MAX) + (2 + 5 * 16) + \
   (3 + 5 * COVEY_LATENCY_BUCKETS) + 6 + 11 +                                          \
   COVEY_FEATURES_MAX * (4 + COVEY_FEATURE_WINDOW_BYTES_MAX) +                         \
   COVEY_SAMPLES_MAX * (3 + COVEY_SAMPLE_BYTES_MAX) + 3 * 7 + COVEY_SHADOW_BYTES_MAX + \
   COVEY_JOINT_BYTES_MAX + COVEY_ENERGY_BYTES_MAX + COVEY_HEALTH_BYTES_MAX +           \
   COVEY_MAC_FIELD_BYTES)

/* Records of the outbox at most, and each: a report without its seal, and 4 bytes. */
#define COVEY_OUTBOX_PLACES_MAX (COVEY_OUTBOX ? 8U : 0U)
#define COVEY_OUTBOX_BYTES_MAX (COVEY_REPORT_BYTES_MAX - COVEY_MAC_FIELD_BYTES + 4)

/* The buffer that the config passes for sending: the longest of all. A sealed grant is opened
 * into it, and a root document read. */
#define COVEY_SEND_LONGEST \
  (COVEY_REPORT_BYTES_MAX > COVEY_HELLO_BYTES_MAX ? COVEY_REPORT_BYTES_MAX : COVEY_HELLO_BYTES_MAX)
#define COVEY_SEND_OR_GRANT                                              \
  (COVEY_DEVICE_KEY && COVEY_SEND_LONGEST < COVEY_ENROLL_GRANT_BYTES_MAX \
       ? COVEY_ENROLL_GRANT_BYTES_MAX                                    \
       : COVEY_SEND_LONGEST)
#define COVEY_SEND_BYTES_MIN                                                       \
  (COVEY_ROOT && COVEY_SEND_OR_GRANT < COVEY_ROOT_BYTES_MAX ? COVEY_ROOT_BYTES_MAX \
                                                            : COVEY_SEND_OR_GRANT)
/* The buffer for receiving: at least a signed manifest; a chunk and its overhead in practice. */
#define COVEY_RECEIVE_BYTES_MIN COVEY_SIGNED_MANIFEST_BYTES_MAX

COVEY_STATIC_ASSERT(COVEY_GOAL_BYTES_MAX <= COVEY_RECEIVE_BYTES_MIN);
COVEY_STATIC_ASSERT(COVEY_ACK_BYTES_MAX <= COVEY_RECEIVE_BYTES_MIN);
COVEY_STATIC_ASSERT(COVEY_SITE_BYTES_MAX <= COVEY_RECEIVE_BYTES_MIN);
COVEY_STATIC_ASSERT(COVEY_ENROLL_GRANT_BYTES_MAX <= COVEY_RECEIVE_BYTES_MIN);
COVEY_STATIC_ASSERT(COVEY_CERTIFICATE_MESSAGE_BYTES_MAX <= COVEY_RECEIVE_BYTES_MIN);
COVEY_STATIC_ASSERT(COVEY_SIGNED_ROOT_BYTES_MAX <= COVEY_RECEIVE_BYTES_MIN);
/* A goal can give one model work, and can name all without. */
COVEY_STATIC_ASSERT(COVEY_GOAL_REST_BYTES_MAX + COVEY_GOAL_MODEL_BYTES_MAX <= COVEY_GOAL_BYTES_MAX);
COVEY_STATIC_ASSERT(COVEY_GOAL_REST_BYTES_MAX +
                        COVEY_MODELS_MAX *
                            (COVEY_GOAL_MODEL_BYTES_MAX - COVEY_GOAL_CANDIDATE_BYTES_MAX) <=
                    COVEY_GOAL_BYTES_MAX);
COVEY_STATIC_ASSERT(COVEY_ACK_REST_BYTES_MAX + COVEY_ACK_STREAMS_MAX * COVEY_ACK_STREAM_BYTES_MAX <=
                    COVEY_ACK_BYTES_MAX);
COVEY_STATIC_ASSERT(COVEY_ENROLL_REQUEST_BYTES_MAX <= COVEY_SEND_BYTES_MIN);
COVEY_STATIC_ASSERT(COVEY_STATUS_BYTES_MAX <= COVEY_SEND_BYTES_MIN);
COVEY_STATIC_ASSERT(COVEY_FETCH_BYTES_MAX <= COVEY_SEND_BYTES_MIN);
COVEY_STATIC_ASSERT(COVEY_SEND_BYTES_MIN <= COVEY_UP_BYTES_MAX);

#endif
