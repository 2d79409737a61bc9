/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations only; see the README above. */
#ifndef STUB_FREERTOS_H
#define STUB_FREERTOS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t TickType_t;
#define pdMS_TO_TICKS(ms) ((TickType_t)(ms))

typedef struct {
  uint32_t owner;
  uint32_t count;
} portMUX_TYPE;
#define portMUX_INITIALIZER_UNLOCKED \
  { 0xB33FFFFFU, 0 }
void stub_enter_critical(portMUX_TYPE* mux);
void stub_exit_critical(portMUX_TYPE* mux);
#define portENTER_CRITICAL(mux) stub_enter_critical(mux)
#define portEXIT_CRITICAL(mux) stub_exit_critical(mux)

#ifdef __cplusplus
}
#endif

#endif
