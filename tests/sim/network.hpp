// SPDX-License-Identifier: Apache-2.0
// The broker and the links to it, in virtual time: retained messages, subscriptions by exact topic,
// loss, duplication, delay (so reordering), and a broker that dies and forgets. One session per
// client, clean. Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "core/digest.hpp"
#include "tests/sim/schedule.hpp"

namespace covey::sim {

struct NetworkFaults {
  double loss = 0;
  double duplicate = 0;
  Millis delay_max{20};
};

using Client = std::string;

class Network {
 public:
  struct Receiver {
    std::function<void(const std::string& topic, const Bytes& payload)> message;
    std::function<void()> disconnected;
  };

  Network(Schedule& schedule, Random& random) : schedule_(schedule), random_(random) {}

  NetworkFaults faults;

  bool up() const { return up_; }
  // False: the broker is down.
  bool connect(const Client& client, Receiver receiver);
  // `will` is published unless the client says goodbye.
  void set_will(const Client& client, std::string topic, Bytes payload);
  void disconnect(const Client& client, bool goodbye);
  bool connected(const Client& client) const { return sessions_.contains(client); }
  void subscribe(const Client& client, const std::string& topic);
  // Everything that devices send up: the gateway's subscription.
  void subscribe_up(const Client& client);
  void unsubscribe(const Client& client, const std::string& topic);
  void publish(const Client& client, const std::string& topic, Bytes payload, bool retain);
  // kill -9: sessions and retained messages are gone; up again after `downtime`.
  void kill_broker(Millis downtime, std::function<void()> back);

  uint64_t published = 0;

 private:
  struct Session {
    Receiver receiver;
    std::set<std::string> topics;
    bool up_topics = false;
    uint64_t number = 0;
    std::string will_topic;
    Bytes will;
  };
  void deliver(const Client& client, const std::string& topic, const Bytes& payload);
  void route(const std::string& topic, const Bytes& payload);

  Schedule& schedule_;
  Random& random_;
  bool up_ = true;
  uint64_t session_number_ = 0;
  std::map<Client, Session> sessions_;
  std::map<std::string, Bytes> retained_;
};

}  // namespace covey::sim
