// SPDX-License-Identifier: Apache-2.0
#include "cli/files/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace covey::cli {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number, bool ours = true) : number_(number), ours_(ours) {}
  ~Descriptor() {
    if (ours_ && number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }
  bool close() {  // some file systems tell of a full disk only here
    const int number = number_;
    number_ = -1;
    return ::close(number) == 0;
  }

 private:
  int number_;
  bool ours_;
};

Error unreadable(const std::string& name, int number) {
  if (number == ENOENT) return not_found(fmt::format("there is no file {}", name));
  return invalid("FILE_UNREADABLE", fmt::format("cannot read {}: {}", name, std::strerror(number)));
}
Error unwritable(const std::filesystem::path& path, int number) {
  return Error{Code::kUnknown, "FILE_UNWRITABLE",
               fmt::format("cannot write {}: {}", path.string(), std::strerror(number))};
}

// 0, or the error's number.
int write_all(int descriptor, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return 0;
}

Status write_in_place(const std::filesystem::path& path, ByteView bytes) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0) return unwritable(path, errno);
  if (const int number = write_all(file.get(), bytes); number != 0) {
    return unwritable(path, number);
  }
  return file.close() ? Status{} : unwritable(path, errno);
}

unsigned without_umask(unsigned mode) {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mode & ~mask;
}

Status replace(const std::filesystem::path& path, ByteView bytes, unsigned mode) {
  std::string draft = path.string() + ".XXXXXX";
  Descriptor file(::mkostemp(draft.data(), O_CLOEXEC));
  if (file.get() < 0) return unwritable(path, errno);
  int number = write_all(file.get(), bytes);
  if (number == 0 && ::fchmod(file.get(), mode) != 0) number = errno;
  if (number == 0 && ::fsync(file.get()) != 0) number = errno;
  if (!file.close() && number == 0) number = errno;
  if (number == 0 && ::rename(draft.c_str(), path.c_str()) != 0) number = errno;
  if (number == 0) return {};
  ::unlink(draft.c_str());
  return unwritable(path, number);
}

}  // namespace

Result<Bytes> read_file(const std::filesystem::path& path, size_t bytes_max) {
  const bool standard = path == "-";
  const std::string name = standard ? "standard input" : path.string();
  const Descriptor file(standard ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC),
                        !standard);
  if (file.get() < 0) return unreadable(name, errno);
  Bytes bytes;
  for (;;) {
    uint8_t buffer[65'536];
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(name, errno);
    if (count == 0) return bytes;
    bytes.insert(bytes.end(), buffer, buffer + count);
    if (bytes.size() > bytes_max) {
      struct stat status {};
      const bool known = ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode);
      return invalid(
          "FILE_TOO_LARGE",
          known
              ? fmt::format("{} has {} bytes; at most {} are read", name, status.st_size, bytes_max)
              : fmt::format("{} has more than {} bytes, the most that is read", name, bytes_max));
    }
  }
}

Status write_file(const std::filesystem::path& path, ByteView bytes, unsigned mode) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return replace(path, bytes, without_umask(mode));
  if (!S_ISREG(status.st_mode)) return write_in_place(path, bytes);
  // What a link names is replaced, not the link.
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  return replace(error ? path : real, bytes, status.st_mode & 07777);
}

}  // namespace covey::cli
