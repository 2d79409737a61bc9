// SPDX-License-Identifier: Apache-2.0
// How a command of `covey` ends.
#pragma once

namespace covey::cli {

// Scripts depend on these numbers.
enum ExitCode : int {
  kDone = 0,
  kOtherError = 1,
  kUsage = 2,
  kFailedOrRolledBack = 3,
  kTimedOut = 4,
  kPausedOrInconclusive = 5,
};

}  // namespace covey::cli
