// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/manners.hpp"

namespace covey::sim {
namespace {

// Doubling from a second says one thing five times in 20 s: at 0, 1, 3, 7 and 15 s.
constexpr Millis kSpan = 20s;
constexpr size_t kRepeats = 5;

// What a device may have to say at a time.
size_t things(const std::string& kind) {
  if (kind == "report") return 3;  // two windows, and what an earlier boot left
  if (kind == "status") return 3;  // each change is a new one
  return 2;                        // one before, and one after something else has changed
}

std::string last_level(const std::string& topic) { return topic.substr(topic.rfind('/') + 1); }

}  // namespace

void Manners::heard(const std::string& topic) {
  // The site's message and manifests are for everybody: no answers.
  if (topic.find("/down") != std::string::npos) said_.clear();
}

void Manners::said(const std::string& topic, Millis now) {
  const std::string kind = last_level(topic);
  std::deque<Millis>& times = said_[kind];
  times.push_back(now);
  while (now - times.front() > kSpan) times.pop_front();
  if (times.size() > kRepeats * things(kind) && violation_.empty()) {
    violation_ = "said " + kind + " " + std::to_string(times.size()) + " times in " +
                 std::to_string(kSpan.count() / 1000) + " s without an answer";
  }
}

}  // namespace covey::sim
