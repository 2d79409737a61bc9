/* SPDX-License-Identifier: Apache-2.0 */
/* For LD_PRELOAD: fsync and fdatasync take as many milliseconds as the file $SLOW_DISK says now. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_as_told(void) {
  const char* path = getenv("SLOW_DISK");
  char text[16] = "0";
  int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  long left;
  if (file < 0) return;
  if (read(file, text, sizeof text - 1) < 0) text[0] = '0';
  close(file);
  for (left = strtol(text, NULL, 10); left > 0; left -= 20) poll(NULL, 0, 20);
}

int fsync(int file) {
  wait_as_told();
  return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
  wait_as_told();
  return (int)syscall(SYS_fdatasync, file);
}
