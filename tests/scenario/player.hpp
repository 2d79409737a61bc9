// SPDX-License-Identifier: Apache-2.0
// Plays the input lines of a transcript against a site and writes down what comes out.
//
//   push VERSION                     enroll|join|hello|leave|reboot DEVICE...
//   run DEVICE VERSION               say DEVICE PHASE [REASON]
//   obey DEVICE...|all               fall_back DEVICE VERSION REASON
//   late_proof DEVICE                pass SECONDS
//   rollout NAME VERSION [stage=NAME:SIZE:SOAK[:approval]]... [failures=MAX] [on_fail=X]
//           [retries=N] [deadline=D] [max_in_flight=N]
//   pause|resume|approve|abort|abort_now|roll_back NAME
//   crash (between the next commit and what would leave)   restart   broker up|down
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/unit/engine/site.hpp"

namespace covey::test {

class Player {
 public:
  Player();
  // The output of one line, each line with its end.
  std::string play(const std::string& line);

 private:
  void act(const std::vector<std::string>& words);
  void roll_out(const std::vector<std::string>& words);
  void command(engine::Command command);
  void reply(const Result<engine::CommandReply>& result);
  void heard(const engine::Effect& effect);
  void show_changes();
  std::string version(const std::optional<Digest>& manifest) const;

  Site site_;
  std::string out_;
  std::map<std::string, std::string> shown_;
  uint64_t event_ = 0;
};

}  // namespace covey::test
