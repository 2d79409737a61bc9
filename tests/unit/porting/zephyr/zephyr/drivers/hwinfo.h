/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations only; see the README above. */
#ifndef STUB_ZEPHYR_HWINFO_H
#define STUB_ZEPHYR_HWINFO_H

#include <zephyr/kernel.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RESET_PIN BIT(0)
#define RESET_SOFTWARE BIT(1)
#define RESET_BROWNOUT BIT(2)
#define RESET_POR BIT(3)
#define RESET_WATCHDOG BIT(4)
#define RESET_LOW_POWER_WAKE BIT(7)
#define RESET_CPU_LOCKUP BIT(8)

int hwinfo_get_reset_cause(uint32_t* cause);
int hwinfo_clear_reset_cause(void);

#ifdef __cplusplus
}
#endif

#endif
