// SPDX-License-Identifier: Apache-2.0
// A soaking rollout costs nothing: no row, no revision, nothing for a watcher, while nothing
// happens; and its time is observed time, over a restart too.
#include <gtest/gtest.h>

#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

// Three devices on 1.0.0 that soak 1.1.0.
void soak(Site& site, const std::string& time) {
  site.push({1, 0, 0});
  site.push({1, 1, 0});
  site.join_many("d", 3);
  for (const char* id : {"d0", "d1", "d2"}) site.run(id, {1, 0, 0});
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages[0].soak = time;
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(1s);
  site.obey_all();
  site.pass(2s);
  ASSERT_EQ(site.rollout_text("r"), "RUNNING all=SOAKING");
}

std::string etag_of(Site& site) { return std::to_string(site.rollout("r").progress.revision); }

TEST(Soak, WritesNothingForAMinute) {
  Site site;
  soak(site, "1h");
  const uint64_t commits = site.store().commits();
  const uint64_t revision = site.engine().revision();
  site.pass(60s);
  EXPECT_EQ(site.rollout_text("r"), "RUNNING all=SOAKING");
  EXPECT_EQ(site.store().commits() - commits, 0U) << "rows were written while nothing happened";
  EXPECT_EQ(site.engine().revision() - revision, 0U);
}

TEST(Soak, AnEtagStillHoldsAMinuteLater) {
  Site site;
  soak(site, "1h");
  const std::string etag = etag_of(site);
  for (int i = 0; i < 6; ++i) {
    site.status("d0");
    site.report("d0", site.window("d0", 40));
    site.pass(10s);
  }
  const auto paused = site.command(engine::PauseRollout{RolloutName("r"), "look"}, etag);
  EXPECT_TRUE(paused.ok()) << paused.error().message;
}

Millis soaked_of(const Site& site) {
  return soaked(site.rollout("r").progress.stages[0], site.state().site.observed);
}

// What a crash forgets of observed time makes the soak longer, never shorter.
TEST(Soak, GoesOnAfterACrash) {
  Site site;
  soak(site, "20m");
  site.pass(14min, 1s);
  const Millis before = soaked_of(site);
  site.restart();
  const Millis after = soaked_of(site);
  EXPECT_LE(after, before);
  EXPECT_GE(after, before - 5min - 1s);
  site.pass(20min - after - 2s, 1s);
  EXPECT_EQ(site.rollout_text("r"), "RUNNING all=SOAKING");
  site.pass(5s, 1s);
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED all=PASSED");
}

TEST(Soak, IsNotWrittenMoreThanEveryFiveMinutes) {
  Site site;
  soak(site, "2h");
  const uint64_t commits = site.store().commits();
  const uint64_t revision = site.engine().revision();
  site.pass(30min, 1s);
  EXPECT_LE(site.store().commits() - commits, 6U);
  EXPECT_EQ(site.engine().revision() - revision, 0U);
  site.check_reload();
}

}  // namespace
}  // namespace covey::test
