// SPDX-License-Identifier: Apache-2.0
#include "cli/show/streams.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace covey::cli {
namespace {

// 0, or the error's number.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {  // somebody else made it so: the reader is slow
      pollfd ready{descriptor, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

Streams::Streams() {
  // Opened the wrong way round, so that reading from 0 and writing to 1 and 2 are errors.
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number.
    (void)::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
  (void)::signal(SIGPIPE, SIG_IGN);
}

Status Streams::put(std::string_view text) {
  if (!status_) return status_;
  const int number = write_all(STDOUT_FILENO, text);
  if (number == EPIPE) {
    status_ = Error{Code::kUnknown, "OUTPUT_CLOSED", "nobody reads the output any more"};
  } else if (number != 0) {
    status_ = Error{Code::kUnknown, "OUTPUT_UNWRITABLE",
                    fmt::format("cannot write to standard output: {}", std::strerror(number))};
  }
  return status_;
}

void Streams::note(std::string_view text) { (void)write_all(STDERR_FILENO, text); }

}  // namespace covey::cli
