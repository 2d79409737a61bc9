// SPDX-License-Identifier: Apache-2.0
// What may be expected of a device whom nobody answers: that it asks more and more seldom. Looks at
// what goes over its link only. Single-threaded.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "core/time.hpp"

namespace covey::sim {

class Manners {
 public:
  // Whoever connects, or hears that the gateway started anew, has all to say again.
  void begin() { said_.clear(); }
  void heard(const std::string& topic);
  void said(const std::string& topic, Millis now);
  const std::string& violation() const { return violation_; }  // the first; empty: none

 private:
  // Since the last answer or connection, of the last span: by the last level of the topic.
  std::map<std::string, std::deque<Millis>> said_;
  std::string violation_;
};

}  // namespace covey::sim
