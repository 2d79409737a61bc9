// SPDX-License-Identifier: Apache-2.0
// How long a tick takes in processor time while a rollout deploys, soaks and goes back, by the size
// of the fleet. The engine and a store in memory, over virtual time; devices do what they are told
// between the ticks.
//   covey_bench_rollout_ticks [DEVICES]...   JSON on stdout
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "gateway/engine/rollouts/rollouts.hpp"
#include "tests/bench/played_fleet.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::bench {
namespace {

nlohmann::json figures_of(const Spent& spent) {
  return {{"ticks", spent.count()},
          {"mean_us", spent.mean()},
          {"p99_us", spent.quantile(0.99)},
          {"max_us", spent.max()}};
}

class Rollout {
 public:
  explicit Rollout(int devices) : devices_(devices), site_(site_config()) {
    site_.push({1, 0, 0});
    site_.push({1, 1, 0});
    site_.join_many("d", devices);
    for (int i = 0; i < devices; ++i) site_.run(id(i), {1, 0, 0});
    site_.pass(1s);
  }

  nlohmann::json measure() {
    PlanDocument plan = test::simple_plan("r", "1.1.0");
    plan.stages[0].soak = "1m";
    GateDocument silence;
    silence.silence = GateDocument::Silence{"50%"};
    plan.gates = {test::failures_gate("30%"), silence};
    nlohmann::json figures;
    const double before = processor_us();
    if (!site_.roll_out(plan).ok()) std::abort();
    figures["create_us"] = processor_us() - before;
    figures["deploying"] = figures_of(tick_while("DEPLOYING"));
    figures["soaking"] = figures_of(tick_while("SOAKING"));
    const double ended = processor_us();
    if (!site_.command(engine::RollBackRollout{RolloutName("r"), "back"}).ok()) std::abort();
    figures["roll_back_us"] = processor_us() - ended;
    figures["rolling_back"] = figures_of(tick_while("ROLLING_BACK"));
    Spent idle;
    for (int i = 0; i < 600; ++i) tick(idle);
    figures["idle"] = figures_of(idle);
    return figures;
  }

 private:
  static engine::EngineConfig site_config() {
    engine::EngineConfig config = test::quick_config();
    config.gate_interval = 1s;
    config.report_interval = 1h;
    config.offline_after = 10h;
    return config;
  }
  static std::string id(int number) { return "d" + std::to_string(number); }

  void tick(Spent& spent) {
    const double before = processor_us();
    site_.pass(100ms);
    spent.add(processor_us() - before);
  }
  Spent tick_while(const std::string& state) {
    Spent spent;
    for (int n = 0; n < 100'000 && site_.rollout_text("r").find(state) != std::string::npos; ++n) {
      tick(spent);
      for (int i = 0; i < devices_ && state != "SOAKING"; ++i) {
        const Deployment* open =
            engine::deployment_in_progress(site_.state(), DeviceId(id(i)), ModelName("bearing"));
        if (open != nullptr && in_flight(open->state)) site_.obey(id(i));
      }
    }
    return spent;
  }

  int devices_;
  test::Site site_;
};

}  // namespace
}  // namespace covey::bench

int main(int argc, char** argv) {
  nlohmann::json list;
  for (int i = 1; i < argc; ++i) {
    list[argv[i]] = covey::bench::Rollout(std::atoi(argv[i])).measure();
  }
  std::printf("%s\n", list.dump(2).c_str());
  return 0;
}
