// SPDX-License-Identifier: Apache-2.0
// Where a fleet persists: DIR/fleet.json, DIR/devices/ID.flash and .identity, DIR/truth.csv. Locked
// against a second covey-sim while this object lives. Errors: STATE_DIRECTORY.
#pragma once

#include <cstdio>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/result.hpp"

namespace covey::simulator {

class StateDirectory {
 public:
  // Makes what is missing; refuses a directory of another fleet.
  static Result<StateDirectory> open(const std::string& path, const nlohmann::json& fleet);

  std::string devices() const { return path_.empty() ? std::string() : path_ + "/devices"; }

 private:
  // Closing the file releases the lock.
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;  // empty: nothing persists
  std::unique_ptr<std::FILE, Close> lock_;
};

}  // namespace covey::simulator
