// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/network.hpp"

namespace covey::sim {

bool Network::connect(const Client& client, Receiver receiver) {
  if (!up_) return false;
  disconnect(client, true);
  sessions_[client] = {.receiver = std::move(receiver),
                       .topics = {},
                       .up_topics = false,
                       .number = ++session_number_,
                       .will_topic = {},
                       .will = {}};
  return true;
}

void Network::set_will(const Client& client, std::string topic, Bytes payload) {
  const auto found = sessions_.find(client);
  if (found == sessions_.end()) return;
  found->second.will_topic = std::move(topic);
  found->second.will = std::move(payload);
}

void Network::disconnect(const Client& client, bool goodbye) {
  const auto found = sessions_.find(client);
  if (found == sessions_.end()) return;
  const Session gone = found->second;
  sessions_.erase(found);
  if (!goodbye && !gone.will_topic.empty()) route(gone.will_topic, gone.will);
}

void Network::subscribe(const Client& client, const std::string& topic) {
  const auto found = sessions_.find(client);
  if (found == sessions_.end()) return;
  found->second.topics.insert(topic);
  const auto kept = retained_.find(topic);
  if (kept != retained_.end()) deliver(client, topic, kept->second);
}

void Network::subscribe_up(const Client& client) {
  const auto found = sessions_.find(client);
  if (found != sessions_.end()) found->second.up_topics = true;
}

void Network::unsubscribe(const Client& client, const std::string& topic) {
  const auto found = sessions_.find(client);
  if (found != sessions_.end()) found->second.topics.erase(topic);
}

void Network::publish(const Client& client, const std::string& topic, Bytes payload, bool retain) {
  if (!connected(client)) return;
  ++published;
  // The way to the broker may lose it; the way from the broker may lose it again.
  if (random_.chance(faults.loss)) return;
  if (retain) retained_[topic] = payload;
  route(topic, payload);
  if (random_.chance(faults.duplicate)) route(topic, payload);
}

void Network::route(const std::string& topic, const Bytes& payload) {
  const bool up = topic.find("/up") != std::string::npos;
  for (const auto& [client, session] : sessions_) {
    if (session.topics.contains(topic) || (up && session.up_topics)) {
      deliver(client, topic, payload);
    }
  }
}

void Network::deliver(const Client& client, const std::string& topic, const Bytes& payload) {
  if (random_.chance(faults.loss)) return;
  const uint64_t number = sessions_.at(client).number;
  schedule_.after(random_.between(Millis{1}, faults.delay_max),
                  [this, client, number, topic, payload] {
                    const auto found = sessions_.find(client);
                    if (found == sessions_.end() || found->second.number != number) return;
                    const auto receive = found->second.receiver.message;
                    receive(topic, payload);
                  });
}

void Network::kill_broker(Millis downtime, std::function<void()> back) {
  if (!up_) return;
  up_ = false;
  retained_.clear();
  const std::map<Client, Session> gone = std::exchange(sessions_, {});
  for (const auto& [client, session] : gone) session.receiver.disconnected();
  schedule_.after(downtime, [this, back = std::move(back)] {
    up_ = true;
    back();
  });
}

}  // namespace covey::sim
