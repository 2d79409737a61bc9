/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "covey/error.h"
#include "covey/port_host.h"

static int store_read(void* ctx, uint8_t* into, size_t capacity) {
  const covey_host_store_t* store = (const covey_host_store_t*)ctx;
  if (store->dead || store->size > capacity) return COVEY_ERROR_STORE;
  memcpy(into, store->bytes, store->size);
  return (int)store->size;
}

/* Written beside and renamed: the old record or the new one, never half of one. */
static int write_file(const covey_host_store_t* store, const uint8_t* from, size_t size) {
  char beside[sizeof store->path + 4];
  int file;
  bool good;
  snprintf(beside, sizeof beside, "%s.new", store->path);
  file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return COVEY_ERROR_STORE;
  good = write(file, from, size) == (ssize_t)size && fsync(file) == 0;
  good = close(file) == 0 && good;
  return good && rename(beside, store->path) == 0 ? COVEY_OK : COVEY_ERROR_STORE;
}

static int store_write(void* ctx, const uint8_t* from, size_t size) {
  covey_host_store_t* store = (covey_host_store_t*)ctx;
  if (store->dead || size > sizeof store->bytes) return COVEY_ERROR_STORE;
  if (store->path[0] != '\0' && write_file(store, from, size) != 0) return COVEY_ERROR_STORE;
  memcpy(store->bytes, from, size);
  store->size = size;
  return COVEY_OK;
}

void covey_host_store_memory(covey_host_store_t* store) { memset(store, 0, sizeof *store); }

int covey_host_store_file(covey_host_store_t* store, const char* path) {
  int file;
  ssize_t size;
  memset(store, 0, sizeof *store);
  if (strlen(path) >= sizeof store->path) return COVEY_ERROR_STORE;
  file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno != ENOENT) return COVEY_ERROR_STORE;
  if (file >= 0) {
    size = read(file, store->bytes, sizeof store->bytes);
    close(file);
    if (size < 0) return COVEY_ERROR_STORE;
    store->size = (size_t)size;
  }
  memcpy(store->path, path, strlen(path) + 1);
  return COVEY_OK;
}

covey_store_t covey_host_store_port(covey_host_store_t* store) {
  covey_store_t port;
  port.ctx = store;
  port.read = store_read;
  port.write = store_write;
  return port;
}
