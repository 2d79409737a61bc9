// Power cuts at every flash operation of a whole life, with torn words and torn erases: download,
// activation, confirm, revert, fall-back, journal wraps. After each cut the device starts again,
// and is cut once more a little later. Whatever happens (DEVICE.md): a runnable model always, never
// more than three probation starts, no word twice, a rejected model never chosen; and at the end
// the device gets where it was sent.
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

struct World {
  Release first = make_release({.model_bytes = 2500});
  Release second = make_release({.version = "1.1.0", .seed = 2, .model_bytes = 2500});
  Release bad = make_release({.version = "1.2.0",
                              .seed = 3,
                              .behaviour = FakeBehaviour::kWrongOutput,
                              .model_bytes = 2500});
};

const World& world() {
  static const World made;
  return made;
}

// One step of a life: an order, and the phase and active model that it leads to.
struct Step {
  const Release* candidate;  // nullptr: cancel
  covey_phase_t phase;
  const Release* active;
};

const std::vector<Step>& life() {
  static const std::vector<Step> steps = {
      {&world().first, COVEY_PHASE_CONFIRMED, &world().first},
      {&world().second, COVEY_PHASE_CONFIRMED, &world().second},
      {&world().bad, COVEY_PHASE_REVERTED, &world().second},
      {&world().first, COVEY_PHASE_CONFIRMED, &world().first},
      {nullptr, COVEY_PHASE_IDLE, &world().first},
      {&world().second, COVEY_PHASE_CONFIRMED, &world().second},
      {&world().first, COVEY_PHASE_CONFIRMED, &world().first},  // by then the journal has wrapped
  };
  return steps;
}

DeviceOptions options_for(const covey_host_geometry_t& geometry) {
  DeviceOptions options;
  options.geometry = geometry;
  options.journal_bytes = 2 * std::max<uint32_t>(512, geometry.erase_unit_bytes);
  options.slot_bytes = 10U << 10U;
  options.receive_bytes = 1024;
  options.times.probation_inferences = 3;
  options.times.report_interval_ms = 1'000'000;
  return options;
}

class Life {
 public:
  explicit Life(const covey_host_geometry_t& geometry) : bench_(options_for(geometry)) {
    bench_.bring_up();
    for (const Release* release : {&world().first, &world().second, &world().bad}) {
      bench_.gateway.add(*release);
    }
    base_ = bench_.device.flash.operations;
  }

  // Lives through everything; `first` and `second` are the operations that are cut (0: none),
  // the second counted from the start after the first.
  void run(uint64_t first, uint64_t second, covey_host_tear_t tear, uint32_t seed) {
    covey_host_flash_t& flash = bench_.device.flash;
    flash.tear = tear;
    flash.seed = seed;
    flash.cut_at = first == 0 ? 0 : base_ + first;
    cuts_ = {second};
    uint32_t attempt = 0;
    for (const Step& step : life()) {
      ++attempt;
      Gateway::Want want{.candidate = step.candidate, .attempt = attempt};
      if (step.candidate == nullptr) want.candidate = nullptr;
      bench_.gateway.want(want, 1'000'000);
      reach(step);
      if (::testing::Test::HasFailure()) return;
      must_run_ = step.active->digest;
    }
    EXPECT_EQ(flash.written_twice, 0U) << "at " << flash.written_twice_at;
    EXPECT_EQ(flash.misaligned, 0U);
    EXPECT_EQ(bench_.device.counters().bugs, 0U);
  }

  uint64_t operations() const { return bench_.device.flash.operations - base_; }
  int cuts() const { return cuts_done_; }
  uint64_t erases() const { return bench_.device.flash.erases; }

 private:
  void reach(const Step& step) {
    int patience = 400;
    int starts = 0;
    while (bench_.device.status().phase != step.phase ||
           bench_.device.active() != step.active->digest) {
      ASSERT_GT(--patience, 0) << "stuck in phase " << bench_.device.status().phase << ", reason "
                               << bench_.device.status().reason;
      if (bench_.run(100, 50)) {
        check(step);
        continue;
      }
      starts += bench_.device.agent.models[0].record.phase == COVEY_PHASE_PROBATION ? 1 : 0;
      EXPECT_LE(starts, COVEY_PROBATION_STARTS_MAX);
      while (!restart()) {
      }
      check(step);
    }
  }

  bool restart() {
    ++cuts_done_;
    covey_host_flash_t& flash = bench_.device.flash;
    covey_host_flash_power_on(&flash);
    if (!cuts_.empty() && cuts_.front() != 0) flash.cut_at = flash.operations + cuts_.front();
    cuts_.clear();
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
      EXPECT_TRUE(trying || (step.candidate != nullptr && active == step.candidate->digest))
          << "phase " << status.phase << " runs " << hex(active).substr(0, 8);
    }
    EXPECT_NE(active, world().bad.digest);
    EXPECT_NE(bench_.device.confirmed(), world().bad.digest);
    EXPECT_LE(bench_.device.agent.models[0].record.starts, COVEY_PROBATION_STARTS_MAX);
    if (!active.empty()) {
      int8_t input[kInputBytes] = {1};
      int8_t output[kOutputBytes];
      EXPECT_EQ(
          covey_agent_invoke(&bench_.device.agent, 0, input, sizeof input, output, sizeof output),
          0);
    }
  }

  Bench bench_;
  uint64_t base_ = 0;
  std::vector<uint64_t> cuts_;
  int cuts_done_ = 0;
  std::string must_run_;
};

class PowerCuts : public ::testing::TestWithParam<covey_host_geometry_t> {};

TEST_P(PowerCuts, AtEveryOperationOfALife) {
  Life whole(GetParam());
  whole.run(0, 0, COVEY_HOST_TEAR_ALL, 1);
  ASSERT_FALSE(HasFailure());
  const uint64_t operations = whole.operations();
  int cuts = 0;
  uint32_t seed = 1;
  for (uint64_t cut = 1; cut <= operations; ++cut) {
    for (const covey_host_tear_t tear :
         {COVEY_HOST_TEAR_NOTHING, COVEY_HOST_TEAR_ALL, COVEY_HOST_TEAR_PREFIX,
          COVEY_HOST_TEAR_BITS, COVEY_HOST_TEAR_ERASED}) {
      ++seed;
      SCOPED_TRACE(::testing::Message()
                   << "cut at " << cut << " tear " << tear << " seed " << seed);
      Life one(GetParam());
      one.run(cut, seed % 3 == 0 ? 0 : 1 + seed % 23, tear, seed);
      cuts += one.cuts();
      if (HasFailure()) return;
    }
  }
  RecordProperty("operations", static_cast<int>(operations));
  RecordProperty("cuts", cuts);
  std::printf("%llu flash operations, %d cuts\n", static_cast<unsigned long long>(operations),
              cuts);
  EXPECT_GE(cuts, static_cast<int>(operations) / 2);
}

INSTANTIATE_TEST_SUITE_P(Geometries, PowerCuts,
                         ::testing::Values(covey_host_geometry_t{32U << 10U, 512, 8, 0xff},
                                           covey_host_geometry_t{40U << 10U, 4096, 64, 0xff},
                                           covey_host_geometry_t{32U << 10U, 1024, 32, 0x00}));

TEST(PowerFaults, FailingOperationsNeverLeaveTheDeviceWithoutAModel) {
  for (uint64_t fail = 1; fail <= 120; ++fail) {
    SCOPED_TRACE(fail);
    Bench bench(options_for({32U << 10U, 512, 8, 0xff}));
    bench.bring_up();
    ASSERT_TRUE(bench.deploy(world().first));
    bench.device.flash.fail_at = bench.device.flash.operations + fail;
    bench.gateway.add(world().second);
    bench.gateway.want({.candidate = &world().second, .attempt = 2}, 10'000);
    bench.run(400'000, 50);
    EXPECT_NE(bench.device.active(), "");
    EXPECT_EQ(bench.device.flash.written_twice, 0U);
    ASSERT_TRUE(bench.reboot());
    bench.run(10'000, 50);
    EXPECT_NE(bench.device.active(), "");
  }
}

TEST(PowerFaults, UnreadableJournalHalfCostsStateNotTheDevice) {
  Bench bench(options_for({32U << 10U, 512, 8, 0xff}));
  bench.bring_up();
  ASSERT_TRUE(bench.deploy(world().first));
  // An ECC error in the last record: the one before it holds.
  const uint32_t next = bench.device.agent.journal.next;
  const uint32_t half = bench.device.agent.journal.half;
  bench.device.flash.unreadable_from = half * 512 + (next - 1) * 64;
  bench.device.flash.unreadable_to = bench.device.flash.unreadable_from + 1;
  ASSERT_TRUE(bench.reboot());
  EXPECT_EQ(bench.device.counters().bugs, 0U);
  EXPECT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED));
  EXPECT_EQ(bench.device.active(), world().first.digest);
  EXPECT_EQ(bench.device.flash.written_twice, 0U);
}

TEST(PowerFaults, GarbageInFlashIsNoModel) {
  Bench bench(options_for({32U << 10U, 512, 8, 0xff}));
  for (uint32_t i = 0; i < 32U << 10U; ++i) {
    bench.device.flash.bytes[i] = static_cast<uint8_t>(i * 2654435761U >> 24U);
  }
  bench.bring_up();
  EXPECT_EQ(bench.device.active(), "");
  EXPECT_TRUE(bench.deploy(world().first));
}

}  // namespace
}  // namespace covey::agent_test
