// SPDX-License-Identifier: Apache-2.0
// covey-sim as a process, against a real mosquitto and a played gateway: devices enrol, take signed
// releases, survive accidents, and no inference of a device that kept its power is lost.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/integration/simulator/child_process.hpp"
#include "tests/integration/simulator/control_client.hpp"
#include "tests/integration/simulator/played_gateway.hpp"
#include "tests/integration/simulator/release.hpp"
#include "tests/paths.hpp"

namespace covey::simulator_test {
namespace {

using nlohmann::json;
using std::chrono::seconds;

class CoveySim : public testing::Test {
 protected:
  CoveySim()
      : port_(free_port()),
        key_(*PrivateKey::generate(SignatureAlgorithm::kEs256)),
        control_(io_, directory_.path() + "/control") {
    // As root it would change its user, which ends PR_SET_PDEATHSIG: a crashed test would leave it.
    write("mosquitto.conf", "user root\nlistener " + std::to_string(port_) +
                                " 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
                                "max_queued_messages 0\nmax_inflight_messages 0\n");
    write("author.pem", key_.public_key().to_pem());
    start_broker();
    gateway_ = std::make_unique<PlayedGateway>(io_, port_);
    EXPECT_TRUE(run_until(io_, seconds(10), [this] { return gateway_->connected(); }));
  }

  ~CoveySim() override {
    sim_.reset();
    gateway_.reset();
    if (HasFailure()) {
      std::ifstream log(directory_.path() + "/covey-sim.log");
      std::cerr << log.rdbuf();
    }
  }

  void start_broker() {
    broker_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{"mosquitto", "-c", directory_.path() + "/mosquitto.conf"},
        directory_.path() + "/mosquitto.log");
  }

  void start(std::vector<std::string> options) {
    const std::string address = "127.0.0.1:" + std::to_string(port_);
    std::vector<std::string> command{covey::test::build_path("bin/covey-sim").string(),
                                     "--broker",
                                     address,
                                     "--trusted-key",
                                     directory_.path() + "/author.pem",
                                     "--control",
                                     directory_.path() + "/control",
                                     "--inference-interval",
                                     "50ms",
                                     "--report-interval",
                                     "1s",
                                     "--connect-jitter",
                                     "100ms",
                                     "--probation-inferences",
                                     "5",
                                     "--truth",
                                     directory_.path() + "/truth.csv"};
    command.insert(command.end(), options.begin(), options.end());
    sim_ = std::make_unique<ChildProcess>(command, directory_.path() + "/covey-sim.log");
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(directory_.path() + "/" + name) << text;
  }

  json call(const char* command) { return control_.call({{"command", command}}); }

  bool until_confirmed(const Release& release, size_t count, seconds limit = seconds(60)) {
    return run_until(io_, limit, [&] { return gateway_->confirmed_on(release) >= count; });
  }

  // Ends inference, waits for every acknowledgement, and holds the counts against the truth.
  void expect_counts_equal(const char* deadline = "30s") {
    const json quiet = control_.call({{"command", "quiesce"}, {"deadline", deadline}});
    ASSERT_TRUE(quiet["ok"]) << quiet;
    EXPECT_TRUE(quiet["quiet"]) << quiet;
    const json truth = call("truth");
    std::map<std::pair<std::string, std::string>, uint64_t> lost;
    for (const json& entry : truth["lost"]) {
      lost[{entry["device"], entry["boot"]}] = entry["at_most"];
    }
    const auto counted = gateway_->counted();
    uint64_t recorded_total = 0;
    for (const json& stream : truth["streams"]) {
      const uint64_t recorded = stream["inferences"];
      recorded_total += recorded;
      const auto found = counted.find({stream["device"], stream["boot"], stream["manifest"]});
      const uint64_t gateway = found == counted.end() ? 0 : found->second;
      EXPECT_LE(gateway, recorded) << stream;
      const uint64_t at_most = lost[{stream["device"], stream["boot"]}];
      EXPECT_GE(gateway + at_most, recorded) << stream;
    }
    EXPECT_GT(recorded_total, 0u);
    EXPECT_EQ(truth["inferences"], recorded_total);
    EXPECT_LE(gateway_->counted_total(), recorded_total);
    EXPECT_EQ(gateway_->bad_macs, 0);
    EXPECT_EQ(gateway_->unparsable, 0);
  }

  boost::asio::io_context io_{1};
  TemporaryDirectory directory_;
  uint16_t port_;
  PrivateKey key_;
  std::unique_ptr<ChildProcess> broker_;
  std::unique_ptr<PlayedGateway> gateway_;
  std::unique_ptr<ChildProcess> sim_;
  ControlClient control_;
};

TEST_F(CoveySim, EnrolTakeTwoReleasesAndLoseNoInference) {
  const Release first = make_release("bearing-1.0.0", key_);
  const Release second = make_release("bearing-1.1.0", key_);
  gateway_->offer(first);
  start({"--memory", "--classes", "m4f-256k:8,m0-64k:4", "--small", "1", "--offline", "1"});
  ASSERT_TRUE(until_confirmed(first, 10)) << call("slots");
  EXPECT_EQ(gateway_->devices().size(), 12u);
  ASSERT_TRUE(run_until(io_, seconds(20), [&] { return call("status")["inferences"] > 200; }));
  gateway_->offer(second);
  ASSERT_TRUE(until_confirmed(second, 10)) << call("slots");
  EXPECT_EQ(gateway_->confirmed_on(second), 10u);  // neither the small nor the offline one
  for (const auto& [id, device] : gateway_->devices()) {
    if (device.facts.slot_bytes() < 16'000) {
      EXPECT_EQ(device.state.phase(), wire::PHASE_DECLINED) << id;
      EXPECT_EQ(device.state.reason(), static_cast<uint32_t>(wire::REASON_SLOT_TOO_SMALL)) << id;
    }
  }
  ASSERT_TRUE(control_.call(
      {{"command", "step"}, {"devices", {{"offline", true}}}, {"action", "online"}})["ok"]);
  ASSERT_TRUE(until_confirmed(second, 11)) << call("slots");
  expect_counts_equal();
  EXPECT_EQ(gateway_->counted_total(), call("truth")["inferences"]);
  EXPECT_EQ(call("status")["agents"]["bugs"], 0);

  sim_->signal(SIGTERM);
  EXPECT_EQ(sim_->wait(), 0);
}

TEST_F(CoveySim, ARestartContinuesTheFleet) {
  const Release release = make_release("bearing-1.0.0", key_);
  gateway_->offer(release);
  const std::vector<std::string> options{"--count", "3", "--state", directory_.path() + "/state"};
  start(options);
  ASSERT_TRUE(until_confirmed(release, 3)) << call("slots");
  expect_counts_equal();
  sim_->signal(SIGKILL);
  EXPECT_EQ(sim_->wait(), -SIGKILL);
  start(options);
  ASSERT_TRUE(run_until(io_, seconds(20), [&] { return call("status")["online"] == 3; }));
  const json status = call("status");
  EXPECT_EQ(status["enrolled"], 3);
  EXPECT_EQ(status["with_model"], 3);
  EXPECT_TRUE(run_until(io_, seconds(20), [&] {
    return std::all_of(gateway_->devices().begin(), gateway_->devices().end(),
                       [](const auto& entry) { return entry.second.hellos >= 2; });
  }));
  expect_counts_equal();

  // Another fleet is refused instead of mixed up.
  start({"--count", "4", "--state", directory_.path() + "/state"});
  EXPECT_EQ(sim_->wait(), 1);
}

// What was counted in an outage is in the outbox when firmware resets, and is sent by a later boot.
TEST_F(CoveySim, WhatWaitedSurvivesAResetAndARestart) {
  const Release release = make_release("bearing-1.0.0", key_);
  gateway_->offer(release);
  const std::vector<std::string> options{"--count", "3", "--state", directory_.path() + "/state"};
  const auto step = [&](const char* action) {
    return control_.call({{"command", "step"}, {"devices", json::object()}, {"action", action}});
  };
  const auto until_made = [&](uint64_t more) {
    const uint64_t before = call("status")["inferences"];
    return run_until(io_, seconds(20),
                     [&] { return call("status")["inferences"] > before + more; });
  };
  start(options);
  ASSERT_TRUE(until_confirmed(release, 3)) << call("slots");
  ASSERT_TRUE(step("offline")["ok"]);
  ASSERT_TRUE(until_made(100));
  ASSERT_TRUE(step("reboot")["ok"]);
  ASSERT_TRUE(run_until(io_, seconds(20), [&] { return call("status")["reboots"] == 3; }));
  ASSERT_TRUE(until_made(100));
  EXPECT_LT(gateway_->counted_total() + 200, call("truth")["inferences"]);
  sim_->signal(SIGTERM);
  EXPECT_EQ(sim_->wait(), 0);
  start(options);
  ASSERT_TRUE(run_until(io_, seconds(20), [&] { return call("status")["online"] == 3; }));
  expect_counts_equal();
  EXPECT_EQ(call("truth")["lost_at_most"], 0);
  EXPECT_EQ(gateway_->counted_total(), call("truth")["inferences"]);
  EXPECT_EQ(gateway_->gaps, 0);
  EXPECT_EQ(call("status")["agents"]["bugs"], 0);
}

TEST_F(CoveySim, FaultsLoseNothingThatTheTruthDoesNotKnowOf) {
  const Release release = make_release("bearing-1.0.0", key_);
  gateway_->offer(release);
  start({"--memory", "--count", "6", "--loss", "0.05", "--disconnects", "600", "--reboots", "200",
         "--power-cuts", "200", "--speed-up", "4"});
  ASSERT_TRUE(until_confirmed(release, 6, seconds(120))) << call("slots");
  ASSERT_TRUE(run_until(io_, seconds(30), [&] {
    const json status = call("status");
    return status["power_cuts"] > 0 && status["reboots"] > 0 && status["connections_lost"] > 0;
  }));
  expect_counts_equal("60s");
  EXPECT_EQ(call("status")["agents"]["bugs"], 0);
}

TEST_F(CoveySim, ABrokerThatDiesLosesNoInference) {
  const Release release = make_release("bearing-1.0.0", key_);
  gateway_->offer(release);
  start({"--memory", "--count", "4", "--speed-up", "4"});
  ASSERT_TRUE(until_confirmed(release, 4)) << call("slots");
  broker_->signal(SIGKILL);
  EXPECT_EQ(broker_->wait(), -SIGKILL);
  ASSERT_TRUE(run_until(io_, seconds(20), [&] { return call("status")["online"] == 0; }));
  const uint64_t before = call("status")["inferences"];
  ASSERT_TRUE(
      run_until(io_, seconds(20), [&] { return call("status")["inferences"] > before + 50; }));
  start_broker();
  ASSERT_TRUE(run_until(io_, seconds(30), [&] { return call("status")["online"] == 4; }));
  expect_counts_equal();
  EXPECT_EQ(gateway_->counted_total(), call("truth")["inferences"]);
}

TEST_F(CoveySim, SabotagedReportsShowInTheCounts) {
  const Release release = make_release("bearing-1.0.0", key_);
  gateway_->offer(release);
  start({"--memory", "--count", "4"});
  ASSERT_TRUE(until_confirmed(release, 4)) << call("slots");
  ASSERT_TRUE(control_.call({{"command", "break"}, {"what", "reports"}})["ok"]);
  ASSERT_TRUE(run_until(io_, seconds(30), [&] { return call("status")["reports_swallowed"] > 4; }));
  ASSERT_TRUE(control_.call({{"command", "break"}, {"what", "none"}})["ok"]);
  const json quiet = control_.call({{"command", "quiesce"}});
  EXPECT_TRUE(quiet["quiet"]) << quiet;
  EXPECT_LT(gateway_->counted_total(), call("truth")["inferences"]);
  EXPECT_EQ(call("truth")["lost_at_most"], 0);
}

TEST_F(CoveySim, SabotagedJournalsShowAfterAReboot) {
  const Release release = make_release("bearing-1.0.0", key_);
  start({"--memory", "--count", "2", "--break", "journal"});
  gateway_->offer(release);
  ASSERT_TRUE(until_confirmed(release, 2)) << call("slots");
  ASSERT_TRUE(run_until(io_, seconds(10), [&] { return call("status")["with_model"] == 2; }));
  const uint64_t generation = call("slots")["devices"][0]["journal_generation"];
  ASSERT_TRUE(control_.call({{"command", "step"}, {"action", "reboot"}})["ok"]);
  ASSERT_TRUE(run_until(io_, seconds(10), [&] { return call("status")["reboots"] == 2; }));
  ASSERT_TRUE(run_until(io_, seconds(10), [&] {
    const json device = call("slots")["devices"][0];
    return device.contains("journal_generation") && device["journal_generation"] < generation;
  }));
}

TEST_F(CoveySim, AThousandDevicesTakeARelease) {
  const Release release = make_release("bearing-1.0.0", key_);
  gateway_->offer(release);
  start({"--memory", "--count", "1000", "--connect-jitter", "5s", "--inference-interval", "1s"});
  ASSERT_TRUE(until_confirmed(release, 1000, seconds(150))) << call("status");
  expect_counts_equal("60s");
  EXPECT_EQ(gateway_->counted_total(), call("truth")["inferences"]);
}

TEST_F(CoveySim, AScenarioPlaysByItself) {
  const Release release = make_release("bearing-1.0.0", key_);
  gateway_->offer(release);
  write("scenario.yaml", R"(
steps:
  - {at: 0s, devices: {hall: hall-1}, action: offline}
  - {at: 0s, devices: {hall: hall-2}, action: pause_inference}
)");
  start({"--memory", "--count", "8", "--scenario", directory_.path() + "/scenario.yaml"});
  // Two of eight in each hall: the first two vanish, the next two stay at zero.
  ASSERT_TRUE(until_confirmed(release, 4)) << call("slots");
  const json status = call("status");
  EXPECT_EQ(status["offline"], 2);
  EXPECT_EQ(status["scenario_steps_left"], 0);
  std::map<std::string, std::string> halls;
  const json fleet = call("fleet");
  for (const json& device : fleet["devices"]) halls[device["id"]] = device["hall"];
  const json truth = call("truth");
  for (const json& stream : truth["streams"]) {
    EXPECT_NE(halls[stream["device"]], "hall-1");
    EXPECT_NE(halls[stream["device"]], "hall-2");
  }
  ASSERT_TRUE(control_.call({{"command", "step"},
                             {"devices", {{"hall", "hall-2"}}},
                             {"action", "resume_inference"}})["ok"]);
  ASSERT_TRUE(until_confirmed(release, 6)) << call("slots");
  EXPECT_EQ(control_.call({{"command", "step"}, {"action", "explode"}})["reason"], "BAD_SCENARIO");
  EXPECT_EQ(call("dance")["reason"], "UNKNOWN_COMMAND");
  const json labels = control_.call({{"command", "labels"}, {"fraction", "50%"}});
  ASSERT_TRUE(labels["ok"]) << labels;
  EXPECT_GT(labels["records"].size(), 0u);
}

TEST_F(CoveySim, ADevicesFirmwareRefusesAnUnknownAuthor) {
  const PrivateKey stranger = *PrivateKey::generate(SignatureAlgorithm::kEd25519);
  gateway_->offer(make_release("bearing-1.0.0", stranger));
  start({"--memory", "--count", "1"});
  ASSERT_TRUE(run_until(io_, seconds(30), [&] {
    for (const auto& [id, device] : gateway_->devices()) {
      if (device.state.reason() == static_cast<uint32_t>(wire::REASON_KEY_UNKNOWN)) return true;
    }
    return false;
  })) << call("slots");
}

}  // namespace
}  // namespace covey::simulator_test
