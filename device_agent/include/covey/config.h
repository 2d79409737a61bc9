/* SPDX-License-Identifier: Apache-2.0 */
/* What a firmware engineer may change: define COVEY_USER_CONFIG to the name of a header of yours
 * (-DCOVEY_USER_CONFIG='"my_covey.h"') that defines some of these first. The same values must be
 * seen by the agent's sources and by everything that includes covey/agent.h. */
#ifndef COVEY_CONFIG_H
#define COVEY_CONFIG_H

#include "covey/limits.h"

#ifdef COVEY_USER_CONFIG
#include COVEY_USER_CONFIG
#endif

/* Models this firmware runs at most, and flash slots per model. Two slots make a fall-back. */
#ifndef COVEY_MODELS_MAX
#define COVEY_MODELS_MAX 2
#endif
#ifndef COVEY_SLOTS_MAX
#define COVEY_SLOTS_MAX 2
#endif

/* Chunks of one image at most: 1 bit of RAM each. */
#ifndef COVEY_CHUNKS_MAX
#define COVEY_CHUNKS_MAX COVEY_IMAGE_CHUNKS_MAX
#endif

/* Chunks asked for at once, at most 32. */
#ifndef COVEY_FETCH_WINDOW
#define COVEY_FETCH_WINDOW 8
#endif

/* Telemetry: what a window has room for. A release that wants more features, bins or classes than
 * this is refused with TABLES_INVALID. */
#ifndef COVEY_FEATURES_MAX
#define COVEY_FEATURES_MAX 16
#endif
#ifndef COVEY_BINS_MAX
#define COVEY_BINS_MAX 16
#endif
#ifndef COVEY_CLASSES_MAX
#define COVEY_CLASSES_MAX 16
#endif
/* 40 buckets reach 32.8 ms, 64 reach 2.1 s; the last one takes what is longer. */
#ifndef COVEY_LATENCY_BUCKETS
#define COVEY_LATENCY_BUCKETS 64
#endif
#ifndef COVEY_SAMPLES_MAX
#define COVEY_SAMPLES_MAX 4
#endif
/* Leaves of a release's QuantTree; 0: none are counted, and the code is left out. */
#ifndef COVEY_JOINT_LEAVES_MAX
#define COVEY_JOINT_LEAVES_MAX (COVEY_FEATURES_MAX > 0 ? 16 : 0)
#endif
/* Energy per inference, where the port measures it: 8 buckets reach 65 mJ, the last one takes what
 * is more. 0: not counted, and the code is left out. */
#ifndef COVEY_ENERGY_BUCKETS
#define COVEY_ENERGY_BUCKETS 8
#endif
/* What firmware says about itself (covey_agent_health) and drops, in reports. 0: left out. */
#ifndef COVEY_HEALTH
#define COVEY_HEALTH 1
#endif
/* Shadow mode. 0: orders for it are declined (UNSUPPORTED), and the code is left out. */
#ifndef COVEY_SHADOW
#define COVEY_SHADOW 1
#endif
/* Side of the agreement matrix of shadow mode; the last class takes what is beyond. 2 at least. */
#ifndef COVEY_SHADOW_CLASSES_MAX
#define COVEY_SHADOW_CLASSES_MAX 4
#endif
/* Reports per model that wait for their acknowledgement; the rest merges in the backlog. */
#ifndef COVEY_WINDOWS_IN_FLIGHT
#define COVEY_WINDOWS_IN_FLIGHT 2
#endif
/* Backlogs per model: the active model's and those of models that ran before it. */
#ifndef COVEY_BACKLOG_CELLS
#define COVEY_BACKLOG_CELLS COVEY_SLOTS_MAX
#endif
/* Streams (different models that ran) per boot; when full, a new boot id starts afresh. */
#ifndef COVEY_STREAMS_MAX
#define COVEY_STREAMS_MAX 6
#endif

/* Enrolment. 0: the device has its identity from the production line, by covey_agent_provision. */
#ifndef COVEY_ENROLMENT
#define COVEY_ENROLMENT 1
#endif
/* 1: the device enrols by a claim (covey_agent_config_t.claim) where it has one; 0.1 KB of flash.
 */
#ifndef COVEY_CLAIM
#define COVEY_CLAIM 0
#endif
/* 1: the device has a key of its own, which the port must have then: what enrolment grants is
 * sealed for it, and it may get a certificate; 2 KB of flash. */
#ifndef COVEY_DEVICE_KEY
#define COVEY_DEVICE_KEY 0
#endif

/* 1: who may sign models is named by a root document, of which the firmware has one version and
 * which the site may bring others of; 0: by the firmware's keys alone. */
#ifndef COVEY_ROOT
#define COVEY_ROOT 0
#endif

/* A certificate of the manufacturer that says who the device is, with COVEY_DEVICE_KEY: so long at
 * most; 0: it has none. The buffer for sending grows by as much. */
#ifndef COVEY_MANUFACTURER_CERTIFICATE_BYTES
#define COVEY_MANUFACTURER_CERTIFICATE_BYTES 0
#endif

/* What a goal may set: report interval and sampling. 0: they are as this firmware says. */
#ifndef COVEY_SETTINGS
#define COVEY_SETTINGS 1
#endif
/* Chunks that the confirmed model has, too, are copied. 0: all of them travel. */
#ifndef COVEY_COPY_UNCHANGED
#define COVEY_COPY_UNCHANGED 1
#endif
/* A download that a reset cut goes on where it was. 0: it begins anew; a lost connection alone
 * still costs no chunk twice. */
#ifndef COVEY_RESUME
#define COVEY_RESUME 1
#endif

/* 1: reports wait over a reboot, too, in the outbox that the port must have then; 1 KB of flash. */
#ifndef COVEY_OUTBOX
#define COVEY_OUTBOX 0
#endif

/* Starts of a model on probation without success before it is rejected, and abnormal starts inside
 * load or invoke of a confirmed model before the fall-back is taken. */
#ifndef COVEY_PROBATION_STARTS_MAX
#define COVEY_PROBATION_STARTS_MAX 3
#endif
#ifndef COVEY_CONFIRMED_FAULTS_MAX
#define COVEY_CONFIRMED_FAULTS_MAX 3
#endif

/* Requests without any progress before a download fails. */
#ifndef COVEY_FETCH_TRIES_MAX
#define COVEY_FETCH_TRIES_MAX 8
#endif
/* Bytes received per attempt, as a multiple of the image size, before it fails (BYTE_BUDGET). Times
 * the size of the flash it is below 2^32 (covey_config_check). */
#ifndef COVEY_BYTE_BUDGET_FACTOR
#define COVEY_BYTE_BUDGET_FACTOR 4
#endif

/* Small rather than fast: what is called from two places and would be copied into both. */
#ifdef __GNUC__
#define COVEY_OUTLINE __attribute__((noinline))
#else
#define COVEY_OUTLINE
#endif

/* What was written before it is in memory before what is written after it, for an interrupt of the
 * same core: keeps the compiler, not the processor, from moving either. */
#ifndef COVEY_BARRIER
#ifdef __GNUC__
#define COVEY_BARRIER() __asm__ volatile("" ::: "memory")
#else
#error "define COVEY_BARRIER() for this compiler in COVEY_USER_CONFIG"
#endif
#endif

#ifdef __cplusplus
#define COVEY_STATIC_ASSERT(condition) static_assert(condition, #condition)
#elif defined(__GNUC__)
#define COVEY_STATIC_ASSERT(condition) _Static_assert(condition, #condition)
#else
#define COVEY_STATIC_ASSERT_NAME2(line) covey_static_assert_##line
#define COVEY_STATIC_ASSERT_NAME(line) COVEY_STATIC_ASSERT_NAME2(line)
#define COVEY_STATIC_ASSERT(condition) \
  typedef char COVEY_STATIC_ASSERT_NAME(__LINE__)[(condition) ? 1 : -1]
#endif

COVEY_STATIC_ASSERT(COVEY_MODELS_MAX >= 1 && COVEY_MODELS_MAX <= 4);
COVEY_STATIC_ASSERT(COVEY_MODELS_MAX <= COVEY_DEVICE_MODELS_MAX);
COVEY_STATIC_ASSERT(COVEY_SLOTS_MAX >= 2 && COVEY_SLOTS_MAX <= 8);
COVEY_STATIC_ASSERT(COVEY_CHUNKS_MAX >= 8 && COVEY_CHUNKS_MAX <= 16384);
COVEY_STATIC_ASSERT(COVEY_FETCH_WINDOW >= 1 && COVEY_FETCH_WINDOW <= COVEY_FETCH_CHUNKS_MAX);
COVEY_STATIC_ASSERT(COVEY_FEATURES_MAX >= 0 && COVEY_FEATURES_MAX <= COVEY_REPORT_FEATURES_MAX);
COVEY_STATIC_ASSERT(COVEY_BINS_MAX >= 2 && COVEY_BINS_MAX <= COVEY_REPORT_BINS_MAX);
COVEY_STATIC_ASSERT(COVEY_CLASSES_MAX >= 2 && COVEY_CLASSES_MAX <= COVEY_REPORT_CLASSES_MAX);
COVEY_STATIC_ASSERT(COVEY_LATENCY_BUCKETS >= 8 &&
                    COVEY_LATENCY_BUCKETS <= COVEY_REPORT_LATENCY_BUCKETS_MAX);
/* A QuantTree cuts at features. */
COVEY_STATIC_ASSERT(COVEY_JOINT_LEAVES_MAX == 0 || COVEY_FEATURES_MAX > 0);
COVEY_STATIC_ASSERT(COVEY_JOINT_LEAVES_MAX == 0 ||
                    (COVEY_JOINT_LEAVES_MAX >= 2 &&
                     COVEY_JOINT_LEAVES_MAX <= COVEY_REPORT_LEAVES_MAX));
COVEY_STATIC_ASSERT(COVEY_ENERGY_BUCKETS == 0 ||
                    (COVEY_ENERGY_BUCKETS >= 2 &&
                     COVEY_ENERGY_BUCKETS <= COVEY_REPORT_ENERGY_BUCKETS_MAX));
COVEY_STATIC_ASSERT(COVEY_SAMPLES_MAX >= 0 && COVEY_SAMPLES_MAX <= 16);
COVEY_STATIC_ASSERT(COVEY_SAMPLES_MAX <= COVEY_REPORT_SAMPLES_MAX);
COVEY_STATIC_ASSERT(COVEY_SHADOW_CLASSES_MAX >= 2 && COVEY_SHADOW_CLASSES_MAX <= COVEY_CLASSES_MAX);
COVEY_STATIC_ASSERT(COVEY_WINDOWS_IN_FLIGHT >= 1 && COVEY_WINDOWS_IN_FLIGHT <= 4);
/* A fall-back must always find a cell: every model that is in a slot can have one. */
COVEY_STATIC_ASSERT(COVEY_BACKLOG_CELLS >= COVEY_SLOTS_MAX);
COVEY_STATIC_ASSERT(COVEY_STREAMS_MAX > COVEY_BACKLOG_CELLS && COVEY_STREAMS_MAX <= 32);
COVEY_STATIC_ASSERT(COVEY_MODELS_MAX* COVEY_STREAMS_MAX <= COVEY_BOOT_STREAMS_MAX);
COVEY_STATIC_ASSERT(COVEY_PROBATION_STARTS_MAX >= 1 && COVEY_PROBATION_STARTS_MAX <= 100);
COVEY_STATIC_ASSERT(COVEY_CONFIRMED_FAULTS_MAX >= 1 && COVEY_CONFIRMED_FAULTS_MAX <= 100);

/* Switches are on or off. */
COVEY_STATIC_ASSERT((COVEY_HEALTH | 1) == 1 && (COVEY_SHADOW | 1) == 1 && (COVEY_OUTBOX | 1) == 1);
COVEY_STATIC_ASSERT((COVEY_ENROLMENT | 1) == 1 && (COVEY_SETTINGS | 1) == 1);
COVEY_STATIC_ASSERT((COVEY_CLAIM | 1) == 1 && COVEY_CLAIM <= COVEY_ENROLMENT);
COVEY_STATIC_ASSERT(COVEY_MANUFACTURER_CERTIFICATE_BYTES <= 1024);
COVEY_STATIC_ASSERT((COVEY_DEVICE_KEY | 1) == 1 && COVEY_DEVICE_KEY <= COVEY_ENROLMENT);
COVEY_STATIC_ASSERT((COVEY_ROOT | 1) == 1);
COVEY_STATIC_ASSERT((COVEY_COPY_UNCHANGED | 1) == 1 && (COVEY_RESUME | 1) == 1);

#endif
