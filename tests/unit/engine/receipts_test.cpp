// SPDX-License-Identifier: Apache-2.0
// What the gateway means and what it knows to have arrived: counted apart.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

class Receipts : public testing::Test {
 protected:
  Receipts() {
    site.push({1, 1, 0});
    site.join_many("d", 5);
    settle();
  }
  // Everybody has shown what stood.
  void settle() {
    for (int i = 0; i < 5; ++i) show("d" + std::to_string(i));
    before = site.state().counters;
  }
  void show(const std::string& id) {
    if (const auto* goal = site.goal(id)) site.device(id).goal_counter = goal->counter;
    site.status(id);
  }
  uint32_t received(bool rollback = false) {
    return engine::count_received(site.state(), RolloutName("r"), std::nullopt, rollback);
  }
  uint64_t timed() const {
    uint64_t count = 0;
    for (const uint64_t of_bin : site.state().counters.receipt_times.counts) count += of_bin;
    return count;
  }
  Site site;
  engine::Counters before;
};

TEST_F(Receipts, OffersAndWhatWasShownOfThemAreCountedApart) {
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(500ms);
  EXPECT_EQ(engine::count_deployments(site.state(), RolloutName("r"), 0)["OFFERED"], 5U);
  EXPECT_EQ(received(), 0U);
  EXPECT_EQ(site.state().counters.offers - before.offers, 5U);
  EXPECT_EQ(site.state().counters.offers_unreceived, 5U);
  EXPECT_EQ(site.state().counters.goals_made - before.goals_made, 5U);
  EXPECT_EQ(site.state().counters.goals_received, before.goals_received);
  show("d0");
  show("d3");
  show("d3");  // again: it is known already
  EXPECT_EQ(received(), 2U);
  EXPECT_EQ(site.state().counters.offers_unreceived, 3U);
  EXPECT_EQ(site.state().counters.goals_received - before.goals_received, 2U);
  site.obey("d0");  // is no offer any more
  EXPECT_EQ(received(), 1U);
  EXPECT_EQ(site.state().counters.offers_unreceived, 3U);
}

TEST_F(Receipts, WhatIsOutstandingIsKnownAfterARestart) {
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(500ms);
  show("d0");
  site.restart();
  EXPECT_EQ(received(), 1U);
  EXPECT_EQ(site.state().rollouts.unreceived.size(), 4U);
}

TEST_F(Receipts, AnOfferThatEndsIsOutstandingNoMore) {
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(500ms);
  ASSERT_TRUE(site.command(engine::AbortRollout{RolloutName("r"), true, ""}).ok());
  site.pass(500ms);
  EXPECT_EQ(received(), 0U);
  EXPECT_EQ(site.state().counters.offers_unreceived, 0U);
  EXPECT_TRUE(site.state().rollouts.unreceived_counts.empty());
}

TEST_F(Receipts, TheTimeToReceiptIsThatOfDevicesThatWereHere) {
  const uint64_t timed_before = timed();
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(100ms);
  site.pass(600ms);
  show("d0");
  EXPECT_EQ(timed() - timed_before, 1U);
  const auto& bounds = engine::ReceiptTimes::kBoundsMs;
  const auto bin = std::ranges::find(bounds, 750U) - bounds.begin();
  EXPECT_EQ(site.state().counters.receipt_times.counts[static_cast<size_t>(bin)], 1U);
  // It was away meanwhile, which says nothing about the way: what counts is the goal that it is
  // told when it is back.
  site.leave("d1");
  site.pass(1min);
  site.hello("d1");
  site.pass(200ms);
  show("d1");
  EXPECT_EQ(timed() - timed_before, 2U);
  EXPECT_LT(site.state().counters.receipt_times.sum_ms, 2'000U);
}

class Telling : public testing::Test {
 protected:
  Telling() {
    site.push({1, 1, 0});
    site.join_many("d", kDevices);
    site.pass(1s);
  }
  static constexpr int kDevices = 1'000;
  // Of those that were offered something, `most` show it.
  void show_some(size_t most) {
    const std::set<uint64_t> unreceived = site.state().rollouts.unreceived;
    for (const uint64_t number : unreceived) {
      if (most-- == 0) return;
      const std::string id = site.state().rollouts.deployments.at(number).device.str();
      site.device(id).goal_counter = site.goal(id)->counter;
      site.status(id);
    }
  }
  size_t offered() const { return site.state().counters.offers; }
  size_t awaited() const { return site.state().rollouts.unreceived.size(); }
  Site site;
};

TEST_F(Telling, AsManyAreOfferedAsAreShownSoon) {
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  size_t most = 0;
  for (int i = 0; i < 50; ++i) {
    site.pass(100ms);
    most = std::max(most, awaited());
    show_some(20);  // 200 a second
  }
  EXPECT_LE(most, 200U) << "about a second of what is shown";
  EXPECT_GE(offered(), 500U) << "and it does not stand still";
}

TEST_F(Telling, WhoNeverShowsItHoldsUpNobody) {
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(15s);
  EXPECT_EQ(offered(), 1'000U) << "100 a second at least";
}

TEST_F(Telling, WhereAllAnswerAtOnceTheCeilingIsTheOperators) {
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  for (int i = 0; i < 40 && offered() < 1'000; ++i) {
    site.pass(100ms);
    site.obey_all();
  }
  EXPECT_EQ(offered(), 1'000U);
}

}  // namespace
}  // namespace covey::test
