/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations only; see the README above. */
#ifndef STUB_ZEPHYR_KERNEL_H
#define STUB_ZEPHYR_KERNEL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BIT(n) (1UL << (n))
#define __noinit __attribute__((section(".noinit.stub")))
#define CONFIG_FLASH_BASE_ADDRESS stub_flash_base
extern uintptr_t stub_flash_base;

int64_t k_uptime_get(void);
unsigned int irq_lock(void);
void irq_unlock(unsigned int key);

#ifdef __cplusplus
}
#endif

#endif
