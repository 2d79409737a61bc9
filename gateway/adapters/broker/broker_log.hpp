// SPDX-License-Identifier: Apache-2.0
// What the broker says, kept within bounds: DATA/broker/mosquitto.log and one older file of 1 MiB
// each, and the last lines in memory for error messages.
//
// Thread safety: the supervisor's thread alone.
#pragma once

#include <string>
#include <string_view>

namespace covey::broker {

class BrokerLog {
 public:
  explicit BrokerLog(std::string path) : path_(std::move(path)) {}

  // Reads what `fd` (non-blocking) has, at most 256 KiB. False at its end.
  bool drain(int fd);
  const std::string& tail() const { return tail_; }

 private:
  void append(std::string_view said);

  std::string path_;
  std::string tail_;
};

}  // namespace covey::broker
