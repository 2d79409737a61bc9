// SPDX-License-Identifier: Apache-2.0
// A program that a test starts: it ends with the test, whatever happens. One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace covey::simulator_test {

class ChildProcess {
 public:
  // Looks the program up in PATH and /usr/sbin; output goes to `log`.
  ChildProcess(const std::vector<std::string>& command, const std::string& log);
  ~ChildProcess();  // kill -9 if it still runs
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void signal(int number) const;
  int wait();  // the exit code, or -signal

 private:
  pid_t pid_ = -1;
};

// A port of 127.0.0.1 that nobody listens on now.
uint16_t free_port();

// Removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace covey::simulator_test
