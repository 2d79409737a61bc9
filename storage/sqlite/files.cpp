// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/files.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace covey::sqlite {

bool sync_directory(const std::filesystem::path& path) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return false;
  const bool synced = fsync(directory) == 0;
  ::close(directory);
  return synced;
}

}  // namespace covey::sqlite
