// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/broker/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <vector>

#include "gateway/adapters/broker/pidfd.hpp"

namespace covey::broker {
namespace {

// What a program needs of its surroundings; nothing of ours (COVEY_..., whose values may be
// secrets) and nothing that we don't know.
std::vector<char*> broker_environment() {
  constexpr std::array<std::string_view, 9> kPassedOn = {
      "PATH=",       "HOME=",        "TMPDIR=", "LANG=", "LC_ALL=", "TZ=", "LD_LIBRARY_PATH=",
      "LD_PRELOAD=", "SSL_CERT_DIR="};
  std::vector<char*> passed;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (std::any_of(kPassedOn.begin(), kPassedOn.end(),
                    [&](std::string_view name) { return text.starts_with(name); })) {
      passed.push_back(*entry);
    }
  }
  passed.push_back(nullptr);
  return passed;
}

// Between fork and exec in a process with threads: async-signal-safe calls only.
[[noreturn]] void become_broker(pid_t parent, int output, const char* binary,
                                char* const* arguments, char* const* environment) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);  // coveyd died before the line above
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD}) ::signal(number, SIG_DFL);
  // A group of its own: Ctrl-C in a terminal is for coveyd, which then stops it in order.
  ::setpgid(0, 0);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::close_range(3, ~0U, 0);
  ::execve(binary, arguments, environment);
  ::_exit(127);
}

}  // namespace

Result<std::string> find_binary(const std::string& name) {
  const auto runs = [](const std::string& path) { return ::access(path.c_str(), X_OK) == 0; };
  if (name.find('/') != std::string::npos) {
    if (runs(name)) return name;
  } else {
    const char* variable = std::getenv("PATH");
    std::string folders = variable == nullptr ? "" : variable;
    folders += ":/usr/sbin:/usr/local/sbin";
    for (size_t from = 0; from < folders.size();) {
      const size_t to = std::min(folders.find(':', from), folders.size());
      const std::string path = folders.substr(from, to - from) + "/" + name;
      if (to > from && runs(path)) return path;
      from = to + 1;
    }
  }
  return precondition("BROKER_BINARY",
                      fmt::format("'{}' cannot be run: install it (apt install mosquitto), set "
                                  "mqtt.embedded.binary, or use mqtt.mode external",
                                  name));
}

uint64_t descriptor_limit() {
  rlimit files{};
  return ::getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_max : 1024;
}

Result<Child> Child::start(const std::string& binary, const std::string& configuration) {
  const auto failed = [](const char* what) {
    return Error{Code::kUnavailable, "BROKER_START",
                 fmt::format("{}: {}", what, std::generic_category().message(errno))};
  };
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return failed("no pipe for the broker's log");
  Descriptor read_end(ends[0]);
  const Descriptor write_end(ends[1]);
  // Its end does not block either: we may wait for a disk, and the broker, and with it every
  // device, must not wait for us. What it says meanwhile above the pipe's 64 KiB is lost.
  const std::string flag = "-c";
  char* const arguments[] = {const_cast<char*>(binary.c_str()), const_cast<char*>(flag.c_str()),
                             const_cast<char*>(configuration.c_str()), nullptr};
  std::vector<char*> environment = broker_environment();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return failed("cannot fork");
  if (pid == 0) {
    become_broker(parent, write_end.get(), binary.c_str(), arguments, environment.data());
  }
  Descriptor handle(::pidfd_open(pid, 0));
  if (handle.get() < 0) {
    const Error error = failed("no pidfd for the broker");
    ::kill(pid, SIGKILL);  // our own child, not waited for: the id is still its
    ::waitpid(pid, nullptr, 0);
    return error;
  }
  return Child(pid, std::move(handle), std::move(read_end));
}

void Child::send_signal(int signal) const {
  if (pidfd_.get() >= 0) (void)::pidfd_send_signal(pidfd_.get(), signal, nullptr, 0);
}

std::string Child::reap() {
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) return "unknown";
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  return fmt::format("exit code {}", WEXITSTATUS(status));
}

}  // namespace covey::broker
