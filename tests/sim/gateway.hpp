// SPDX-License-Identifier: Apache-2.0
// The real engine over a store whose commits take time and may never happen, in virtual time. What
// comes in waits in the inbox of the real runtime, and each of it takes the engine some time;
// chunks wait in its queue for the link, which takes its time for each. crash() is kill -9 at any
// moment: what was not durable is gone, what was not sent is gone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/engine/engine.hpp"
#include "gateway/runtime/chunk_queue.hpp"
#include "gateway/runtime/inbox.hpp"
#include "storage/memory/memory_store.hpp"
#include "tests/sim/network.hpp"

namespace covey::sim {

struct GatewayFaults {
  Millis commit_max{40};
  Millis judge_max{1500};    // until the statistics of a window are back
  double crash_between = 0;  // between commit and publish, per commit
  Millis service_max{0};     // for each thing that devices and operators say; 0: none waits
  Millis chunk_max{0};       // for each chunk, on the link; 0: none waits
  // Deliberately broken: messages leave before their transaction is durable.
  bool speak_before_persist = false;
};

class Gateway {
 public:
  // At most `queue_max` messages of each class of devices wait for the engine.
  Gateway(Schedule& schedule, Random& random, Network& network, const engine::EngineConfig& config,
          size_t queue_max);

  GatewayFaults faults;

  void start();
  void crash(Millis downtime);
  bool running() const { return engine_ != nullptr; }
  const engine::Engine& engine() const { return *engine_; }
  // What a reload of the store gives; the memory's mirror when nothing is pending.
  MemoryStore& store() { return store_; }
  // Another engine over what is durable.
  engine::Engine reload();
  Now now() const;
  bool idle() const { return !committing_ && pending_.empty(); }
  uint64_t refused() const;  // by full queues
  void broker_back();

  using Done = std::function<void(const Result<engine::CommandReply>&)>;
  void submit(engine::Command command, Done done = nullptr);
  // Passwords that the broker knows.
  const std::map<DeviceId, std::string>& credentials() const { return credentials_; }

  // Told of every message that leaves, with the revision that must be durable.
  std::function<void(const engine::Effect&)> on_effect;
  uint64_t crashes = 0;
  uint64_t goals_refused = 0;
  uint64_t chunks = 0;  // sent

 private:
  struct Pending {
    std::vector<Write> writes;
    std::vector<engine::Effect> effects;
  };
  void connect();
  void set_session(uint64_t number);
  void tick(uint64_t life);
  void post(runtime::EventClass event_class, engine::Event event);
  void serve();
  std::vector<engine::Event> take();
  void handle(std::vector<engine::Event> batch);
  void receive(const std::string& topic, const Bytes& payload);
  void commit_next();
  void speak(const std::vector<engine::Effect>& effects);
  void send_chunks();
  void send(const engine::PublishChunks& chunks);
  engine::Tick now_told() const;

  Schedule& schedule_;
  Random& random_;
  Network& network_;
  engine::EngineConfig config_;
  MemoryStore store_;
  std::unique_ptr<engine::Engine> engine_;
  uint64_t session_ = 0;   // with the broker; 0: none
  uint64_t sessions_ = 0;  // so far
  uint64_t life_ = 0;      // starts so far: what was planned in an earlier life is dropped
  const size_t queue_max_;
  std::unique_ptr<runtime::Inbox> inbox_;
  std::unique_ptr<runtime::ChunkQueue> chunk_queue_;
  bool sending_ = false;
  uint64_t refused_before_ = 0;  // by inboxes of earlier lives
  bool serving_ = false;
  bool committing_ = false;
  std::deque<Pending> pending_;
  uint64_t ticket_ = 0;
  std::map<uint64_t, Done> tickets_;
  std::map<DeviceId, std::string> credentials_;
};

}  // namespace covey::sim
