/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent needs of a bare-metal Cortex-M (v6-M, v7-M, v8-M), whatever the part:
 *
 *   lock, unlock      interrupts off and back as they were, for record_inference from several
 *   start cause       memory that start-up code does not clear (section .noinit) tells the next
 * start of a fault, a watchdog or an ordered reset, and keeps the agent's own mark fault handler
 * notes where, resets mapped flash      a flash that is programmed by plain stores: MRAM, FRAM, or
 * the memory file of an emulator, with the rules of NOR flash. Other parts: copy flash.c and put
 *                     your vendor's erase and program calls in.
 *
 * Thread: the main loop, where nothing else is said. */
#ifndef COVEY_PORT_CORTEX_M_H
#define COVEY_PORT_CORTEX_M_H

#include <stdbool.h>

#include "covey/agent.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Reset */

/* Where the processor was when it faulted. */
typedef struct covey_fault {
  uint32_t pc;
  uint32_t lr;
  uint32_t status;  /* CFSR; 0 on v6-M */
  uint32_t address; /* BFAR or MMFAR, where status says that it holds */
} covey_fault_t;

/* Why the processor started; call once, first thing. POWER_ON when the memory holds no trace of an
 * earlier run. `fault` (may be NULL) is filled in for FAULT, else zeroed. */
covey_start_cause_t covey_cortex_m_start_cause(covey_fault_t* fault);

/* For covey_agent_config_t.retained. */
covey_retained_t* covey_cortex_m_retained(void);

/* Resets the processor; the next start knows the cause. Any context, also a fault handler. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void covey_cortex_m_reset(covey_start_cause_t cause);

/* Put this into the vector table as HardFault, MemManage, BusFault and UsageFault handler. */
void covey_cortex_m_fault_handler(void);

/* ---- Lock: for covey_port_t; ctx is a uint32_t of yours. */
void covey_cortex_m_lock(void* ctx);
void covey_cortex_m_unlock(void* ctx);

/* ---- Mapped flash */

typedef struct covey_mapped_flash {
  volatile uint8_t* base; /* where the processor sees it, aligned to 16 */
  uint32_t size_bytes;
  uint32_t erase_unit_bytes;
  uint32_t write_align_bytes; /* at least 4 */
  uint32_t overwritten;       /* write units programmed twice between erases: a bug somewhere */
} covey_mapped_flash_t;

covey_flash_t covey_mapped_flash_port(covey_mapped_flash_t* flash);

#ifdef __cplusplus
}
#endif

#endif
