/* SPDX-License-Identifier: Apache-2.0 */
#include "covey/port_cortex_m.h"

#define TRACE_MAGIC 0x54524543U /* "CERT" */

#define CFSR (*(volatile uint32_t*)0xe000ed28U)
#define MMFAR (*(volatile uint32_t*)0xe000ed34U)
#define BFAR (*(volatile uint32_t*)0xe000ed38U)
#define AIRCR (*(volatile uint32_t*)0xe000ed0cU)
#define AIRCR_SYSRESETREQ 0x05fa0004U /* with the key that makes the write count */
#define CFSR_MMARVALID 0x80U
#define CFSR_BFARVALID 0x8000U

/* Registers that an exception stacks. */
enum { FRAME_LR = 5, FRAME_PC = 6 };

static struct {
  uint32_t magic;
  uint32_t cause;
  uint32_t check; /* ~cause */
  covey_fault_t fault;
  covey_retained_t retained;
} trace __attribute__((section(".noinit")));

static void note(covey_start_cause_t cause) {
  trace.magic = TRACE_MAGIC;
  trace.cause = (uint32_t)cause;
  trace.check = ~(uint32_t)cause;
}

covey_start_cause_t covey_cortex_m_start_cause(covey_fault_t* fault) {
  static const covey_fault_t none;
  covey_start_cause_t cause = COVEY_START_POWER_ON;
  if (trace.magic == TRACE_MAGIC && trace.check == ~trace.cause) {
    cause = (covey_start_cause_t)trace.cause;
  }
  if (fault != NULL) *fault = cause == COVEY_START_FAULT ? trace.fault : none;
  note(COVEY_START_UNKNOWN); /* a reset that nobody announced: the reset pin, a debugger */
  return cause;
}

covey_retained_t* covey_cortex_m_retained(void) { return &trace.retained; }

void covey_cortex_m_reset(covey_start_cause_t cause) {
  note(cause);
  __asm volatile("dsb" ::: "memory");
  AIRCR = AIRCR_SYSRESETREQ;
  __asm volatile("dsb" ::: "memory");
  for (;;) {
  }
}

/* Called by the handler below with the frame that the exception stacked. */
__attribute__((used, noreturn)) static void faulted(const uint32_t* frame) {
  trace.fault.pc = frame[FRAME_PC];
  trace.fault.lr = frame[FRAME_LR];
#if defined(__ARM_ARCH_6M__)
  trace.fault.status = 0;
  trace.fault.address = 0;
#else
  trace.fault.status = CFSR;
  trace.fault.address = (CFSR & CFSR_BFARVALID) != 0   ? BFAR
                        : (CFSR & CFSR_MMARVALID) != 0 ? MMFAR
                                                       : 0;
#endif
  covey_cortex_m_reset(COVEY_START_FAULT);
}

/* EXC_RETURN bit 2 says which stack the frame is on. */
__attribute__((naked)) void covey_cortex_m_fault_handler(void) {
  __asm volatile(
      "movs r0, #4\n"
      "mov r1, lr\n"
      "tst r0, r1\n"
      "beq 1f\n"
      "mrs r0, psp\n"
      "b 2f\n"
      "1: mrs r0, msp\n"
      "2: ldr r1, =faulted\n"
      "bx r1\n"
      ".ltorg\n");
}

void covey_cortex_m_lock(void* ctx) {
  uint32_t mask;
  __asm volatile("mrs %0, primask\n cpsid i" : "=r"(mask)::"memory");
  *(uint32_t*)ctx = mask;
}

void covey_cortex_m_unlock(void* ctx) {
  __asm volatile("msr primask, %0" ::"r"(*(const uint32_t*)ctx) : "memory");
}
