// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/data_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "storage/sqlite/files.hpp"

namespace covey::sqlite {
namespace {

Error io_error(const std::string& what, int error) {
  return {Code::kUnavailable, "STORE_IO",
          fmt::format("{}: {}: check the data directory's owner, permissions and disk", what,
                      std::strerror(error))};
}

std::string read_start(int file) {
  std::array<char, 32> text{};
  const ssize_t size = pread(file, text.data(), text.size(), 0);
  std::string line(text.data(), size > 0 ? static_cast<size_t>(size) : 0);
  return line.substr(0, line.find('\n'));
}

}  // namespace

Result<DataLock> DataLock::acquire(const std::filesystem::path& data_dir) {
  const std::string path = (data_dir / "lock").string();
  // Closed on exec: a child (the broker) must not keep the lock when coveyd dies.
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return io_error("can't open " + path, errno);
  if (flock(file, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    const std::string owner = read_start(file);
    ::close(file);
    if (error != EWOULDBLOCK) return io_error("can't lock " + path, error);
    return Error{Code::kFailedPrecondition, "LOCKED",
                 fmt::format("process {} uses the data directory {}: stop it first, or choose "
                             "another data directory",
                             owner.empty() ? "?" : owner, data_dir.string())};
  }
  DataLock lock(file, !read_start(file).empty());
  const std::string owner = fmt::format("{}\n", getpid());
  const bool written =
      ftruncate(file, 0) == 0 &&
      pwrite(file, owner.data(), owner.size(), 0) == static_cast<ssize_t>(owner.size()) &&
      fsync(file) == 0;
  // On a full disk the mark may be missing; then the check is made next time, at worst once more.
  if (!written && errno != ENOSPC) return io_error("can't write " + path, errno);
  const std::filesystem::path parent = std::filesystem::absolute(data_dir).parent_path();
  if (!sync_directory(data_dir)) return io_error("can't sync " + data_dir.string(), errno);
  static_cast<void>(sync_directory(parent));  // may be unreadable for us, and is seldom new
  return lock;
}

DataLock::DataLock(DataLock&& other) noexcept
    : file_(std::exchange(other.file_, -1)), unclean_(other.unclean_) {}

DataLock::~DataLock() {
  if (file_ >= 0) ::close(file_);
}

void DataLock::release_clean() {
  if (file_ < 0) return;
  if (ftruncate(file_, 0) == 0) fsync(file_);
  ::close(std::exchange(file_, -1));
}

}  // namespace covey::sqlite
