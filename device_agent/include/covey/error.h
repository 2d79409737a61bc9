/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of the agent: 0 is success, negative an error. From -101 on they are the numbers of
 * covey.device.v1.Reason with a minus sign and travel on the wire, so that the gateway shows the
 * same name; -1 to -99 stay on the device. -400 to -449 are the runtime adapter's
 * (covey/runtime.h). A number, once released, keeps its meaning. */
#ifndef COVEY_ERROR_H
#define COVEY_ERROR_H

#include <stddef.h>

#include "covey/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Local: X(name, number) */
#define COVEY_LOCAL_ERRORS(X)                                                           \
  X(ARGUMENT, -1)     /* of a call: null, out of range, no such model */                \
  X(CONFIG, -2)       /* of covey_agent_init: a buffer too small, slots that overlap */ \
  X(NOT_ENROLLED, -3) /* no order key yet */                                            \
  X(NO_MODEL, -4)     /* nothing is confirmed, or the self-test runs just now */        \
  X(AGAIN, -5)        /* for ports: not now (e.g. no room to publish); asked again */   \
  X(STORE, -6)        /* the port's store failed */                                     \
  X(CRYPTO, -7)       /* the port's random or MAC failed */                             \
  X(NO_CONTEXT, -8)   /* memory did not survive the sleep */

#define COVEY_WIRE_ERRORS(X)      \
  /* transport */                 \
  X(MESSAGE_MALFORMED, -101)      \
  X(MESSAGE_TOO_LARGE, -102)      \
  X(MAC_INVALID, -103)            \
  X(GOAL_STALE, -104)             \
  X(SITE_EPOCH_LOWER, -105)       \
  X(NONCE_MISMATCH, -106)         \
  X(UNSUPPORTED, -107)            \
  X(FETCH_TIMEOUT, -108)          \
  X(NOT_FOUND, -109)              \
  X(SUPERSEDED, -110)             \
  X(BYTE_BUDGET, -111)            \
  /* artifact */                  \
  X(SIGNATURE_INVALID, -201)      \
  X(KEY_UNKNOWN, -202)            \
  X(ALGORITHM_UNSUPPORTED, -203)  \
  X(MANIFEST_MALFORMED, -204)     \
  X(MANIFEST_DIGEST, -205)        \
  X(CLASS_MISMATCH, -206)         \
  X(MODEL_MISMATCH, -207)         \
  X(SLOT_TOO_SMALL, -208)         \
  X(ARENA_TOO_SMALL, -209)        \
  X(BELOW_SECURITY_FLOOR, -210)   \
  X(RUNTIME_MISMATCH, -211)       \
  X(PREPROCESSING_MISMATCH, -212) \
  X(CHUNK_TABLE_DIGEST, -213)     \
  X(CHUNK_DIGEST, -214)           \
  X(IMAGE_DIGEST, -215)           \
  X(TABLES_INVALID, -216)         \
  X(SELFTEST_INVALID, -217)       \
  X(SIGNATURES_TOO_FEW, -218)     \
  /* flash */                     \
  X(FLASH_READ, -301)             \
  X(FLASH_WRITE, -302)            \
  X(FLASH_ERASE, -303)            \
  X(FLASH_GEOMETRY, -304)         \
  X(JOURNAL_CORRUPT, -305)        \
  /* runtime */                   \
  X(SELFTEST_MISMATCH, -450)      \
  X(BOOT_LOOP, -451)              \
  X(WATCHDOG, -452)               \
  X(LATENCY_BUDGET, -453)         \
  X(MODEL_FAULTING, -454)         \
  /* policy */                    \
  X(BUSY, -501)                   \
  X(LOW_BATTERY, -502)            \
  X(NO_GRANT, -503)               \
  X(OPERATOR, -504)               \
  X(ORDER, -505)                  \
  X(LEASE_EXPIRED, -506)          \
  X(REJECTED_BEFORE, -507)

enum covey_error {
  COVEY_OK = 0,
#define COVEY_ERROR_ENUM(name, number) COVEY_ERROR_##name = (number),
  COVEY_LOCAL_ERRORS(COVEY_ERROR_ENUM) COVEY_WIRE_ERRORS(COVEY_ERROR_ENUM)
#undef COVEY_ERROR_ENUM
};

/* "SIGNATURE_INVALID", "RUNTIME_NOT_TFLITE", ..., "OK"; NULL for a number nobody has. For logs: a
 * firmware that does not call it pays nothing. Any thread, any ISR. */
static inline const char* covey_error_name(int error) {
  switch (error) {
    case 0:
      return "OK";
#define COVEY_ERROR_CASE(name, number) \
  case number:                         \
    return #name;
      COVEY_LOCAL_ERRORS(COVEY_ERROR_CASE)
      COVEY_WIRE_ERRORS(COVEY_ERROR_CASE)
#undef COVEY_ERROR_CASE
  }
  return covey_runtime_error_name(error);
}

#ifdef __cplusplus
}
#endif

#endif
