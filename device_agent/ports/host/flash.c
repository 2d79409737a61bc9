/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "covey/error.h"
#include "covey/port_host.h"

enum { PORT_DEAD = -1000, PORT_FAILED = -1001, PORT_ECC = -1002, PORT_MISUSED = -1003 };

static bool overlaps(uint32_t offset, size_t size, uint32_t from, uint32_t to) {
  return offset < to && from < offset + size;
}

static uint32_t next_random(covey_host_flash_t* flash) {
  flash->seed = flash->seed * 1664525U + 1013904223U;
  return flash->seed >> 8;
}

/* Begins an operation: 0 to go on, 1 when power fails in it, negative when it fails. */
static int begin(covey_host_flash_t* flash) {
  if (flash->dead) return PORT_DEAD;
  ++flash->operations;
  if (flash->operations == flash->fail_at) return PORT_FAILED;
  if (flash->operations != flash->cut_at) return 0;
  flash->dead = true;
  return 1;
}

/* Programming can only move bits away from the erased value. */
static void program_unit(covey_host_flash_t* flash, uint32_t offset, const uint8_t* from,
                         bool some_bits) {
  const size_t unit = flash->geometry.write_align_bytes;
  size_t i;
  if (flash->touched != NULL) {
    uint8_t* touched = &flash->touched[offset / unit];
    if (*touched != 0) {
      ++flash->written_twice;
      flash->written_twice_at = offset;
    }
    *touched = 1;
  }
  for (i = 0; i < unit; ++i) {
    const uint8_t change = from[i] ^ flash->geometry.erased_value;
    const uint8_t mask = some_bits ? (uint8_t)next_random(flash) : 0xff;
    flash->bytes[offset + i] ^= (uint8_t)(change & mask);
    if (!some_bits) flash->bytes[offset + i] = from[i];
  }
}

static bool readable(const covey_host_flash_t* flash, uint32_t offset, size_t size) {
  const uint32_t unit = flash->geometry.write_align_bytes;
  uint32_t i;
  if (overlaps(offset, size, flash->unreadable_from, flash->unreadable_to)) return false;
  if (flash->touched == NULL || size == 0) return true;
  for (i = offset / unit; i <= (offset + size - 1) / unit; ++i) {
    if (flash->touched[i] == 2) return false;
  }
  return true;
}

static int flash_read(void* ctx, uint32_t offset, void* into, size_t size) {
  covey_host_flash_t* flash = (covey_host_flash_t*)ctx;
  if (flash->dead) return PORT_DEAD;
  if (offset > flash->geometry.size_bytes || size > flash->geometry.size_bytes - offset) {
    ++flash->misaligned;
    return PORT_MISUSED;
  }
  if (!readable(flash, offset, size)) return PORT_ECC;
  memcpy(into, flash->bytes + offset, size);
  return 0;
}

static int flash_write(void* ctx, uint32_t offset, const void* from, size_t size) {
  covey_host_flash_t* flash = (covey_host_flash_t*)ctx;
  const uint8_t* bytes = (const uint8_t*)from;
  const uint32_t unit = flash->geometry.write_align_bytes;
  size_t units;
  size_t i;
  int state = begin(flash);
  if (state < 0) return state;
  if (offset % unit != 0 || size % unit != 0 || offset > flash->geometry.size_bytes ||
      size > flash->geometry.size_bytes - offset) {
    ++flash->misaligned;
    return PORT_MISUSED;
  }
  if (overlaps(offset, size, flash->drop_from, flash->drop_to)) return 0;
  units = size / unit;
  if (state == 1) {
    if (flash->tear == COVEY_HOST_TEAR_NOTHING) return PORT_DEAD;
    if (flash->tear != COVEY_HOST_TEAR_ALL) units = next_random(flash) % units;
  }
  for (i = 0; i < units; ++i) {
    program_unit(flash, offset + (uint32_t)i * unit, bytes + i * unit, false);
  }
  if (state != 1) return 0;
  if (flash->tear == COVEY_HOST_TEAR_BITS) {
    program_unit(flash, offset + (uint32_t)units * unit, bytes + units * unit, true);
  } else if (flash->touched != NULL && flash->tear == COVEY_HOST_TEAR_ERASED) {
    flash->touched[offset / unit + units] = 1;
  } else if (flash->touched != NULL && flash->tear == COVEY_HOST_TEAR_ECC) {
    flash->touched[offset / unit + units] = 2;
  }
  return PORT_DEAD;
}

static int flash_erase(void* ctx, uint32_t offset) {
  covey_host_flash_t* flash = (covey_host_flash_t*)ctx;
  const uint32_t size = flash->geometry.erase_unit_bytes;
  const uint32_t unit = flash->geometry.write_align_bytes;
  uint32_t done = size;
  const int state = begin(flash);
  uint32_t i;
  if (state < 0) return state;
  if (offset % size != 0 || offset > flash->geometry.size_bytes ||
      size > flash->geometry.size_bytes - offset) {
    ++flash->misaligned;
    return PORT_MISUSED;
  }
  if (overlaps(offset, size, flash->drop_from, flash->drop_to)) return 0;
  ++flash->erases;
  if (state == 1) {
    if (flash->tear == COVEY_HOST_TEAR_NOTHING) return PORT_DEAD;
    if (flash->tear == COVEY_HOST_TEAR_PREFIX) done = next_random(flash) % size / unit * unit;
  }
  for (i = 0; i < done; ++i) {
    const bool bits = state == 1 && flash->tear == COVEY_HOST_TEAR_BITS;
    const uint32_t half = bits ? next_random(flash) : 0;
    const uint8_t keep = bits ? (uint8_t)(half & next_random(flash)) : 0;
    uint8_t* byte = &flash->bytes[offset + i];
    /* Bits that the cut kept stay as they were. Memory that is erased already is not touched. */
    const uint8_t next = (uint8_t)((flash->geometry.erased_value & ~keep) | (*byte & keep));
    if (*byte != next) *byte = next;
  }
  if (flash->touched != NULL) {
    /* A torn erase leaves units that read as erased and are not: they count as programmed. */
    memset(flash->touched + offset / unit, state == 1 && flash->tear != COVEY_HOST_TEAR_ALL,
           size / unit);
    for (i = 0; state == 1 && flash->tear == COVEY_HOST_TEAR_ECC && i < size / unit; ++i) {
      if (next_random(flash) % 2 != 0) flash->touched[offset / unit + i] = 2;
    }
  }
  return state == 1 ? PORT_DEAD : 0;
}

static int set_up(covey_host_flash_t* flash, const covey_host_geometry_t* geometry) {
  memset(flash, 0, sizeof *flash);
  flash->geometry = *geometry;
  flash->seed = 1;
  if (geometry->write_align_bytes == 0 || geometry->erase_unit_bytes == 0 ||
      geometry->size_bytes == 0 || geometry->size_bytes % geometry->erase_unit_bytes != 0 ||
      geometry->erase_unit_bytes % geometry->write_align_bytes != 0) {
    return COVEY_ERROR_FLASH_GEOMETRY;
  }
  return COVEY_OK;
}

int covey_host_flash_memory(covey_host_flash_t* flash, const covey_host_geometry_t* geometry,
                            bool watch) {
  const int error = set_up(flash, geometry);
  void* bytes;
  if (error != 0) return error;
  bytes =
      mmap(NULL, geometry->size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (bytes == MAP_FAILED) return COVEY_ERROR_CONFIG;
  flash->bytes = (uint8_t*)bytes;
  if (geometry->erased_value != 0) {
    memset(flash->bytes, geometry->erased_value, geometry->size_bytes);
  }
  if (watch) {
    flash->touched = (uint8_t*)calloc(geometry->size_bytes / geometry->write_align_bytes, 1);
    if (flash->touched == NULL) {
      covey_host_flash_close(flash);
      return COVEY_ERROR_CONFIG;
    }
  }
  return COVEY_OK;
}

int covey_host_flash_file(covey_host_flash_t* flash, const covey_host_geometry_t* geometry,
                          const char* path) {
  const int error = set_up(flash, geometry);
  void* bytes = MAP_FAILED;
  bool fresh = false;
  struct stat info;
  int file;
  if (error != 0) return error;
  file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file >= 0 && fstat(file, &info) == 0) {
    fresh = info.st_size == 0 && ftruncate(file, (off_t)geometry->size_bytes) == 0;
    if (fresh || info.st_size == (off_t)geometry->size_bytes) {
      bytes = mmap(NULL, geometry->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
  }
  if (file >= 0) close(file); /* the mapping stays */
  if (bytes == MAP_FAILED) {
    covey_host_flash_close(flash);
    return COVEY_ERROR_CONFIG;
  }
  flash->bytes = (uint8_t*)bytes;
  if (fresh && geometry->erased_value != 0) {
    memset(flash->bytes, geometry->erased_value, geometry->size_bytes);
  }
  return COVEY_OK;
}

void covey_host_flash_close(covey_host_flash_t* flash) {
  if (flash->bytes != NULL) munmap(flash->bytes, flash->geometry.size_bytes);
  free(flash->touched);
  flash->bytes = NULL;
  flash->touched = NULL;
}

void covey_host_flash_power_on(covey_host_flash_t* flash) {
  flash->dead = false;
  flash->cut_at = 0;
}

covey_flash_t covey_host_flash_port(covey_host_flash_t* flash) {
  covey_flash_t port;
  port.ctx = flash;
  port.size_bytes = flash->geometry.size_bytes;
  port.erase_unit_bytes = flash->geometry.erase_unit_bytes;
  port.write_align_bytes = flash->geometry.write_align_bytes;
  port.erased_value = flash->geometry.erased_value;
  port.xip_base = flash->bytes;
  port.read = flash_read;
  port.write = flash_write;
  port.erase = flash_erase;
  return port;
}
