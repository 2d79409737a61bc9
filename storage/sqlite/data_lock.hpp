// SPDX-License-Identifier: Apache-2.0
// DATA/lock: an exclusive lock on a data directory for the life of the object. The file names the
// owner's process id while it is held, and is emptied by release_clean(): what it says at the next
// start tells an unclean stop. One thread.
// Errors: LOCKED (names the other process), STORE_IO.
#pragma once

#include <filesystem>

#include "core/result.hpp"

namespace covey::sqlite {

class DataLock {
 public:
  static Result<DataLock> acquire(const std::filesystem::path& data_dir);

  DataLock(DataLock&& other) noexcept;
  DataLock& operator=(DataLock&&) = delete;
  ~DataLock();  // releases; the next start checks the database

  bool previous_stop_was_unclean() const { return unclean_; }
  // All that the directory holds is safe: the next start needs no check.
  void release_clean();

 private:
  DataLock(int file, bool unclean) : file_(file), unclean_(unclean) {}
  int file_;
  bool unclean_;
};

}  // namespace covey::sqlite
