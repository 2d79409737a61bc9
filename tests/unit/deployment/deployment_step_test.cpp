// SPDX-License-Identifier: Apache-2.0
// Every state of a deployment crossed with everything that may happen to it: late, repeated and
// foreign reports, reboots, deadlines, cancellation. hawkbit#3185 and amazon-freertos#3407 are what
// happens without: success that no device proved.
#include <gtest/gtest.h>

#include "deploy/deployment/deployment.hpp"

namespace covey {
namespace {

constexpr Now kNow{.mono = 500s, .wall = 1'700'000'500'000ms};
constexpr uint32_t kAttempt = 3;

Digest digest(uint8_t tag) {
  Digest digest;
  digest.bytes.fill(tag);
  return digest;
}
const Digest kOld = digest(1);
const Digest kNew = digest(2);

const std::vector<DeploymentState> kAll{
    DeploymentState::kQueued,    DeploymentState::kOffered,   DeploymentState::kDownloading,
    DeploymentState::kVerifying, DeploymentState::kStaged,    DeploymentState::kShadowing,
    DeploymentState::kProbation, DeploymentState::kConfirmed, DeploymentState::kDeclined,
    DeploymentState::kFailed,    DeploymentState::kReverted,  DeploymentState::kTimedOut,
    DeploymentState::kCanceled,  DeploymentState::kRemoved,
};

Deployment in_state(DeploymentState state) {
  Deployment d{.number = 7,
               .device = DeviceId("press-01"),
               .release = {ModelName("bearing"), {1, 1, 0}},
               .manifest = kNew,
               .state = state};
  if (state == DeploymentState::kQueued) return d;
  d.attempt = kAttempt;
  d.previous = kOld;
  d.deadline = 1000s;
  return d;
}

ModelReport report(const std::string& phase) {
  return {.model = ModelName("bearing"),
          .confirmed = kOld,
          .active = kOld,
          .candidate = kNew,
          .phase = phase,
          .attempt = kAttempt};
}
deployment::Event reported(const std::string& phase, const std::string& reason = "") {
  ModelReport r = report(phase);
  r.reason = reason;
  return deployment::DeviceReported{r};
}
deployment::Event proof() {
  ModelReport r = report("CONFIRMED");
  r.confirmed = kNew;
  r.active = kNew;
  return deployment::DeviceReported{r};
}
deployment::Event foreign(const std::string& phase, uint32_t attempt, const Digest& candidate) {
  ModelReport r = report(phase);
  r.attempt = attempt;
  r.candidate = candidate;
  r.confirmed = kNew;
  r.active = kNew;
  return deployment::DeviceReported{r};
}

size_t goals(const deployment::Step& step) {
  size_t count = 0;
  for (const auto& effect : step.effects) {
    if (std::holds_alternative<deployment::GoalChanged>(effect)) ++count;
  }
  return count;
}
std::vector<DeploymentState> ends(const deployment::Step& step) {
  std::vector<DeploymentState> states;
  for (const auto& effect : step.effects) {
    if (const auto* ended = std::get_if<deployment::Ended>(&effect)) states.push_back(ended->state);
  }
  return states;
}

struct Row {
  std::string name;
  deployment::Event event;
  // "": the state stays. What an attempt that is queued, or offered and not ended, becomes.
  std::string queued;
  std::string in_flight;
};

std::vector<Row> rows() {
  ModelReport unproven = report("CONFIRMED");
  ModelReport not_running = unproven;
  not_running.confirmed = kNew;
  ModelReport not_confirmed = unproven;
  not_confirmed.active = kNew;
  return {
      {"offer", deployment::Offered{2000s, 9, kOld}, "OFFERED", ""},
      {"idle after a reboot", reported("IDLE"), "", ""},
      {"unspecified phase", reported("UNSPECIFIED"), "", ""},
      {"phase of newer firmware", reported("PHASE_17"), "", ""},
      {"downloading", reported("DOWNLOADING"), "", "DOWNLOADING"},
      {"verifying", reported("VERIFYING"), "", "VERIFYING"},
      {"staged", reported("STAGED"), "", "STAGED"},
      {"shadowing", reported("SHADOWING"), "", "SHADOWING"},
      {"probation", reported("PROBATION"), "", "PROBATION"},
      {"probation passed", reported("PROBATION_OK"), "", "PROBATION"},
      {"proof", proof(), "", "CONFIRMED"},
      {"confirmed without proof", deployment::DeviceReported{unproven}, "", ""},
      {"confirmed but not running", deployment::DeviceReported{not_running}, "", ""},
      {"running but not confirmed", deployment::DeviceReported{not_confirmed}, "", ""},
      {"declined", reported("DECLINED", "LOW_BATTERY"), "", "DECLINED"},
      {"failed", reported("FAILED", "IMAGE_DIGEST"), "", "FAILED"},
      {"reverted", reported("REVERTED", "WATCHDOG"), "", "REVERTED"},
      {"proof of an earlier attempt", foreign("CONFIRMED", kAttempt - 1, kNew), "", ""},
      {"failure of an earlier attempt", foreign("FAILED", kAttempt - 1, kNew), "", ""},
      {"attempt from the future", foreign("CONFIRMED", kAttempt + 1, kNew), "", ""},
      {"proof of another release", foreign("CONFIRMED", kAttempt, kOld), "", ""},
      {"word that a device may not say: QUEUED", reported("QUEUED"), "", ""},
      {"word that a device may not say: OFFERED", reported("OFFERED"), "", ""},
      {"word that a device may not say: TIMED_OUT", reported("TIMED_OUT"), "", ""},
      {"word that a device may not say: CANCELED", reported("CANCELED"), "", ""},
      {"word that a device may not say: REMOVED", reported("REMOVED"), "", ""},
      {"just before the deadline", deployment::ObservedTime{999'999ms}, "", ""},
      {"deadline", deployment::ObservedTime{1000s}, "", "TIMED_OUT"},
      {"long after the deadline", deployment::ObservedTime{100'000s}, "", "TIMED_OUT"},
      {"cancel", deployment::Cancel{"ROLLBACK"}, "CANCELED", "CANCELED"},
  };
}

TEST(DeploymentMatrix, EveryStateMeetsEveryEvent) {
  for (const Row& row : rows()) {
    for (const DeploymentState from : kAll) {
      SCOPED_TRACE(std::string(to_string(from)) + " x " + row.name);
      const Deployment before = in_state(from);
      const deployment::Step step = deployment::step(before, row.event, kNow);
      if (has_ended(from)) {
        EXPECT_EQ(step.state.state, from) << "an ended state changed";
        EXPECT_TRUE(step.effects.empty());
        continue;
      }
      const std::string expected = from == DeploymentState::kQueued ? row.queued : row.in_flight;
      EXPECT_EQ(to_string(step.state.state), expected.empty() ? to_string(from) : expected);
      // Success only by proof, whatever the state.
      if (step.state.state == DeploymentState::kConfirmed) {
        EXPECT_EQ(row.name, "proof");
      }
      const bool ended = has_ended(step.state.state);
      EXPECT_EQ(ends(step), ended ? std::vector{step.state.state} : std::vector<DeploymentState>{});
      // Whoever was told something is told when it is over.
      if (ended) {
        EXPECT_EQ(goals(step), from == DeploymentState::kQueued ? 0U : 1U);
      }
      // A step repeated says nothing new.
      const deployment::Step again = deployment::step(step.state, row.event, kNow);
      EXPECT_EQ(again.state, step.state);
      EXPECT_TRUE(again.effects.empty());
    }
  }
}

TEST(Deployment, EndsKeepWhatTheDeviceSaidWasWrong) {
  const auto failed = deployment::step(in_state(DeploymentState::kVerifying),
                                       reported("FAILED", "SIGNATURE_INVALID"), kNow);
  EXPECT_EQ(failed.state.reason, "SIGNATURE_INVALID");
  EXPECT_FALSE(worth_retrying(failed.state));
  const auto timed_out =
      deployment::step(in_state(DeploymentState::kOffered), deployment::ObservedTime{1000s}, kNow);
  EXPECT_EQ(timed_out.state.reason, "ATTEMPT_DEADLINE");
  EXPECT_TRUE(worth_retrying(timed_out.state));
  EXPECT_FALSE(worth_retrying(
      deployment::step(in_state(DeploymentState::kOffered), deployment::Cancel{"ROLLBACK"}, kNow)
          .state));
}

// zephyr#89530, hawkbit#952: no handshake in which a device could stay "canceling" for ever.
TEST(Deployment, CancelIsOneSided) {
  const auto step = deployment::step(in_state(DeploymentState::kDownloading),
                                     deployment::Cancel{"ABORTED"}, kNow);
  EXPECT_EQ(step.state.state, DeploymentState::kCanceled);
  EXPECT_EQ(step.state.reason, "ABORTED");
  EXPECT_EQ(goals(step), 1U);
}

TEST(Deployment, ALateProofIsAFactNotAnEnd) {
  for (const DeploymentState from : kAll) {
    if (!has_ended(from)) continue;
    const auto step = deployment::step(in_state(from), proof(), kNow);
    EXPECT_EQ(step.state.state, from);
    EXPECT_EQ(step.state.late_confirmed, from != DeploymentState::kConfirmed) << to_string(from);
  }
  const auto other = deployment::step(in_state(DeploymentState::kTimedOut),
                                      foreign("CONFIRMED", kAttempt - 1, kNew), kNow);
  EXPECT_FALSE(other.state.late_confirmed) << "proof of another attempt";
}

TEST(Deployment, TheGrantIsGivenOnceAndOnlyAfterProbation) {
  auto step = deployment::step(in_state(DeploymentState::kProbation), reported("PROBATION"), kNow);
  EXPECT_FALSE(step.state.granted);
  step = deployment::step(step.state, reported("PROBATION_OK"), kNow);
  EXPECT_TRUE(step.state.granted);
  EXPECT_EQ(goals(step), 1U);
  step = deployment::step(step.state, reported("PROBATION_OK"), kNow);
  EXPECT_EQ(goals(step), 0U);
}

TEST(Deployment, ADeviceCountsAsAttemptedOnceItBegan) {
  EXPECT_FALSE(
      deployment::step(in_state(DeploymentState::kOffered), reported("DECLINED", "BUSY"), kNow)
          .state.attempted);
  EXPECT_TRUE(deployment::step(in_state(DeploymentState::kOffered), reported("DOWNLOADING"), kNow)
                  .state.attempted);
  EXPECT_TRUE(
      deployment::step(in_state(DeploymentState::kOffered), reported("FAILED", "WATCHDOG"), kNow)
          .state.attempted);
}

TEST(Deployment, TheOfferRemembersWhatToGoBackTo) {
  const auto step = deployment::step(in_state(DeploymentState::kQueued),
                                     deployment::Offered{2000s, 9, kOld}, kNow);
  EXPECT_EQ(step.state.previous, kOld);
  EXPECT_EQ(step.state.deadline, 2000s);
  EXPECT_EQ(step.state.attempt, 9U);
  EXPECT_EQ(step.state.update_wall, kNow.wall);
}

TEST(Deployment, StatesAndCausesAreStableText) {
  for (const DeploymentState state : kAll) {
    EXPECT_EQ(parse_deployment_state(to_string(state)), state);
  }
  EXPECT_FALSE(parse_deployment_state("7").has_value());
  for (const Cause cause : {Cause::kRollout, Cause::kRollback, Cause::kAssignment}) {
    EXPECT_EQ(parse_cause(to_string(cause)), cause);
  }
}

}  // namespace
}  // namespace covey
