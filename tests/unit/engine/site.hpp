// SPDX-License-Identifier: Apache-2.0
// A site for tests: the engine over a MemoryStore in virtual time, every output committed before
// its effects count as said. Devices are played message by message, so that a test can say what no
// sound device would; tests/sim has the real agent. One thread. Ends the test program where the
// site itself (not what is tested) goes wrong.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "deploy/rollout/plan.hpp"
#include "gateway/engine/engine.hpp"
#include "storage/memory/memory_store.hpp"

namespace covey::test {

inline const ModelName kSiteModel("bearing");  // of each release and device

// Windows of a minute, reports every 10 s, gates twice a second.
engine::EngineConfig quick_config();

// One stage of everybody, no soak, failures of at most 30 %, a retry after 10 s.
// What stands for the public half of a device's own key, one for each number.
Bytes own_point(uint8_t number);
PlanDocument simple_plan(const std::string& name, const std::string& version);
StageDocument stage(const std::string& name, const std::string& size);
GateDocument failures_gate(const std::string& max);

// What a device knows and would say.
struct Played {
  DeviceId id;
  DeviceFacts facts;
  uint64_t enroll_nonce = 0;
  uint64_t boot_id = 0;
  uint64_t nonce = 0;
  uint32_t connection = 1;
  uint32_t status_number = 0;
  uint32_t site_epoch = 0;
  uint64_t goal_counter = 0;
  ModelReport model;  // of "bearing"
  uint32_t window = 0;
  uint64_t inferences = 0;  // of the stream
};

// Reports without a wire: a payload says which of the messages it stands for.
class PlayedReports final : public engine::ReportReader {
 public:
  Bytes add(engine::ReportMessage message);  // without a mac
  Status read(ByteView payload, engine::ReportMessage& into) override;

 private:
  std::vector<engine::ReportMessage> messages_;
};

class Site {
 public:
  explicit Site(const engine::EngineConfig& config = quick_config());

  // ---- the world
  std::vector<engine::Effect> handle(engine::Event event);
  void pass(Millis duration, Millis tick = 100ms);  // ticks, the broker being connected or not
  // What becomes of chunks, as the next ticks tell it.
  engine::ChunkFlow chunks;
  engine::Backlog backlog;      // likewise
  Millis certificate_until{0};  // likewise
  void connect_broker();
  void disconnect_broker();
  // kill -9 and start: the store's state only. The broker is connected again.
  void restart();
  void restart(const engine::EngineConfig& config);  // that somebody has edited meanwhile
  // The power goes for `duration`, by the wall; the machine's own time begins anew.
  void power_off(Millis duration);
  void step_wall(Millis by) { now_.wall += by; }
  // The next output is committed and its effects never leave: a crash between the two.
  void crash_after_next_commit() { crash_next_ = true; }

  Result<engine::CommandReply> command(engine::Command command, const std::string& etag = "",
                                       const std::string& actor = "alice");
  Result<engine::CommandReply> roll_out(const PlanDocument& plan,
                                        const std::string& request_id = "");

  // ---- releases of model "bearing"
  uint32_t security_version = 0;  // of what is opened next
  void push(const Version& version, const std::vector<std::string>& classes = {"m4"});
  Digest manifest(const Version& version) const;
  std::shared_ptr<const Artifact> open(const Version& version,
                                       const std::vector<std::string>& classes = {"m4"},
                                       uint8_t salt = 0, const ModelName& model = kSiteModel) const;

  // Whoever signs them.
  const PrivateKey& author() const { return author_; }

  // ---- devices
  Played& device(const std::string& id) { return devices_.at(id); }
  void enroll(const std::string& id, uint64_t nonce = 1, const std::string& device_class = "m4");
  void accept(const std::string& id);
  void hello(const std::string& id);
  void join(const std::string& id, const std::string& device_class = "m4");
  void join_many(const std::string& prefix, int count);
  void leave(const std::string& id);  // the last will
  void reboot(const std::string& id);
  void status(const std::string& id);
  // The device accepts its newest goal and then says `phase` about the candidate.
  void say(const std::string& id, const std::string& phase, const std::string& reason = "");
  // Accepts its goal and goes all the way to CONFIRMED, with the proof.
  void obey(const std::string& id);
  void obey_all();  // every device that is online and has something to do
  void run(const std::string& id, const Version& version);  // it does already, from the factory
  void fall_back(const std::string& id, const Version& version, const std::string& reason);
  void fetch(const std::string& id, const Digest& manifest, uint32_t first, uint32_t bitmap,
             uint32_t attempt);
  // One window of `n` inferences in the baseline's proportions, or all in one bin of feature rms.
  // The first `samples` inferences are sampled, predicted class 0.
  engine::ReportMessage window(const std::string& id, uint32_t n, int rms_bin = -1,
                               uint32_t samples = 0);
  std::vector<engine::Effect> report(const std::string& id, engine::ReportMessage message);
  std::vector<engine::Effect> send(const std::string& id, engine::DeviceMessage message);
  engine::HelloMessage hello_of(const std::string& id) const;
  engine::StatusMessage status_of(const std::string& id) const;
  // With a mac under the device's order key.
  engine::FromDevice sealed(const std::string& id, engine::DeviceMessage message) const;
  engine::ReportReceived sealed(const std::string& id, engine::ReportMessage message) const;

  // ---- looking
  const engine::State& state() const { return engine_->state(); }
  const engine::Engine& engine() const { return *engine_; }
  MemoryStore& store() { return store_; }
  std::shared_ptr<PlayedReports> reports() { return reports_; }
  Now now() const { return now_; }
  const Rollout& rollout(const std::string& name) const;
  std::string rollout_text(const std::string& name) const;  // "RUNNING canary=SOAKING ..."
  const Deployment& newest(const std::string& id) const;
  size_t attempts(const std::string& id) const;
  // The last goal that left for it; nullptr: none since the start.
  const engine::GoalMessage* goal(const std::string& id) const;
  uint64_t drops(engine::Drop reason) const;
  std::vector<EventRecord> events(const std::string& rollout);
  std::vector<AuditRecord> audit();
  // The statistics of windows are ready at once, or wait for give_verdicts().
  bool hold_verdicts = false;
  void give_verdicts();
  // Told of all that is committed, before what it lets leave.
  std::function<void(std::span<const Write>)> on_committed;
  // Told of all that leaves, in order.
  std::function<void(const engine::Effect&)> on_said;
  // The store's content and the engine's memory are the same.
  void check_reload();

 private:
  void load();
  // The device as the engine knows it, or as new; its payload with a mac.
  Device known(const std::string& id) const;
  Bytes seal(const Device& device, std::string_view kind, Bytes body) const;
  engine::EngineConfig config_;
  PrivateKey author_;
  MemoryStore store_;
  std::shared_ptr<PlayedReports> reports_ = std::make_shared<PlayedReports>();
  std::unique_ptr<engine::Engine> engine_;
  Now now_{1000s, 1'699'999'980'000ms};
  uint64_t broker_session_ = 0;
  uint64_t broker_sessions_ = 0;
  bool crash_next_ = false;
  std::map<std::string, Played> devices_;
  std::map<DeviceId, engine::GoalMessage> goals_;
  std::vector<engine::WindowVerdict> verdicts_;
};

// The first effect of a kind, or nullptr.
template <typename Kind>
const Kind* find(const std::vector<engine::Effect>& effects) {
  for (const engine::Effect& effect : effects) {
    if (const auto* found = std::get_if<Kind>(&effect)) return found;
  }
  return nullptr;
}

}  // namespace covey::test
