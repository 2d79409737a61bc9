// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/power_life.hpp"

#include <algorithm>
#include <random>
#include <sstream>

namespace covey::agent_test {
namespace {

struct World {
  explicit World(uint32_t chunk_bytes)
      : first(make_release({.model_bytes = 2500, .chunk_bytes = chunk_bytes})),
        second(make_release(
            {.version = "1.1.0", .seed = 2, .model_bytes = 2500, .chunk_bytes = chunk_bytes})),
        bad(make_release({.version = "1.2.0",
                          .seed = 3,
                          .behaviour = FakeBehaviour::kWrongOutput,
                          .model_bytes = 2500,
                          .chunk_bytes = chunk_bytes})) {}

  Release first;
  Release second;
  Release bad;
};

constexpr uint32_t kChunkBytes[] = {512, 128, 192};

const World& world(uint32_t chunk_bytes) {
  static const World made[] = {World(kChunkBytes[0]), World(kChunkBytes[1]), World(kChunkBytes[2])};
  const auto* found = std::ranges::find(kChunkBytes, chunk_bytes);
  return made[found - std::begin(kChunkBytes)];
}

// One step of a life: an order, and the phase and active model that it leads to.
struct Step {
  const Release* candidate;  // nullptr: cancel
  covey_phase_t phase;
  const Release* active;
  wire::GoalMode mode = wire::GOAL_MODE_ACTIVE;
};

std::vector<Step> steps_in(const World& world) {
  return {
      {&world.first, COVEY_PHASE_CONFIRMED, &world.first},
      {&world.second, COVEY_PHASE_SHADOWING, &world.first, wire::GOAL_MODE_SHADOW},
      {&world.second, COVEY_PHASE_CONFIRMED, &world.second},
      {&world.bad, COVEY_PHASE_REVERTED, &world.second},
      {&world.first, COVEY_PHASE_CONFIRMED, &world.first},
      {nullptr, COVEY_PHASE_IDLE, &world.first},
      {&world.second, COVEY_PHASE_CONFIRMED, &world.second},
      {&world.first, COVEY_PHASE_CONFIRMED, &world.first},  // by then the journal has wrapped
  };
}

DeviceOptions options_for(const covey_host_geometry_t& geometry) {
  DeviceOptions options;
  options.geometry = geometry;
  options.journal_bytes = 2 * std::max<uint32_t>(512, geometry.erase_unit_bytes);
  options.slot_bytes = 10U << 10U;
  options.receive_bytes = 1024;
  options.shadow = true;
  options.times.probation_inferences = 3;
  options.times.report_interval_ms = 1'000'000;
  return options;
}

class Life {
 public:
  explicit Life(const Accidents& accidents)
      : accidents_(accidents),
        world_(world(accidents.chunk_bytes)),
        bench_(options_for(accidents.geometry)) {
    bench_.bring_up();
    for (const Release* release : {&world_.first, &world_.second, &world_.bad}) {
      bench_.gateway.add(*release);
    }
    base_ = flash().operations;
    flash().tear = accidents.tear;
    flash().seed = accidents.seed;
    flash().cut_at = accidents.cut_at == 0 ? 0 : base_ + accidents.cut_at;
    flash().fail_at = accidents.fail_at == 0 ? 0 : base_ + accidents.fail_at;
  }

  LifeStory run() {
    for (const Step& step : steps_in(world_)) {
      ++attempt_;
      order(step);
      reach(step);
      if (!story_.problem.empty()) return story_;
      must_run_ = step.active->digest;
    }
    expect(flash().written_twice == 0,
           "word programmed twice at " + std::to_string(flash().written_twice_at));
    expect(flash().misaligned == 0, "access that no part would accept");
    expect(bench_.device.counters().bugs == 0, "the agent counted a bug");
    story_.operations = flash().operations - base_;
    return story_;
  }

 private:
  covey_host_flash_t& flash() { return bench_.device.flash; }
  const covey_model_record_t& record() const { return bench_.device.agent.models[0].record; }

  void expect(bool good, const std::string& what) {
    if (!good && story_.problem.empty()) {
      story_.problem = what + " (order " + std::to_string(attempt_) + ", phase " +
                       std::to_string(bench_.device.status().phase) + ", reason " +
                       std::to_string(bench_.device.status().reason) + ")";
    }
  }

  void reach(const Step& step) {
    int patience = 400;
    while (bench_.device.status().phase != step.phase ||
           bench_.device.active() != step.active->digest) {
      expect(--patience > 0, "stuck");
      if (!story_.problem.empty()) return;
      if (bench_.run(100, 50)) {
        check(step);
        again_after_failure(step);
        continue;
      }
      const uint8_t phase = record().phase;
      starts_ += phase == COVEY_PHASE_PROBATION || phase == COVEY_PHASE_SHADOWING ? 1 : 0;
      expect(starts_ <= COVEY_PROBATION_STARTS_MAX, "too many probation starts");
      while (!restart()) {
      }
      check(step);
    }
  }

  // An operation that failed may end the attempt, and so may power that fails again and again
  // during the self-test: that is told, and the gateway orders again.
  void again_after_failure(const Step& step) {
    const covey_phase_t phase = bench_.device.status().phase;
    const bool ended = phase == COVEY_PHASE_FAILED || phase == COVEY_PHASE_DECLINED ||
                       (phase == COVEY_PHASE_REVERTED && step.phase != phase);
    const bool looped = bench_.device.status().reason == COVEY_ERROR_BOOT_LOOP;
    if (!ended || (accidents_.fail_at == 0 && !looped) || orders_left_ == 0) return;
    if (step.candidate == nullptr) return;
    --orders_left_;
    attempt_ += 100;
    order(step);
  }

  void order(const Step& step) {
    starts_ = 0;
    bench_.gateway.want(
        {.candidate = step.candidate, .mode = step.mode, .attempt = attempt_, .shadow_one_in = 2},
        1'000'000);
  }

  bool restart() {
    ++story_.cuts;
    covey_host_flash_power_on(&flash());
    if (next_cut_ < accidents_.further.size()) {
      flash().cut_at = flash().operations + accidents_.further[next_cut_++];
    }
    if (!bench_.device.boot()) return false;
    bench_.device.connect();
    return true;
  }

  // What runs, or is being tried, is the model of before or the one that was ordered; and it is
  // never one that was rejected.
  void check(const Step& step) {
    const std::string active = bench_.device.active();
    const covey_model_status_t status = bench_.device.status();
    if (!must_run_.empty() && active != must_run_) {
      const bool trying = status.phase == COVEY_PHASE_PROBATION && active.empty();
      expect(trying || (step.candidate != nullptr && active == step.candidate->digest),
             "runs " + hex(active).substr(0, 8));
    }
    expect(active != world_.bad.digest, "the rejected model acts");
    expect(bench_.device.confirmed() != world_.bad.digest, "the rejected model is confirmed");
    expect(record().starts <= COVEY_PROBATION_STARTS_MAX, "too many starts in the record");
    if (active.empty()) return;
    int8_t input[kInputBytes] = {1};
    int8_t output[kOutputBytes];
    expect(covey_agent_invoke(&bench_.device.agent, 0, input, sizeof input, output,
                              sizeof output) == 0,
           "the active model does not run");
  }

  const Accidents accidents_;
  const World& world_;
  Bench bench_;
  LifeStory story_;
  uint64_t base_ = 0;
  uint32_t attempt_ = 0;
  int starts_ = 0;  // of the candidate, under this order
  size_t next_cut_ = 0;
  int orders_left_ = 3;  // beyond the first of each step
  std::string must_run_;
};

}  // namespace

std::string describe(const Accidents& accidents) {
  std::ostringstream out;
  out << "chunks of " << accidents.chunk_bytes << ", erase unit "
      << accidents.geometry.erase_unit_bytes << ", alignment "
      << accidents.geometry.write_align_bytes << ", erased value "
      << int{accidents.geometry.erased_value} << ", tear " << accidents.tear << ", seed "
      << accidents.seed << ", cut at " << accidents.cut_at;
  for (const uint64_t cut : accidents.further) out << " then " << cut;
  if (accidents.fail_at != 0) out << ", failure at " << accidents.fail_at;
  return out.str();
}

LifeStory live(const Accidents& accidents) { return Life(accidents).run(); }

Accidents random_accidents(uint32_t seed, uint64_t operations) {
  static constexpr uint32_t kUnits[] = {512, 1024, 2048, 4096};
  static constexpr uint32_t kAligns[] = {4, 8, 16, 32, 64};
  std::mt19937 random(seed);
  Accidents accidents;
  accidents.geometry = {40U << 10U, kUnits[random() % 4], kAligns[random() % 5],
                        static_cast<uint8_t>(random() % 4 == 0 ? 0x00 : 0xff)};
  accidents.tear = static_cast<covey_host_tear_t>(random() % (COVEY_HOST_TEAR_ECC + 1));
  accidents.seed = static_cast<uint32_t>(random());
  accidents.cut_at = 1 + random() % operations;
  // Most cuts come again soon: while the device repairs what the last one left.
  const uint32_t more = static_cast<uint32_t>(random() % 5);
  for (uint32_t k = 0; k < more; ++k) {
    const uint64_t near = random() % 2 == 0 ? 12 : 80;
    accidents.further.push_back(1 + random() % near);
  }
  if (random() % 4 == 0) accidents.fail_at = 1 + random() % operations;
  accidents.chunk_bytes = kChunkBytes[random() % std::size(kChunkBytes)];
  return accidents;
}

}  // namespace covey::agent_test
