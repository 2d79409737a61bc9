// SPDX-License-Identifier: Apache-2.0
// Which goals are accepted: MAC, device, epoch, counter, nonce.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

class Goals : public ::testing::Test {
 protected:
  void SetUp() override {
    bench.bring_up();
    bench.gateway.add(release);
    bench.gateway.want({.candidate = &release, .mode = wire::GOAL_MODE_STAGED});
    bench.run(200);
    ASSERT_EQ(counters().goals_accepted, 1U);
  }
  int deliver(const wire::Goal& goal) {
    return bench.device.deliver(bench.gateway.sealed("goal", goal.SerializeAsString()));
  }
  wire::Goal next() const { return bench.gateway.goal(bench.gateway.counter + 1); }
  const covey_counters_t& counters() const { return bench.device.counters(); }

  const Release release = make_release({});
  Bench bench;
};

TEST_F(Goals, BadMacIsCounted) {
  Message message = bench.gateway.sealed("goal", next().SerializeAsString());
  for (const size_t at : {size_t{0}, message.payload.size() / 2, message.payload.size() - 1}) {
    Message bad = message;
    bad.payload[at] = static_cast<char>(bad.payload[at] ^ 4);
    EXPECT_EQ(bench.device.deliver(bad), COVEY_ERROR_MAC_INVALID);
  }
  // Another kind's MAC, another device's, none.
  Message ack = bench.gateway.sealed("ack", next().SerializeAsString());
  ack.topic = message.topic;
  EXPECT_EQ(bench.device.deliver(ack), COVEY_ERROR_MAC_INVALID);
  EXPECT_EQ(bench.device.deliver({message.topic, next().SerializeAsString()}),
            COVEY_ERROR_MAC_INVALID);
  EXPECT_EQ(bench.device.deliver({message.topic, "x"}), COVEY_ERROR_MAC_INVALID);
  EXPECT_EQ(counters().mac_invalid, 6U);
  EXPECT_EQ(bench.device.deliver(message), COVEY_OK);
  EXPECT_EQ(counters().goals_accepted, 2U);
}

TEST_F(Goals, StaleIsSilent) {
  EXPECT_EQ(deliver(bench.gateway.goal(bench.gateway.counter)), COVEY_OK);
  EXPECT_EQ(deliver(bench.gateway.goal(bench.gateway.counter - 1)), COVEY_ERROR_GOAL_STALE);
  EXPECT_EQ(counters().goals_accepted, 1U);
  EXPECT_EQ(counters().goals_stale, 1U);
}

TEST_F(Goals, EpochOrdersBeforeCounter) {
  wire::Goal goal = next();
  goal.set_site_epoch(0);
  goal.set_counter(1'000'000);
  EXPECT_EQ(deliver(goal), COVEY_ERROR_SITE_EPOCH_LOWER);
  goal = bench.gateway.goal(1);
  goal.set_site_epoch(2);
  EXPECT_EQ(deliver(goal), COVEY_OK);
  EXPECT_EQ(covey_agent_site_epoch(&bench.device.agent), 2U);
  EXPECT_EQ(covey_agent_goal_counter(&bench.device.agent), 1U);
  EXPECT_EQ(deliver(next()), COVEY_ERROR_SITE_EPOCH_LOWER);
  ASSERT_TRUE(bench.device.boot());
  EXPECT_EQ(covey_agent_site_epoch(&bench.device.agent), 2U);
}

TEST_F(Goals, NonceIsThisBoots) {
  wire::Goal goal = next();
  goal.set_nonce(goal.nonce() + 1);
  EXPECT_EQ(deliver(goal), COVEY_ERROR_NONCE_MISMATCH);
  const wire::Goal of_last_boot = next();
  ASSERT_TRUE(bench.reboot());
  EXPECT_EQ(deliver(of_last_boot), COVEY_ERROR_NONCE_MISMATCH);
  EXPECT_EQ(counters().nonce_mismatch, 1U);
  // The accepted one goes on without a nonce.
  EXPECT_TRUE(bench.run_until(COVEY_PHASE_STAGED));
}

TEST_F(Goals, ForAnotherDeviceOrMalformed) {
  wire::Goal goal = next();
  goal.set_device_id("press-08");
  EXPECT_EQ(deliver(goal), COVEY_ERROR_MESSAGE_MALFORMED);
  goal = next();
  *goal.add_models() = goal.models(0);
  EXPECT_EQ(deliver(goal), COVEY_ERROR_MESSAGE_MALFORMED);
  goal = next();
  goal.mutable_models(0)->set_candidate("short");
  EXPECT_EQ(deliver(goal), COVEY_ERROR_MESSAGE_MALFORMED);
  EXPECT_EQ(bench.device.deliver(bench.gateway.sealed("goal", "\x0a\xff")),
            COVEY_ERROR_MESSAGE_MALFORMED);
  const Message long_one = bench.gateway.sealed("goal", Bytes(300, ' '));
  EXPECT_EQ(bench.device.deliver(long_one), COVEY_ERROR_MESSAGE_TOO_LARGE);
  EXPECT_EQ(counters().too_large, 1U);
  EXPECT_EQ(counters().goals_accepted, 1U);
}

TEST_F(Goals, NumbersTooLargeForTheDeviceAreItsLargest) {
  wire::Goal goal = next();
  wire::ModelGoal& model = *goal.mutable_models(0);
  model.set_mode(static_cast<wire::GoalMode>(256 + wire::GOAL_MODE_ACTIVE));
  model.set_shadow_one_in(65536);
  model.set_attempt(2);
  EXPECT_EQ(deliver(goal), COVEY_OK);
  const covey_model_goal_t& taken = bench.device.agent.models[0].goal;
  EXPECT_EQ(taken.mode, UINT8_MAX);  // not ACTIVE
  EXPECT_EQ(taken.shadow_one_in, UINT16_MAX);
  EXPECT_FALSE(taken.may_confirm);
  // A candidate without a mode is a candidate.
  goal = bench.gateway.goal(bench.gateway.counter + 2);
  goal.mutable_models(0)->clear_mode();
  EXPECT_EQ(deliver(goal), COVEY_OK);
  EXPECT_EQ(taken.mode, UINT8_MAX);
}

TEST_F(Goals, ThatCannotBeJournaledChangesNothing) {
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_STAGED));
  const covey_agent_t& agent = bench.device.agent;
  const covey_model_t before = agent.models[0];
  wire::Goal goal = next();
  goal.set_site_epoch(2);
  goal.mutable_models(0)->clear_candidate();
  goal.mutable_models(0)->set_security_floor(7);
  const covey_flash_t good = bench.device.port.flash;
  bench.device.port.flash.write = [](void*, uint32_t, const void*, size_t) { return -5; };
  EXPECT_EQ(deliver(goal), COVEY_ERROR_FLASH_WRITE);
  bench.device.port.flash = good;
  EXPECT_EQ(agent.site_epoch, 1U);
  EXPECT_EQ(agent.goal_counter, bench.gateway.counter);
  EXPECT_EQ(std::memcmp(&agent.models[0], &before, sizeof before), 0);
  EXPECT_EQ(counters().goals_accepted, 1U);
  EXPECT_EQ(deliver(goal), COVEY_OK);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_IDLE);
  EXPECT_EQ(bench.device.status().security_floor, 7U);
}

TEST_F(Goals, ModelsOfOthersAndUnknownFieldsDoNoHarm) {
  wire::Goal goal = next();
  goal.mutable_models(0)->set_model_id(42);
  Bytes payload = goal.SerializeAsString() + "\xf8\x07\x01";  // field 127
  EXPECT_EQ(bench.device.deliver(bench.gateway.sealed("goal", payload)), COVEY_OK);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_IDLE);  // no candidate for this model
}

TEST_F(Goals, TopicsAreExact) {
  const Message message = bench.gateway.sealed("goal", next().SerializeAsString());
  for (const char* topic :
       {"covey/v1/2b/press-07/down/goal", "covey/v1/2a/press-08/down/goal",
        "covey/v1/2a/press-07/down/goals", "covey/v1/2a/press-07/down/goal/",
        "covey/v2/2a/press-07/down/goal", "covey/v1/2a/press-07/up/goal", "", "covey/v1/m/00"}) {
    EXPECT_EQ(bench.device.deliver({topic, message.payload}), COVEY_OK);
  }
  EXPECT_EQ(counters().goals_accepted, 1U);
}

TEST_F(Goals, HelloIsRepeatedUntilAnsweredAndAfterAGatewayStart) {
  bench.run(5000);
  const uint64_t before = bench.gateway.hellos;
  bench.run(600'000);
  EXPECT_EQ(bench.gateway.hellos, before);
  bench.gateway.start_id = 78;
  bench.gateway.answer_hello = false;
  bench.gateway.ack_statuses = false;
  bench.device.deliver(bench.gateway.site());
  bench.run(60'000);
  EXPECT_GE(bench.gateway.hellos, before + 3);
  EXPECT_LE(bench.gateway.hellos, before + 12);
  bench.gateway.answer_hello = true;
  bench.gateway.ack_statuses = true;
  bench.run(120'000);
  const uint64_t answered = bench.gateway.hellos;
  bench.run(600'000);
  EXPECT_EQ(bench.gateway.hellos, answered);
}

// A gateway that starts tells all goals again, also to those whose hello it has not heard yet.
TEST_F(Goals, WhatIsToldAgainBeforeAHelloIsNoAnswerToIt) {
  bench.gateway.want({.candidate = &release, .mode = wire::GOAL_MODE_STAGED, .attempt = 1});
  bench.run(60'000);
  const uint64_t before = bench.gateway.hellos;
  bench.gateway.start_id = 78;
  bench.device.deliver(bench.gateway.site());
  EXPECT_EQ(deliver(bench.gateway.goal(bench.gateway.counter)), COVEY_OK);
  bench.run(10'000);
  EXPECT_EQ(bench.gateway.hellos, before + 1);
}

TEST_F(Goals, StatusIsRepeatedUntilAcknowledged) {
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_STAGED));
  bench.run(10'000);
  bench.gateway.ack_statuses = false;
  bench.gateway.want({.candidate = &release, .mode = wire::GOAL_MODE_STAGED, .attempt = 2});
  bench.run(10'000);
  const uint32_t number = bench.gateway.status->number();
  bench.gateway.status.reset();
  bench.run(60'000);
  ASSERT_TRUE(bench.gateway.status.has_value());
  EXPECT_EQ(bench.gateway.status->number(), number);
  bench.gateway.ack_statuses = true;
  bench.run(300'000);
  EXPECT_EQ(bench.device.agent.status_acked, bench.device.agent.status_number);
}

TEST_F(Goals, ADeviceThatHasNothingToReportSaysSo) {
  bench.run(300'000);
  const uint32_t number = bench.gateway.status->number();
  bench.run(600'000);  // every second report interval
  EXPECT_NEAR(bench.gateway.status->number() - number, 5, 1);
}

}  // namespace
}  // namespace covey::agent_test
