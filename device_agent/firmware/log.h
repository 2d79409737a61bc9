/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one line per event on the board's log port. */
#ifndef COVEY_FIRMWARE_LOG_H
#define COVEY_FIRMWARE_LOG_H

/* %s %u %d %x %%, and %08x; a line end is added. Begins with the uptime in seconds. */
void log_line(const char* format, ...) __attribute__((format(printf, 1, 2)));

#endif
