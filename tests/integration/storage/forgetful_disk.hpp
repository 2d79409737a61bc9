// SPDX-License-Identifier: Apache-2.0
// A SQLite VFS on a disk in memory that keeps what was not synced apart and forgets it, or any
// part of it, at a power cut; and whose n-th changing call can fail. For one connection at a time:
// file locks and the shared index are those of a single thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/digest.hpp"

struct sqlite3_vfs;

namespace covey::test {

class ForgetfulDisk {
 public:
  enum class Fault : uint8_t {
    kPowerCut,  // this call and all that follow fail; unsynced writes survive in random parts
    kIoError,   // this call fails
    kFull,      // this call and all later ones that need space fail
  };

  // Registers the VFS under a name of its own until the object is gone.
  explicit ForgetfulDisk(uint64_t seed);
  ~ForgetfulDisk();
  ForgetfulDisk(const ForgetfulDisk&) = delete;
  ForgetfulDisk& operator=(const ForgetfulDisk&) = delete;

  const std::string& vfs_name() const { return name_; }
  // The `calls`-th write, truncation, sync or removal from now on (1: the next).
  void fail_after(uint64_t calls, Fault fault);
  bool fault_happened() const { return happened_; }
  // After the machine started again: what survived is there.
  void restart();

  // For the VFS.
  struct Change {
    int64_t offset = 0;
    Bytes data;
    bool truncates = false;  // to `offset`
  };
  struct File {
    Bytes content;  // as programs see it
    Bytes durable;
    std::vector<Change> unsynced;
    std::vector<std::unique_ptr<Bytes>> shared;  // regions of the wal index
  };
  int before_change(bool needs_space);  // an SQLite result
  bool is_off() const { return off_; }
  std::map<std::string, std::shared_ptr<File>>& files() { return files_; }
  sqlite3_vfs* system() const { return system_; }

 private:
  void cut_power();

  std::string name_;
  std::mt19937_64 random_;
  sqlite3_vfs* system_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  std::map<std::string, std::shared_ptr<File>> files_;
  uint64_t calls_left_ = 0;  // 0: no fault is planned
  Fault fault_ = Fault::kPowerCut;
  bool happened_ = false;
  bool off_ = false;
  bool full_ = false;
};

}  // namespace covey::test
