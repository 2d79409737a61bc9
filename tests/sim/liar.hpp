// SPDX-License-Identifier: Apache-2.0
// A device with good credentials that says whatever it likes: states it never had, counters and
// epochs that nobody gave it, times that have not been, what it said before once more, and all of
// it by the hundred. Nothing is asked of it; of the others, and of the store, everything that is
// asked without it. Single-threaded.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "tests/sim/network.hpp"

namespace google::protobuf {
class MessageLite;
}

namespace covey::sim {

class Liar {
 public:
  Liar(Schedule& schedule, Random& random, Network& network, DeviceId id);

  const DeviceId& id() const { return id_; }
  void begin();
  // It goes on, more seldom and without floods: what it holds up must get on without it.
  void slow_down() { slow_ = true; }
  void knows(const Digest& manifest) { manifests_.push_back(manifest.bytes); }

 private:
  using Word = std::pair<std::string, Bytes>;  // kind, payload
  using Name = std::array<uint8_t, 32>;        // of a manifest

  void connect();
  void receive(const std::string& topic, const Bytes& payload);
  void ask_to_enroll();
  void act();
  void lie();
  void flood();
  void say(const std::string& kind, const google::protobuf::MessageLite& body);
  void send(const Word& word);
  void repeat();

  Word hello();
  Word status();
  Word report();
  Word fetch();
  template <typename Message>
  void fill_states(Message& message);
  template <typename Message>
  void fill_report(Message& message, uint64_t inferences);

  std::string manifest();
  uint64_t number(uint64_t sound);  // mostly that one
  uint64_t uptime();
  Word sealed(const std::string& kind, const google::protobuf::MessageLite& body) const;

  Schedule& schedule_;
  Random random_;
  Network& network_;
  const DeviceId id_;
  bool slow_ = false;
  std::vector<Name> manifests_;
  uint64_t nonce_;
  // From its grant; no key: it has none yet.
  Bytes order_key_;
  std::string shard_;
  // Of the goal it heard last.
  std::string candidate_;
  uint32_t attempt_ = 0;
  uint32_t epoch_ = 1;
  uint64_t counter_ = 0;
  uint64_t boot_id_;
  Millis booted_{0};
  uint32_t status_number_ = 0;
  uint32_t connection_ = 0;
  std::map<std::string, uint32_t> sequences_;  // by boot and prefix
  std::deque<Word> said_;
};

}  // namespace covey::sim
