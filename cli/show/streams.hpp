// SPDX-License-Identifier: Apache-2.0
// Standard output and standard error of the program. What could not be written is noticed, and ends
// in exit code 1: no command says that it printed what nobody got. One object, one thread.
#pragma once

#include <string_view>

#include "core/result.hpp"

namespace covey::cli {

class Streams {
 public:
  // A descriptor of the three that is closed gives errors from here on, and is no file that is
  // opened later; a reader that has gone is an error, not a signal.
  Streams();

  // To standard output, all of it, at once. Errors: OUTPUT_UNWRITABLE, OUTPUT_CLOSED (nobody reads
  // the pipe any more); the first one stays, and nothing more is written.
  Status put(std::string_view text);
  const Status& status() const { return status_; }
  // To standard error, as far as that goes.
  static void note(std::string_view text);

 private:
  Status status_;
};

}  // namespace covey::cli
