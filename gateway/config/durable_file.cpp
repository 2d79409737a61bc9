// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/durable_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "gateway/config/ownership.hpp"

namespace covey::config {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Error file_error(const char* reason, const std::string& path, const char* action) {
  const int code = errno;
  return {Code::kUnavailable, reason,
          fmt::format("cannot {} {}: {}", action, path, std::generic_category().message(code))};
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    content.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

Status write_file_durably(const std::string& path, std::string_view content, mode_t mode) {
  const std::string temporary = path + ".new";
  {
    const Descriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (file.get() < 0) return file_error("FILE_WRITE", temporary, "create");
    // The mode of open() does not apply to a left-over of a crash.
    if (::fchmod(file.get(), mode) != 0 || !write_all(file.get(), content) ||
        ::fsync(file.get()) != 0) {
      return file_error("FILE_WRITE", temporary, "write");
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return file_error("FILE_WRITE", path, "replace");
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const Descriptor directory(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) {
    return file_error("FILE_WRITE", path, "make durable");
  }
  return {};
}

namespace {

Result<std::string> read_bounded(const std::string& path, size_t bytes_max, bool secret) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return file_error("FILE_READ", path, "open");
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return file_error("FILE_READ", path, "look at");
  if (S_ISREG(status.st_mode)) {  // a pipe is whoever's who gave it
    if (const Status ours = check_owner(path, status); !ours) return ours.error();
    if (secret && (status.st_mode & S_IROTH) != 0) return exposed_file(path);
  }
  std::string content;
  char block[4096];
  for (;;) {
    const ssize_t got = ::read(file.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("FILE_READ", path, "read");
    if (got == 0) return content;
    if (content.size() + static_cast<size_t>(got) > bytes_max) {
      return invalid("FILE_TOO_LARGE", fmt::format("{} has more than {} bytes", path, bytes_max));
    }
    content.append(block, static_cast<size_t>(got));
  }
}

}  // namespace

Result<std::string> read_file_bounded(const std::string& path, size_t bytes_max) {
  return read_bounded(path, bytes_max, false);
}

Result<std::string> read_secret_bounded(const std::string& path, size_t bytes_max) {
  return read_bounded(path, bytes_max, true);
}

}  // namespace covey::config
