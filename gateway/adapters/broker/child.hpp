// SPDX-License-Identifier: Apache-2.0
// One run of the broker process: fork, exec, its output in a pipe, its end in a pidfd.
//
// Thread safety: used by the supervisor's thread alone. That thread must fork, because the
// parent-death signal follows the thread that forked.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/result.hpp"
#include "gateway/adapters/broker/sockets.hpp"

namespace covey::broker {

// A path to execute. Errors: BROKER_BINARY, saying how to install it.
Result<std::string> find_binary(const std::string& name);

// The limit of file descriptors that a child may have (hard limit).
uint64_t descriptor_limit();

class Child {
 public:
  // Runs `binary -c configuration`. Errors: BROKER_START.
  static Result<Child> start(const std::string& binary, const std::string& configuration);

  Child(Child&&) = default;
  Child& operator=(Child&&) = default;

  pid_t pid() const { return pid_; }
  int exit_fd() const { return pidfd_.get(); }     // readable when it ended
  int output_fd() const { return output_.get(); }  // both of its outputs, non-blocking
  void send_signal(int signal) const;
  // Once exit_fd() is readable: how it ended, e.g. "exit code 1", "signal 9".
  std::string reap();

 private:
  Child(pid_t pid, Descriptor pidfd, Descriptor output)
      : pid_(pid), pidfd_(std::move(pidfd)), output_(std::move(output)) {}

  pid_t pid_;
  Descriptor pidfd_;
  Descriptor output_;
};

}  // namespace covey::broker
