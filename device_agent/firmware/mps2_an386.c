/* SPDX-License-Identifier: Apache-2.0 */
/* ARM MPS2 with the AN386 image (Cortex-M4): CMSDK UARTs, timer and watchdog, the FPGAIO counter as
 * clock. Flash is the 16 MB memory at 0x21000000, which an emulator backs with a file.
 * References: ARM DDI 0479 (CMSDK), ARM DAI 0386 (the image). */
#include "board.h"

#define SYSTEM_HZ 25000000U
#define BAUD 115200U
#define COUNTER_TICKS_PER_US 20U

#define REGISTER(address) (*(volatile uint32_t*)(address))

/* CMSDK UART */
#define UART_DATA 0x00U
#define UART_STATE 0x04U
#define UART_CONTROL 0x08U
#define UART_INTERRUPT 0x0cU
#define UART_BAUD 0x10U
#define STATE_TX_FULL 1U
#define STATE_RX_FULL 2U
#define CONTROL_TX 1U
#define CONTROL_RX 2U
#define CONTROL_TX_INTERRUPT 4U
#define CONTROL_RX_INTERRUPT 8U
#define UART_LOG 0x40004000U

#define TIMER 0x40000000U
#define TIMER_CONTROL 0x0U
#define TIMER_VALUE 0x4U
#define TIMER_RELOAD 0x8U
#define TIMER_INTERRUPT 0xcU
#define TIMER_ENABLE 9U /* with its interrupt */
#define TIMER_WAIT_MS_MAX 60000U

#define WATCHDOG 0x40008000U
#define WATCHDOG_LOAD 0x000U
#define WATCHDOG_CONTROL 0x008U
#define WATCHDOG_CLEAR 0x00cU
#define WATCHDOG_LOCK 0xc00U
#define WATCHDOG_UNLOCK 0x1acce551U
#define WATCHDOG_ENABLE 3U /* first an NMI, then reset */
#define WATCHDOG_S 8U

#define FPGAIO_COUNTER 0x40028018U
#define FPGAIO_PRESCALE 0x4002801cU

#define NVIC_ENABLE 0xe000e100U
#define INTERRUPT_TIMER 8U
/* Receive; transmit is the next one. */
#define INTERRUPT_UART1 2U
#define INTERRUPT_UART2 4U

#define RING_BYTES 4096U /* a power of two */

typedef struct stream {
  volatile uint32_t head; /* written by the interrupt */
  volatile uint32_t tail;
  uint8_t ring[RING_BYTES];
} stream_t;

static const uint32_t uarts[BOARD_STREAMS] = {0x40005000U, 0x40006000U};
static stream_t streams[BOARD_STREAMS];
static uint32_t clock_last;
static uint64_t clock_ticks;

/* An erase unit is one chunk of the default size: a power cut costs no chunk that was there. */
covey_mapped_flash_t board_flash = {.base = (volatile uint8_t*)0x21000000U,
                                    .size_bytes = 0x180000U,
                                    .erase_unit_bytes = 1024U,
                                    .write_align_bytes = 8U};

extern uint32_t stack_limit[];
extern uint32_t stack_top[];
#define STACK_PAINT 0xc0ce1155U
static size_t stack_used_before; /* the last mark */

void board_init(void) {
  unsigned i;
  REGISTER(UART_LOG + UART_BAUD) = SYSTEM_HZ / BAUD;
  REGISTER(UART_LOG + UART_CONTROL) = CONTROL_TX;
  for (i = 0; i < BOARD_STREAMS; ++i) {
    REGISTER(uarts[i] + UART_BAUD) = SYSTEM_HZ / BAUD;
    REGISTER(uarts[i] + UART_CONTROL) =
        CONTROL_TX | CONTROL_RX | CONTROL_TX_INTERRUPT | CONTROL_RX_INTERRUPT;
  }
  REGISTER(FPGAIO_PRESCALE) = 0;
  clock_last = REGISTER(FPGAIO_COUNTER);
  REGISTER(NVIC_ENABLE) = 1U << INTERRUPT_TIMER | 3U << INTERRUPT_UART1 | 3U << INTERRUPT_UART2;
  REGISTER(WATCHDOG + WATCHDOG_LOCK) = WATCHDOG_UNLOCK;
  REGISTER(WATCHDOG + WATCHDOG_LOAD) = WATCHDOG_S * SYSTEM_HZ;
  REGISTER(WATCHDOG + WATCHDOG_CONTROL) = WATCHDOG_ENABLE;
  REGISTER(WATCHDOG + WATCHDOG_LOCK) = 0;
}

void board_feed_watchdog(void) {
  REGISTER(WATCHDOG + WATCHDOG_LOCK) = WATCHDOG_UNLOCK;
  REGISTER(WATCHDOG + WATCHDOG_CLEAR) = 1;
  REGISTER(WATCHDOG + WATCHDOG_LOCK) = 0;
}

void board_watchdog_interrupt(void) { covey_cortex_m_reset(COVEY_START_WATCHDOG); }

uint64_t board_now_us(void) {
  const uint32_t now = REGISTER(FPGAIO_COUNTER);
  clock_ticks += now - clock_last;
  clock_last = now;
  return clock_ticks / COUNTER_TICKS_PER_US;
}

uint64_t board_now_ms(void) { return board_now_us() / 1000U; }

static bool nothing_received(void) {
  return streams[0].head == streams[0].tail && streams[1].head == streams[1].tail;
}

void board_wait(uint32_t wait_ms) {
  uint32_t mask;
  if (wait_ms == 0) return;
  if (wait_ms > TIMER_WAIT_MS_MAX) wait_ms = TIMER_WAIT_MS_MAX;
  covey_cortex_m_lock(&mask);
  if (nothing_received()) {
    REGISTER(TIMER + TIMER_CONTROL) = 0;
    REGISTER(TIMER + TIMER_VALUE) = wait_ms * (SYSTEM_HZ / 1000U);
    REGISTER(TIMER + TIMER_RELOAD) = wait_ms * (SYSTEM_HZ / 1000U);
    REGISTER(TIMER + TIMER_CONTROL) = TIMER_ENABLE;
    __asm volatile("dsb\n wfi" ::: "memory"); /* an interrupt wakes it, masked or not */
  }
  covey_cortex_m_unlock(&mask);
}

void board_timer_interrupt(void) {
  REGISTER(TIMER + TIMER_CONTROL) = 0;
  REGISTER(TIMER + TIMER_INTERRUPT) = 1;
}

void board_put(char byte) {
  while ((REGISTER(UART_LOG + UART_STATE) & STATE_TX_FULL) != 0) {
  }
  REGISTER(UART_LOG + UART_DATA) = (uint8_t)byte;
}

size_t board_write(board_stream_t stream, const uint8_t* bytes, size_t size) {
  const uint32_t base = uarts[stream];
  size_t i = 0;
  while (i < size && (REGISTER(base + UART_STATE) & STATE_TX_FULL) == 0) {
    REGISTER(base + UART_DATA) = bytes[i++];
  }
  return i;
}

/* Called with interrupts off, or from the interrupt. A byte that finds no room stays in the UART.
 */
static void take_received(unsigned index) {
  stream_t* stream = &streams[index];
  while ((REGISTER(uarts[index] + UART_STATE) & STATE_RX_FULL) != 0 &&
         stream->head - stream->tail < RING_BYTES) {
    stream->ring[stream->head % RING_BYTES] = (uint8_t)REGISTER(uarts[index] + UART_DATA);
    ++stream->head;
  }
}

void board_stream_interrupt(void) {
  unsigned i;
  for (i = 0; i < BOARD_STREAMS; ++i) {
    REGISTER(uarts[i] + UART_INTERRUPT) = 3; /* before reading: a later byte asks again */
    take_received(i);
  }
}

size_t board_read(board_stream_t stream, uint8_t* bytes, size_t capacity) {
  stream_t* s = &streams[stream];
  size_t i = 0;
  uint32_t mask;
  while (i < capacity && s->tail != s->head) {
    bytes[i++] = s->ring[s->tail % RING_BYTES];
    ++s->tail;
  }
  covey_cortex_m_lock(&mask);
  take_received(stream); /* what waited in the UART for room: its interrupt is over */
  covey_cortex_m_unlock(&mask);
  return i;
}

static size_t unpainted(void) {
  const uint32_t* at = stack_limit;
  while (at < stack_top && *at == STACK_PAINT) ++at;
  return (size_t)(stack_top - at) * sizeof *at;
}

size_t board_stack_used(size_t* size) {
  const size_t used = unpainted();
  *size = (size_t)(stack_top - stack_limit) * sizeof *stack_top;
  return used > stack_used_before ? used : stack_used_before;
}

size_t board_stack_mark(void) {
  const size_t used = unpainted();
  uint32_t* to;
  uint32_t* stack;
  if (used > stack_used_before) stack_used_before = used;
  __asm volatile("mov %0, sp" : "=r"(stack));
  for (to = stack_limit; to < stack; ++to) *to = STACK_PAINT; /* interrupts come and go here */
  return used;
}
