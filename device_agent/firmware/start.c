/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up and the vector table (ARMv7-M, B1.5.3). */
#include <stdint.h>

#include "board.h"

#define STACK_PAINT 0xc0ce1155U

extern uint32_t stack_limit[];
extern uint32_t stack_top[];
extern uint32_t data_load[];
extern uint32_t data_start[];
extern uint32_t data_end[];
extern uint32_t bss_start[];
extern uint32_t bss_end[];

int main(void);
void start(void);

#define SHCSR (*(volatile uint32_t*)0xe000ed24U)
#define SHCSR_FAULTS \
  0x70000U /* MemManage, BusFault and UsageFault of their own, not as HardFault */

void start(void) {
  const uint32_t* from = data_load;
  uint32_t* to;
  uint32_t* stack;
  __asm volatile("mov %0, sp" : "=r"(stack));
  for (to = stack_limit; to < stack; ++to) *to = STACK_PAINT;
  for (to = data_start; to < data_end;) *to++ = *from++;
  for (to = bss_start; to < bss_end;) *to++ = 0;
  SHCSR |= SHCSR_FAULTS;
  (void)main();
  covey_cortex_m_reset(COVEY_START_SOFTWARE);
}

/* An interrupt that nobody enabled: as bad as a fault. */
static void unexpected(void) { covey_cortex_m_reset(COVEY_START_FAULT); }

typedef union vector {
  uint32_t* stack;
  void (*handler)(void);
} vector_t;

__attribute__((section(".vectors"), used)) static const vector_t vectors[16 + 32] = {
    {.stack = stack_top},
    {.handler = start},
    {.handler = board_watchdog_interrupt}, /* NMI */
    {.handler = covey_cortex_m_fault_handler},
    {.handler = covey_cortex_m_fault_handler},
    {.handler = covey_cortex_m_fault_handler},
    {.handler = covey_cortex_m_fault_handler},
    [7 ... 15] = {.handler = unexpected},
    [16 ... 17] = {.handler = unexpected},
    [18 ... 21] = {.handler = board_stream_interrupt}, /* UART 1 and 2, receive and transmit */
    [22 ... 23] = {.handler = unexpected},
    [24] = {.handler = board_timer_interrupt},
    [25 ... 47] = {.handler = unexpected},
};
