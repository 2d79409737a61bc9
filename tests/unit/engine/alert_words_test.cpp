// SPDX-License-Identifier: Apache-2.0
// Alerts are read by people who don't know their kinds: a plain sentence comes first.
#include <gtest/gtest.h>

#include "gateway/engine/telemetry/alert_words.hpp"

namespace covey::engine {
namespace {

monitoring::Alert drift() {
  monitoring::Alert alert;
  alert.key = {"bearing", monitoring::AlertKind::kFeatureDrift, "rms", "bearing@1.1.0"};
  alert.state = monitoring::AlertState::kFiring;
  alert.opened_at = 1'700'000'000'000ms;
  alert.explanation = "PSI 0.41";
  return alert;
}

TEST(AlertWords, SayWhatWhereSinceWhenAndWhatToLookAt) {
  monitoring::Alert alert = drift();
  EXPECT_EQ(explain(alert),
            "rms does not look as it did when bearing@1.1.0 was validated, no device by itself "
            "stands out, since 2023-11-14 22:13 UTC; look at what feeds it: sensor, mounting, "
            "preprocessing. In detail: PSI 0.41.");
  alert.histories = {{DeviceId("press-07"), 3, true}};
  EXPECT_NE(explain(alert).find(", on 1 device: press-07, since"), std::string::npos);
  alert.state = monitoring::AlertState::kPending;
  EXPECT_EQ(explain(alert).find("not sure yet: rms"), 0U);
  alert.state = monitoring::AlertState::kResolved;
  alert.resolved_at = alert.opened_at + 1h;
  EXPECT_NE(explain(alert).find(" UTC to 2023-11-14 23:13 UTC; look"), std::string::npos);
}

TEST(AlertWords, NameEightDevicesAndCountTheOthers) {
  monitoring::Alert alert = drift();
  for (int i = 0; i < 12; ++i) {
    alert.histories.push_back({DeviceId("d" + std::to_string(10 + i)), 3, true});
  }
  EXPECT_NE(explain(alert).find("on 12 devices: d10, d11, d12, d13, d14, d15, d16, d17 and 4 more"),
            std::string::npos)
      << explain(alert);
}

TEST(AlertWords, EveryKindHasThem) {
  using Kind = monitoring::AlertKind;
  for (const Kind kind :
       {Kind::kAheadOfSite, Kind::kCertificateEnds, Kind::kClassMixDrift, Kind::kConfidenceDrift,
        Kind::kDuplicateIdentity, Kind::kFeatureDrift, Kind::kJointDrift, Kind::kOverBudget}) {
    monitoring::Alert alert = drift();
    alert.key.kind = kind;
    const std::string text = explain(alert);
    EXPECT_NE(text.find(", since "), std::string::npos) << text;
    EXPECT_NE(text.find("; look "), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace covey::engine
