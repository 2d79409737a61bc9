/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and numbers of the device wire (proto/covey/device/v1), the same for every agent and every
 * gateway; sizes in bytes. What is longer is refused and counted before a byte of it is parsed.
 * Both sides keep to them and assert, at compile time, that their own bounds do.
 *
 * This header stands alone, in C and in C++: no include, no configuration, nothing but numbers. It
 * is the one header of the agent that everybody may include. A number, once released, only grows,
 * and what agents in the field refuse does not. */
#ifndef COVEY_LIMITS_H
#define COVEY_LIMITS_H

#define COVEY_DIGEST_BYTES 32
#define COVEY_PREFIX_BYTES 8        /* of a manifest digest */
#define COVEY_CHUNK_DIGEST_BYTES 16 /* truncated SHA-256 in the chunk table */
#define COVEY_MAC_BYTES 16
#define COVEY_MAC_FIELD_BYTES 18 /* 0x7a 0x10 mac */
#define COVEY_ORDER_KEY_BYTES 32
#define COVEY_SIGNATURE_BYTES 64
#define COVEY_KEY_ID_BYTES 8
#define COVEY_PUBLIC_KEY_BYTES_MAX 65
#define COVEY_POINT_BYTES 65 /* a device's own public key: an uncompressed point of P-256 */

/* Texts, without a terminating NUL. */
#define COVEY_DEVICE_ID_BYTES_MAX 63
#define COVEY_MODEL_NAME_BYTES_MAX 63
#define COVEY_VERSION_BYTES_MAX 31
#define COVEY_DEVICE_CLASS_BYTES_MAX 63
#define COVEY_FIRMWARE_BYTES_MAX 63
#define COVEY_SHARD_BYTES 2
#define COVEY_USERNAME_BYTES_MAX 63
#define COVEY_PASSWORD_BYTES_MAX 63

#define COVEY_CLAIM_NAME_BYTES_MAX 15
/* Topics, with NUL. The longest is covey/v1/{shard}/{id}/down/certificate. */
#define COVEY_TOPIC_BYTES_MAX 96

/* Models that one device may name. What fits in one goal may be fewer, see below. */
#define COVEY_DEVICE_MODELS_MAX 8

/* ---- Gateway to device. */
#define COVEY_SITE_BYTES_MAX 64
#define COVEY_GOAL_BYTES_MAX 256
#define COVEY_ACK_BYTES_MAX 256
/* 256 of a grant that is not sealed. */
#define COVEY_ENROLL_GRANT_BYTES_MAX 1024
#define COVEY_CERTIFICATE_BYTES_MAX 640 /* of a device, X.509 in DER */
#define COVEY_CERTIFICATE_MESSAGE_BYTES_MAX \
  (3 + COVEY_CERTIFICATE_BYTES_MAX + COVEY_MAC_FIELD_BYTES)
#define COVEY_MANIFEST_BYTES_MAX 600
#define COVEY_SIGNATURES_MAX 4
#define COVEY_SIGNED_MANIFEST_BYTES_MAX 1024
/* A root document: who may sign. As long as a signed manifest, so that the same buffer takes it. */
#define COVEY_ROOT_BYTES_MAX 600
#define COVEY_ROOT_KEYS_MAX 8
#define COVEY_ROOT_SIGNATURES_MAX 5
#define COVEY_SIGNED_ROOT_BYTES_MAX 1024
#define COVEY_TABLES_BYTES_MAX 2304
#define COVEY_CHUNK_OVERHEAD_BYTES 128 /* of a down/chunk message, MQTT header included */

/* What a goal is made of, each with the longest id and the largest numbers: all but its models; a
 * model; of that, its candidate, which a goal without work for the model leaves out. */
#define COVEY_GOAL_REST_BYTES_MAX \
  (6 + 11 + 2 + COVEY_DEVICE_ID_BYTES_MAX + 9 + 6 + (2 + 4 + 4) + COVEY_MAC_FIELD_BYTES)
#define COVEY_GOAL_CANDIDATE_BYTES_MAX (2 + COVEY_DIGEST_BYTES + 2 + 2 + 4)
#define COVEY_GOAL_MODEL_BYTES_MAX \
  (2 + 5 + (2 + COVEY_PREFIX_BYTES) + COVEY_GOAL_CANDIDATE_BYTES_MAX + 6 + 6)

/* Of an acknowledgement, with the largest numbers: all but its streams; how many they are; one. */
#define COVEY_ACK_REST_BYTES_MAX (9 + 6 + 6 + 6 + 2 + COVEY_MAC_FIELD_BYTES)
#define COVEY_ACK_STREAMS_MAX 6
#define COVEY_ACK_STREAM_BYTES_MAX (2 + (2 + COVEY_PREFIX_BYTES) + 6 + 9)

/* ---- Artifacts: the image, and the chunks that it travels in. */
#define COVEY_IMAGE_BYTES_MAX 16777216
#define COVEY_IMAGE_CHUNKS_MAX 1024
#define COVEY_CHUNK_BYTES_MIN 64
#define COVEY_CHUNK_BYTES_MAX 16384
#define COVEY_CHUNK_BYTES_UNIT 16       /* a chunk is a multiple of it, but for the last one */
#define COVEY_FETCH_CHUNKS_MAX 32       /* that one fetch can name: bits of its bitmap */
#define COVEY_SLOT_OVERHEAD_BYTES 4096U /* of a slot, beside chunk table and image */

/* ---- Device to gateway: no message is longer, whatever the agent was built with. */
#define COVEY_UP_BYTES_MAX 16384
#define COVEY_BYE_BYTES_MAX 16
#define COVEY_CLAIM_PROOF_BYTES 32
#define COVEY_CERTIFICATE_REQUEST_BYTES_MAX 1024 /* PKCS#10 in DER */

/* What one report counts at most. */
#define COVEY_REPORT_CLASSES_MAX 16
#define COVEY_REPORT_FEATURES_MAX 16
#define COVEY_REPORT_BINS_MAX 16 /* of a feature: one more than edges */
#define COVEY_REPORT_CONFIDENCE_BINS 16
#define COVEY_REPORT_LATENCY_BUCKETS_MAX 64
#define COVEY_REPORT_ENERGY_BUCKETS_MAX 16
#define COVEY_REPORT_LEAVES_MAX 16 /* of a QuantTree: one more than nodes */
#define COVEY_REPORT_SAMPLES_MAX 256
#define COVEY_BOOT_STREAMS_MAX 128 /* streams of one boot, all models together */

#endif
