// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/broker/orphans.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <charconv>
#include <csignal>
#include <memory>
#include <vector>

#include "gateway/adapters/broker/pidfd.hpp"
#include "gateway/adapters/broker/sockets.hpp"

namespace covey::broker {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

std::vector<pid_t> processes() {
  std::vector<pid_t> found;
  const std::unique_ptr<DIR, CloseFolder> folder(::opendir("/proc"));
  if (!folder) return found;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name(entry->d_name);
    pid_t pid = 0;
    const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (failure == std::errc() && end == name.data() + name.size()) found.push_back(pid);
  }
  return found;
}

// argv[1] is "-c" and argv[2] the configuration, and the process belongs to us.
bool runs_with(pid_t pid, const std::string& configuration) {
  const std::string folder = fmt::format("/proc/{}", pid);
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0 || status.st_uid != ::geteuid()) return false;
  const Descriptor file(::open((folder + "/cmdline").c_str(), O_RDONLY | O_CLOEXEC));
  std::string arguments(8192, '\0');
  const ssize_t got = ::read(file.get(), arguments.data(), arguments.size());
  if (got <= 0) return false;
  arguments.resize(static_cast<size_t>(got));
  const size_t first = arguments.find('\0');
  if (first == std::string::npos) return false;
  const std::string expected = std::string("-c") + '\0' + configuration + '\0';
  return arguments.compare(first + 1, std::string::npos, expected) == 0;
}

}  // namespace

Result<uint32_t> end_orphans(const std::string& configuration, Millis timeout) {
  uint32_t ended = 0;
  for (const pid_t pid : processes()) {
    if (pid == ::getpid()) continue;
    // The descriptor first: what is checked afterwards is what will be signalled.
    const Descriptor handle(::pidfd_open(pid, 0));
    if (handle.get() < 0 || !runs_with(pid, configuration)) continue;
    if (::pidfd_send_signal(handle.get(), SIGKILL, nullptr, 0) != 0) continue;  // gone already
    pollfd entry{handle.get(), POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(timeout.count())) <= 0) {
      return Error{Code::kUnavailable, "BROKER_ORPHAN",
                   fmt::format("broker {} of an earlier coveyd does not end; end it by hand", pid)};
    }
    ++ended;
  }
  return ended;
}

}  // namespace covey::broker
