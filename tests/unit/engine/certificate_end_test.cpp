// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

using monitoring::AlertKind;
using monitoring::AlertState;

class CertificateEnd : public testing::Test {
 protected:
  const monitoring::Alert* alert() const {
    const auto& alerts = site.state().telemetry.alerts;
    const auto found = alerts.find({"", AlertKind::kCertificateEnds, "gateway", ""});
    return found == alerts.end() || !found->second.newest ? nullptr : &*found->second.newest;
  }
  void has_left(Millis time) {
    site.certificate_until = site.now().wall + time;
    site.pass(12s, 1s);
  }

  Site site{quick_config()};
};

TEST_F(CertificateEnd, IsSaidWeeksBeforeAndUntilThereIsANewerOne) {
  site.pass(12s, 1s);
  EXPECT_EQ(alert(), nullptr) << "the gateway shows none";
  has_left(24h * 30);
  EXPECT_EQ(alert(), nullptr);
  has_left(24h * 20);
  ASSERT_NE(alert(), nullptr);
  EXPECT_EQ(alert()->state, AlertState::kFiring);
  EXPECT_NE(alert()->explanation.find("19 days"), std::string::npos) << alert()->explanation;
  site.restart();
  site.pass(12s, 1s);
  EXPECT_EQ(alert()->episode, 1U) << "one episode, also over a restart";
  has_left(24h * 90);
  EXPECT_EQ(alert()->state, AlertState::kResolved);
  has_left(24h);
  EXPECT_EQ(alert()->episode, 2U);
  site.check_reload();
}

}  // namespace
}  // namespace covey::test
