// SPDX-License-Identifier: Apache-2.0
#include "deploy/signing/key_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "deploy/signing/pkcs11.hpp"

namespace covey {
namespace {

constexpr size_t kKeyFileBytesMax = 16'384;

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

Error io_error(std::string reason, const std::filesystem::path& path, int number) {
  return precondition(std::move(reason), path.string() + ": " + std::strerror(number));
}

Status write_new(const std::filesystem::path& path, std::string_view text, mode_t mode) {
  const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (file.get() < 0) {
    if (errno == EEXIST) {
      return Error{Code::kAlreadyExists, "KEY_FILE_EXISTS",
                   path.string() + " exists; keys are never overwritten: choose another name"};
    }
    return io_error("KEY_FILE_UNWRITABLE", path, errno);
  }
  // The umask may only have removed bits; a half-written key is worse than none.
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int number = errno;
      ::unlink(path.c_str());
      return io_error("KEY_FILE_UNWRITABLE", path, number);
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(file.get()) != 0) {
    const int number = errno;
    ::unlink(path.c_str());
    return io_error("KEY_FILE_UNWRITABLE", path, number);
  }
  return {};
}

Result<std::string> read_small(const std::filesystem::path& path, bool secret) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return io_error("KEY_FILE_UNREADABLE", path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return io_error("KEY_FILE_UNREADABLE", path, errno);
  if (secret && S_ISREG(status.st_mode) && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return precondition("KEY_FILE_TOO_OPEN", path.string() +
                                                 " is a private key that others may read: run "
                                                 "chmod 600 on it");
  }
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_error("KEY_FILE_UNREADABLE", path, errno);
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(count));
    if (text.size() > kKeyFileBytesMax) {
      return invalid("BAD_KEY", path.string() + " is larger than any key file (16 KiB)");
    }
  }
}

template <typename T>
Result<T> named(Result<T> key, const std::filesystem::path& path) {
  if (key) return key;
  Error error = key.error();
  error.message = path.string() + ": " + error.message;
  return error;
}

}  // namespace

Status write_private_key(const std::filesystem::path& path, const PrivateKey& key) {
  return write_new(path, key.to_pem(), S_IRUSR | S_IWUSR);
}

Status write_public_key(const std::filesystem::path& path, const PublicKey& key) {
  return write_new(path, key.to_pem(), S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
}

Result<PrivateKey> read_private_key(const std::filesystem::path& path) {
  if (is_pkcs11_uri(path.native())) return open_pkcs11_key(path.native());
  const Result<std::string> text = read_small(path, true);
  if (!text) return text.error();
  return named(PrivateKey::from_pem(*text), path);
}

Result<PublicKey> read_public_key(const std::filesystem::path& path) {
  const Result<std::string> text = read_small(path, false);
  if (!text) return text.error();
  return named(PublicKey::from_pem(*text), path);
}

}  // namespace covey
