// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/broker/broker_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "gateway/adapters/broker/sockets.hpp"

namespace covey::broker {
namespace {

constexpr off_t kFileBytesMax = 1 << 20;
constexpr size_t kTailBytesMax = 2048;
constexpr int kReadsMax = 64;

}  // namespace

bool BrokerLog::drain(int fd) {
  std::array<char, 4096> block{};
  for (int reads = 0; reads < kReadsMax; ++reads) {
    const ssize_t got = ::read(fd, block.data(), block.size());
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    append({block.data(), static_cast<size_t>(got)});
  }
  return true;
}

// A log that cannot be written (disk full) stops nothing: the tail is still there.
void BrokerLog::append(std::string_view said) {
  // It names clients, which chose their names.
  std::string text(said);
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\n') || c == 0x7f; }, '?');
  tail_ += text;
  if (tail_.size() > kTailBytesMax) {
    const size_t line = tail_.find('\n', tail_.size() - kTailBytesMax);
    tail_.erase(0, line == std::string::npos ? tail_.size() - kTailBytesMax : line + 1);
  }
  struct stat status {};
  if (::stat(path_.c_str(), &status) == 0 && status.st_size > kFileBytesMax) {
    (void)::rename(path_.c_str(), (path_ + ".1").c_str());
  }
  const Descriptor file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (file.get() >= 0 && ::write(file.get(), text.data(), text.size()) < 0) return;
}

}  // namespace covey::broker
