// SPDX-License-Identifier: Apache-2.0
// One seeded run: a site with the real engine, devices with the real agent, an operator with random
// plans, and faults. A safety phase (faults on, checkers at every step), then a liveness phase
// (faults stop, everything must converge). The same seed gives the same run.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/sim/device.hpp"
#include "tests/sim/gateway.hpp"
#include "tests/sim/labels.hpp"
#include "tests/sim/liar.hpp"

namespace covey::sim {

// What a device may send.
inline constexpr Millis kReportInterval{10'000};
inline constexpr uint64_t kReportsPerInterval = 8;
inline constexpr uint64_t kReportBytesPerInterval = 4'096;

struct WorldOptions {
  uint64_t seed = 1;
  double liars = 0.3;  // so many worlds have a device that lies
  // Deliberately broken gateways.
  bool speak_before_persist = false;
  bool no_budgets = false;
  bool verbose = false;
};

struct WorldResult {
  std::optional<std::string> violation;  // the first broken invariant
  uint64_t rollouts = 0;
  uint64_t rollouts_succeeded = 0;
  uint64_t rollouts_rolled_back = 0;
  uint64_t power_cuts = 0;
  uint64_t resets = 0;
  uint64_t gateway_crashes = 0;
  uint64_t inferences = 0;
  uint64_t labels = 0;
  uint64_t messages = 0;
  uint64_t chunks_sent = 0;
  uint64_t chunks_needed = 0;  // written by devices
  uint64_t chunks_again = 0;   // sent sooner than their device would ask again
  uint64_t refused = 0;        // by full queues of the gateway
  Millis service_max{0};
  bool liar = false;  // one lied
  Millis ended{0};    // when all had converged
};

class World {
 public:
  explicit World(WorldOptions options);
  WorldResult run();

 private:
  void push_releases();
  void push(const ReleaseId& release, Behaviour behaviour, const PrivateKey& key,
            uint32_t security_version, const std::string& device_class);
  void start_some_rollout();
  void operate();
  void disturb();
  void forge_goal();
  void calm();
  bool settled();
  // Waits in a rollout that an operator left paused or unapproved: not the engine's to move.
  bool parked(const DeviceId& device) const;

  void fail(const std::string& what);
  void check();
  void check_devices();
  void check_deployments();
  void check_rollouts();
  void check_counts();
  void check_reload();
  void check_derived(const Snapshot& stored);
  void check_history();
  void check_fleet_counts();
  void check_effect(const engine::Effect& effect);
  void check_end();
  void check_chunks();
  void check_labels();
  void check_liar();
  void check_rows_of_liar(const memory::Tables& tables);

  bool lies(const DeviceId& device) const { return liar_ && device == liar_->id(); }

  const WorldOptions options_;
  Random random_;
  Schedule schedule_;
  Network network_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<Labels> labels_;
  std::vector<std::unique_ptr<Device>> devices_;  // the honest ones
  std::unique_ptr<Liar> liar_;
  PrivateKey author_;
  PrivateKey thief_;  // the gateway trusts this key, devices don't: a stolen gateway
  std::set<Digest> evil_;
  std::vector<ReleaseId> releases_;
  uint32_t rollout_number_ = 0;
  std::map<uint64_t, DeploymentState> ended_;
  std::set<DeviceId> had_model_;
  std::map<std::tuple<DeviceId, engine::Prefix, uint32_t>, Millis> chunks_said_;
  std::map<DeviceId, uint64_t> goals_issued_;  // highest counter that the gateway ever sent
  // (device, epoch, counter): one goal has one content for ever
  std::map<std::tuple<DeviceId, uint32_t, uint64_t>, Bytes> goals_said_;
  uint32_t since_reload_ = 0;
  std::optional<uint32_t> epoch_;  // of the site, since several devices are enrolled
  WorldResult result_;
  bool calm_ = false;
  Millis service_max_{0};  // of this world, between its spells
  Millis chunk_max_{0};
};

}  // namespace covey::sim
