/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>

#include "board.h"

static void put_text(const char* text) {
  while (*text != '\0') board_put(*text++);
}

static void put_number(uint32_t value, uint32_t base, unsigned digits_min) {
  char digits[10];
  unsigned count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  while (digits_min > count) {
    board_put('0');
    --digits_min;
  }
  while (count > 0) board_put(digits[--count]);
}

static void put_uptime(void) {
  const uint32_t now_ms = (uint32_t)board_now_ms();
  put_number(now_ms / 1000, 10, 1);
  board_put('.');
  put_number(now_ms % 1000, 10, 3);
  board_put(' ');
}

void log_line(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  put_uptime();
  for (; *format != '\0'; ++format) {
    unsigned digits = 0;
    if (*format != '%') {
      board_put(*format);
      continue;
    }
    ++format;
    while (*format >= '0' && *format <= '9') digits = digits * 10 + (unsigned)(*format++ - '0');
    if (*format == 's') {
      put_text(va_arg(arguments, const char*));
    } else if (*format == 'u') {
      put_number(va_arg(arguments, unsigned), 10, digits);
    } else if (*format == 'x') {
      put_number(va_arg(arguments, unsigned), 16, digits);
    } else if (*format == 'd') {
      const int value = va_arg(arguments, int);
      if (value < 0) board_put('-');
      put_number(value < 0 ? 0U - (uint32_t)value : (uint32_t)value, 10, digits);
    } else {
      board_put(*format);
      if (*format == '\0') break;
    }
  }
  va_end(arguments);
  board_put('\n');
}
