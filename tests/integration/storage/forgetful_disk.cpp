// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/storage/forgetful_disk.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace covey::test {
namespace {

using File = ForgetfulDisk::File;
using Change = ForgetfulDisk::Change;

constexpr size_t kSectorBytes = 512;

void apply(Bytes& content, const Change& change, size_t bytes) {
  const auto offset = static_cast<size_t>(change.offset);
  if (change.truncates) {
    content.resize(offset);
    return;
  }
  if (content.size() < offset + bytes) content.resize(offset + bytes);
  std::copy_n(change.data.begin(), bytes, content.begin() + static_cast<std::ptrdiff_t>(offset));
}

// What SQLite allocates for an open file.
struct Handle {
  sqlite3_file base;
  ForgetfulDisk* disk;
  std::shared_ptr<File> file;
};
Handle& handle_of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
ForgetfulDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<ForgetfulDisk*>(vfs->pAppData); }

int change(Handle& handle, Change change) {
  if (const int result = handle.disk->before_change(!change.truncates); result != SQLITE_OK) {
    // The cut may come in the middle of this very write.
    if (handle.disk->is_off()) handle.file->unsynced.push_back(std::move(change));
    return result == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
  }
  apply(handle.file->content, change, change.data.size());
  handle.file->unsynced.push_back(std::move(change));
  return SQLITE_OK;
}

int on_close(sqlite3_file* file) {
  handle_of(file).~Handle();
  return SQLITE_OK;
}
int on_read(sqlite3_file* file, void* to, int amount, sqlite3_int64 from) {
  const Handle& handle = handle_of(file);
  if (handle.disk->is_off()) return SQLITE_IOERR_READ;
  const Bytes& content = handle.file->content;
  const auto wanted = static_cast<size_t>(amount);
  const auto offset = std::min(static_cast<size_t>(from), content.size());
  const size_t there = std::min(wanted, content.size() - offset);
  std::memcpy(to, content.data() + offset, there);
  if (there == wanted) return SQLITE_OK;
  std::memset(static_cast<char*>(to) + there, 0, wanted - there);
  return SQLITE_IOERR_SHORT_READ;
}
int on_write(sqlite3_file* file, const void* from, int amount, sqlite3_int64 to) {
  const auto* begin = static_cast<const uint8_t*>(from);
  return change(handle_of(file), {to, Bytes(begin, begin + amount), false});
}
int on_truncate(sqlite3_file* file, sqlite3_int64 size) {
  return change(handle_of(file), {size, {}, true});
}
int on_sync(sqlite3_file* file, int) {
  Handle& handle = handle_of(file);
  if (handle.disk->before_change(false) != SQLITE_OK) return SQLITE_IOERR_FSYNC;
  handle.file->durable = handle.file->content;
  handle.file->unsynced.clear();
  return SQLITE_OK;
}
int on_size(sqlite3_file* file, sqlite3_int64* size) {
  const Handle& handle = handle_of(file);
  if (handle.disk->is_off()) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(handle.file->content.size());
  return SQLITE_OK;
}
int on_lock(sqlite3_file*, int) { return SQLITE_OK; }
int on_check_reserved(sqlite3_file*, int* reserved) {
  *reserved = 0;
  return SQLITE_OK;
}
int on_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int on_sector_size(sqlite3_file*) { return kSectorBytes; }
int on_characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int on_shared_map(sqlite3_file* file, int region, int size, int extend, void volatile** memory) {
  auto& regions = handle_of(file).file->shared;
  const auto index = static_cast<size_t>(region);
  *memory = nullptr;
  if (index >= regions.size() && extend == 0) return SQLITE_OK;
  while (regions.size() <= index) {
    regions.push_back(std::make_unique<Bytes>(static_cast<size_t>(size), uint8_t{0}));
  }
  *memory = regions[index]->data();
  return SQLITE_OK;
}
int on_shared_lock(sqlite3_file*, int, int, int) { return SQLITE_OK; }
void on_shared_barrier(sqlite3_file*) {}
int on_shared_unmap(sqlite3_file* file, int) {
  handle_of(file).file->shared.clear();  // the last connection is gone
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_size,
    .xLock = on_lock,
    .xUnlock = on_lock,
    .xCheckReservedLock = on_check_reserved,
    .xFileControl = on_control,
    .xSectorSize = on_sector_size,
    .xDeviceCharacteristics = on_characteristics,
    .xShmMap = on_shared_map,
    .xShmLock = on_shared_lock,
    .xShmBarrier = on_shared_barrier,
    .xShmUnmap = on_shared_unmap,
};

int on_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;
  ForgetfulDisk& disk = disk_of(vfs);
  if (disk.is_off()) return SQLITE_CANTOPEN;
  const std::string path = name != nullptr ? name : "";
  auto found = disk.files().find(path);
  if (found == disk.files().end() && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
  if (found == disk.files().end()) {
    found = disk.files().emplace(path, std::make_shared<File>()).first;
  }
  auto* handle = new (file) Handle{{&kMethods}, &disk, found->second};
  static_cast<void>(handle);
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}
int on_delete(sqlite3_vfs* vfs, const char* name, int) {
  ForgetfulDisk& disk = disk_of(vfs);
  if (disk.before_change(false) != SQLITE_OK) return SQLITE_IOERR_DELETE;
  return disk.files().erase(name) != 0 ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
}
int on_access(sqlite3_vfs* vfs, const char* name, int, int* result) {
  const auto& files = disk_of(vfs).files();
  const auto found = files.find(name);
  *result = found != files.end() && !found->second->content.empty() ? 1 : 0;
  return SQLITE_OK;
}
int on_full_name(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}
int on_randomness(sqlite3_vfs* vfs, int size, char* out) {
  sqlite3_vfs* system = disk_of(vfs).system();
  return system->xRandomness(system, size, out);
}
int on_sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
int on_time(sqlite3_vfs* vfs, double* now) {
  sqlite3_vfs* system = disk_of(vfs).system();
  return system->xCurrentTime(system, now);
}
int on_last_error(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

ForgetfulDisk::ForgetfulDisk(uint64_t seed)
    : name_("forgetful-" + std::to_string(reinterpret_cast<uintptr_t>(this))),
      random_(seed),
      system_(sqlite3_vfs_find(nullptr)),
      vfs_(std::make_unique<sqlite3_vfs>()) {
  *vfs_ = {};
  vfs_->iVersion = 1;
  vfs_->szOsFile = sizeof(Handle);
  vfs_->mxPathname = system_->mxPathname;
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->xOpen = on_open;
  vfs_->xDelete = on_delete;
  vfs_->xAccess = on_access;
  vfs_->xFullPathname = on_full_name;
  vfs_->xRandomness = on_randomness;
  vfs_->xSleep = on_sleep;
  vfs_->xCurrentTime = on_time;
  vfs_->xGetLastError = on_last_error;
  sqlite3_vfs_register(vfs_.get(), 0);
}

ForgetfulDisk::~ForgetfulDisk() { sqlite3_vfs_unregister(vfs_.get()); }

void ForgetfulDisk::fail_after(uint64_t calls, Fault fault) {
  calls_left_ = calls;
  fault_ = fault;
  happened_ = false;
}

int ForgetfulDisk::before_change(bool needs_space) {
  if (off_) return SQLITE_IOERR;
  if (full_ && needs_space) return SQLITE_FULL;
  if (calls_left_ == 0 || --calls_left_ > 0) return SQLITE_OK;
  happened_ = true;
  switch (fault_) {
    case Fault::kPowerCut:
      off_ = true;
      return SQLITE_IOERR;
    case Fault::kIoError:
      return SQLITE_IOERR;
    case Fault::kFull:
      full_ = true;
      return needs_space ? SQLITE_FULL : SQLITE_OK;
  }
  return SQLITE_IOERR;
}

void ForgetfulDisk::cut_power() {
  for (auto& [path, file] : files_) {
    // Nothing, or any part in any order that the disk liked, each write whole or torn.
    const bool none = random_() % 2 == 0;
    if (!none) std::shuffle(file->unsynced.begin(), file->unsynced.end(), random_);
    for (const Change& change : file->unsynced) {
      if (none || random_() % 2 == 0) continue;
      const size_t sectors = change.data.size() / kSectorBytes;
      const bool torn = sectors > 0 && random_() % 4 == 0;
      apply(file->durable, change,
            torn ? (random_() % sectors) * kSectorBytes : change.data.size());
    }
  }
}

void ForgetfulDisk::restart() {
  if (off_) {
    cut_power();
    for (auto& [path, file] : files_) {
      file->content = file->durable;
      file->unsynced.clear();
      file->shared.clear();
    }
  }
  off_ = false;
  full_ = false;
  calls_left_ = 0;
}

}  // namespace covey::test
