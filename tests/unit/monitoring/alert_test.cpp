// SPDX-License-Identifier: Apache-2.0
#include "monitoring/alerts/alert.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/monitoring/random.hpp"

namespace covey::monitoring {
namespace {

using testing::Random;

const AlertKey kKey{"bearing-vibration", AlertKind::kFeatureDrift, "rms",
                    "bearing-vibration@1.1.0"};
constexpr AlertPolicy kPolicy{2, 3, 3};

std::vector<DeviceId> ids(std::initializer_list<const char*> names) {
  std::vector<DeviceId> out;
  for (const char* name : names) out.emplace_back(name);
  return out;
}

// Feeds windows and remembers the track.
class Feed {
 public:
  AlertChange abnormal(Severity severity = Severity::kWarn, std::vector<DeviceId> devices = {}) {
    return apply(WindowAbnormal{severity, std::move(devices), "PSI 0.4"});
  }
  AlertChange normal() { return apply(WindowNormal{}); }
  AlertChange gone() { return apply(ScopeGone{"nobody runs it"}); }
  AlertChange unknown() { return apply(WindowUnknown{}); }
  Result<AlertStep> acknowledge(uint64_t episode) {
    Result<AlertStep> step = monitoring::step(track_, AcknowledgeAlert{episode, "kim", "seen"},
                                              kPolicy, {Millis{0}, Millis{minute_}});
    if (step) track_ = step->track;
    return step;
  }
  const Alert& alert() const { return *track_.newest; }
  const AlertTrack& track() const { return track_; }

 private:
  AlertChange apply(const AlertEvent& event) {
    const Result<AlertStep> step =
        monitoring::step(track_, event, kPolicy, {Millis{0}, Millis{++minute_}});
    track_ = step->track;
    return step->change;
  }

  AlertTrack track_{kKey, std::nullopt};
  int64_t minute_ = 0;
};

TEST(Alert, m_of_w_windows_fire_and_r_quiet_ones_resolve) {
  Feed feed;
  EXPECT_EQ(feed.normal(), AlertChange::kNothing);
  EXPECT_FALSE(feed.track().newest);
  EXPECT_EQ(feed.abnormal(), AlertChange::kOpened);
  EXPECT_EQ(feed.alert().state, AlertState::kPending);
  EXPECT_EQ(feed.normal(), AlertChange::kNothing);
  EXPECT_EQ(feed.abnormal(), AlertChange::kFired);
  EXPECT_EQ(feed.alert().state, AlertState::kFiring);
  EXPECT_EQ(feed.alert().fired_at, Millis{4});
  EXPECT_EQ(feed.normal(), AlertChange::kNothing);
  EXPECT_EQ(feed.normal(), AlertChange::kNothing);
  EXPECT_EQ(feed.abnormal(), AlertChange::kNothing);  // hysteresis: the quiet streak starts again
  EXPECT_EQ(feed.normal(), AlertChange::kNothing);
  EXPECT_EQ(feed.normal(), AlertChange::kNothing);
  EXPECT_EQ(feed.normal(), AlertChange::kResolved);
  EXPECT_EQ(feed.alert().state, AlertState::kResolved);
}

TEST(Alert, one_odd_window_is_withdrawn_without_firing) {
  Feed feed;
  feed.abnormal();
  feed.normal();
  feed.normal();
  EXPECT_EQ(feed.normal(), AlertChange::kWithdrawn);
  EXPECT_EQ(feed.alert().state, AlertState::kResolved);
  EXPECT_FALSE(feed.alert().fired_at);
}

TEST(Alert, a_window_that_concludes_nothing_neither_fires_nor_quiets) {
  Feed feed;
  feed.abnormal();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(feed.unknown(), AlertChange::kNothing);
  EXPECT_EQ(feed.abnormal(), AlertChange::kFired);
  for (int i = 0; i < 100; ++i) feed.unknown();
  EXPECT_EQ(feed.alert().state, AlertState::kFiring);
}

TEST(Alert, a_new_episode_after_resolved_has_a_new_number) {
  Feed feed;
  feed.abnormal();
  feed.abnormal(Severity::kPage, ids({"d1"}));
  ASSERT_TRUE(feed.acknowledge(1));
  for (int i = 0; i < 3; ++i) feed.normal();
  EXPECT_EQ(feed.abnormal(), AlertChange::kOpened);
  EXPECT_EQ(feed.alert().episode, 2U);
  EXPECT_EQ(feed.alert().severity, Severity::kWarn);
  EXPECT_FALSE(feed.alert().acknowledged);
  EXPECT_TRUE(devices_of(feed.alert()).empty());
  EXPECT_EQ(alert_id(kKey, 2), "bearing-vibration.FEATURE_DRIFT.rms.bearing-vibration-1.1.0.2");
}

TEST(Alert, severity_only_rises_within_an_episode) {
  Feed feed;
  feed.abnormal();
  feed.abnormal();
  EXPECT_EQ(feed.abnormal(Severity::kPage), AlertChange::kEscalated);
  EXPECT_EQ(feed.abnormal(Severity::kWarn), AlertChange::kNothing);
  EXPECT_EQ(feed.alert().severity, Severity::kPage);
}

TEST(Alert, names_devices_that_persist_and_nobody_else) {
  Feed feed;
  feed.abnormal(Severity::kPage, ids({"hall-3-b", "hall-3-a", "innocent"}));
  EXPECT_EQ(feed.abnormal(Severity::kPage, ids({"hall-3-a", "hall-3-b"})), AlertChange::kFired);
  EXPECT_EQ(devices_of(feed.alert()), ids({"hall-3-a", "hall-3-b"}));
  feed.abnormal(Severity::kPage, ids({"hall-3-a", "hall-3-c"}));
  EXPECT_EQ(feed.abnormal(Severity::kPage, ids({"hall-3-c"})), AlertChange::kDevices);
  EXPECT_EQ(devices_of(feed.alert()), ids({"hall-3-a", "hall-3-b", "hall-3-c"}));
  for (int i = 0; i < 3; ++i) feed.normal();
  // The innocent one is forgotten, those named stay with the record.
  EXPECT_EQ(feed.alert().histories.size(), 3U);
  EXPECT_EQ(devices_of(feed.alert()).size(), 3U);
}

TEST(Alert, the_explanation_says_what_the_list_leaves_out) {
  Feed feed;
  feed.abnormal(Severity::kPage, ids({"a", "b"}));
  EXPECT_EQ(feed.alert().explanation, "PSI 0.4; 2 seen, but not in 2 of 3 windows yet");
  feed.abnormal(Severity::kPage, ids({"a", "b", "c"}));
  EXPECT_EQ(devices_of(feed.alert()), ids({"a", "b"}));
  EXPECT_EQ(feed.alert().explanation,
            "PSI 0.4; 2 named by this alert; 1 seen, but not in 2 of 3 windows yet");
  feed.abnormal(Severity::kPage, ids({"b", "c"}));
  EXPECT_EQ(devices_of(feed.alert()), ids({"a", "b", "c"}));
  EXPECT_EQ(feed.alert().explanation, "PSI 0.4; 3 named by this alert");
}

TEST(Alert, resolves_when_what_it_watched_is_gone) {
  Feed feed;
  EXPECT_EQ(feed.gone(), AlertChange::kNothing);
  feed.abnormal();
  EXPECT_EQ(feed.gone(), AlertChange::kWithdrawn);
  feed.abnormal();
  feed.abnormal();
  EXPECT_EQ(feed.gone(), AlertChange::kResolved);
  EXPECT_EQ(feed.alert().state, AlertState::kResolved);
  EXPECT_EQ(feed.alert().explanation, "nobody runs it; before: PSI 0.4");
  EXPECT_EQ(feed.gone(), AlertChange::kNothing);
}

TEST(Alert, acknowledgement_is_once_and_only_while_it_lasts) {
  Feed feed;
  EXPECT_EQ(feed.acknowledge(1).error().reason, "NOT_FOUND");
  feed.abnormal();
  feed.abnormal();
  EXPECT_EQ(feed.acknowledge(2).error().reason, "NOT_FOUND");
  const Result<AlertStep> step = feed.acknowledge(1);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->change, AlertChange::kAcknowledged);
  EXPECT_EQ(feed.alert().acknowledged->by, "kim");
  EXPECT_EQ(feed.acknowledge(1).error().reason, "ALREADY_ACKNOWLEDGED");
  for (int i = 0; i < 3; ++i) feed.normal();
  EXPECT_EQ(feed.acknowledge(1).error().reason, "ALERT_RESOLVED");
}

TEST(Alert, policies_are_checked) {
  EXPECT_TRUE(check(kPolicy));
  EXPECT_TRUE(check(AlertPolicy{32, 32, 1}));
  for (const AlertPolicy& bad :
       {AlertPolicy{0, 3, 1}, AlertPolicy{4, 3, 1}, AlertPolicy{2, 33, 1}, AlertPolicy{2, 3, 0}}) {
    EXPECT_EQ(check(bad).error().reason, "BAD_ALERT_POLICY");
  }
}

TEST(Alert, texts_are_stable) {
  for (const auto state : {AlertState::kPending, AlertState::kFiring, AlertState::kResolved}) {
    EXPECT_EQ(parse_alert_state(to_string(state)), state);
  }
  EXPECT_EQ(parse_severity("PAGE"), Severity::kPage);
  EXPECT_EQ(parse_severity("WARN"), Severity::kWarn);
  EXPECT_FALSE(parse_severity("page"));
}

TEST(Alert, property_states_only_move_along_the_lifecycle) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    Feed feed;
    uint64_t episode = 0;
    AlertState state = AlertState::kResolved;
    for (int i = 0; i < 300; ++i) {
      const uint64_t dice = random.below(10);
      AlertChange change = AlertChange::kNothing;
      if (dice < 4) {
        change = feed.abnormal(random.chance(0.2) ? Severity::kPage : Severity::kWarn,
                               random.chance(0.5) ? ids({"a"}) : ids({"b", "c"}));
      } else if (dice < 9) {
        change = feed.normal();
      } else {
        change = feed.unknown();
      }
      if (!feed.track().newest) continue;
      const Alert& alert = feed.alert();
      ASSERT_TRUE(alert.episode == episode || alert.episode == episode + 1);
      if (alert.episode > episode) {
        ASSERT_EQ(state, AlertState::kResolved);
        ASSERT_EQ(change, AlertChange::kOpened);
      } else if (alert.state != state) {
        ASSERT_NE(state, AlertState::kResolved);
        ASSERT_NE(alert.state, AlertState::kPending);
        ASSERT_NE(change, AlertChange::kNothing);
      }
      ASSERT_EQ(alert.state == AlertState::kResolved, alert.resolved_at.has_value());
      ASSERT_FALSE(alert.state == AlertState::kFiring && !alert.fired_at);
      episode = alert.episode;
      state = alert.state;
    }
    EXPECT_GT(episode, 3U);
  }
}

}  // namespace
}  // namespace covey::monitoring
