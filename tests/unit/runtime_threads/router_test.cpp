// SPDX-License-Identifier: Apache-2.0
// Effects between their commit and whoever they are for.
#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "gateway/runtime/router.hpp"

namespace covey::test {
namespace {

using engine::Effect;
using runtime::Destination;

Effect credential(const std::string& device) {
  return engine::SetCredential{DeviceId(device), "password"};
}
Effect grant(const std::string& device) { return engine::PublishGrant{DeviceId(device), {}}; }
Effect line(const std::string& event) { return engine::LogLine{.event = event}; }

// What a sink was given.
struct Name {
  std::string operator()(const engine::SetCredential& e) const {
    return "broker:" + e.device.str();
  }
  std::string operator()(const engine::PublishGrant& e) const {
    return "devices:" + e.device.str();
  }
  std::string operator()(const engine::LogLine& e) const { return "log:" + e.event; }
  std::string operator()(const auto&) const { return "another"; }
};

class Route : public testing::Test {
 protected:
  void note(std::span<const Effect> effects) {
    for (const Effect& effect : effects) taken_.push_back(std::visit(Name{}, effect));
  }
  runtime::Router make(size_t outbox_max) {
    const auto sink = [this](auto effects) { note(effects); };
    return {{.broker = sink,
             .devices =
                 [this](auto effects) {
                   note(effects);
                   if (!std::exchange(holds_, false)) return;
                   inside_.set_value();
                   go_on_.get_future().get();
                 },
             .log = sink},
            outbox_max,
            [this](const engine::WindowVerdict& verdict) { judged_.set_value(verdict.number); }};
  }

  std::vector<std::string> taken_;  // outbox thread, until the router has stopped
  std::promise<uint64_t> judged_;
  bool holds_ = false;  // the first batch for devices stays in its sink
  std::promise<void> inside_;
  std::promise<void> go_on_;
};

TEST_F(Route, GivesEachSinkItsOwnTheBrokerFirst) {
  runtime::Router router = make(100);
  router.route({grant("a"), line("one"), credential("a"), grant("b"), credential("b")});
  router.stop(10s, {});
  EXPECT_EQ(taken_, (std::vector<std::string>{"broker:a", "broker:b", "devices:a", "devices:b",
                                              "log:one"}));
}

TEST_F(Route, AnswersWhoWaitsAtOnceAndTheRestAtTheEnd) {
  runtime::Router router = make(100);
  std::vector<std::string> answers;
  const auto done = [&](const Result<engine::CommandReply>& reply) {
    answers.push_back(reply ? reply->subject : reply.error().reason);
  };
  const uint64_t first = router.expect(done);
  (void)router.expect(done);
  router.route({engine::Reply{first, engine::CommandReply{.subject = "first"}}});
  EXPECT_EQ(answers, (std::vector<std::string>{"first"}));
  router.route({engine::Reply{first, engine::CommandReply{.subject = "again"}}});
  router.stop(10s, {Code::kUnavailable, "SHUTTING_DOWN", ""});
  EXPECT_EQ(answers, (std::vector<std::string>{"first", "SHUTTING_DOWN"}));
}

TEST_F(Route, AWindowIsJudgedAndComesBack) {
  runtime::Router router = make(100);
  engine::WindowSnapshot window;
  window.number = 7;
  router.route({engine::JudgeWindow{std::make_shared<engine::WindowSnapshot>(window)}});
  EXPECT_EQ(judged_.get_future().get(), 7U);
}

// A password that is withdrawn would stand for ever, all else is said again.
TEST_F(Route, AFullOutboxDropsAndCountsButNoPassword) {
  holds_ = true;
  runtime::Router router = make(2);
  router.route({grant("held")});
  inside_.get_future().get();
  router.route({grant("a"), grant("b"), grant("c"), credential("a"), line("one")});
  EXPECT_EQ(router.dropped(), 2U);
  go_on_.set_value();
  router.stop(10s, {});
  EXPECT_EQ(std::count(taken_.begin(), taken_.end(), "broker:a"), 1);
}

}  // namespace
}  // namespace covey::test
