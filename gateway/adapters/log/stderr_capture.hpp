// SPDX-License-Identifier: Apache-2.0
// What libraries write to stderr by themselves, as lines of our log: stderr becomes a pipe whose
// reader logs it. So it can neither hold up the thread that wrote it nor forge a line.
//
// Thread safety: capture and release from one thread; drain_captured() from a signal handler too.
#pragma once

#include <functional>
#include <string_view>

namespace covey::log {

// Where lines are written from now on (the old stderr), or -1: it did not work, nothing changed.
// `line` is called on a thread of its own, which lives as long as the process.
int capture_stderr(std::function<void(std::string_view line)> line);
// Stderr is again what it was.
void release_stderr();
// For a process that is ending: what is still in the pipe goes to the old stderr as it is, as far
// as that takes it at once.
void drain_captured();

}  // namespace covey::log
