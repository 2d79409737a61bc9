// SPDX-License-Identifier: Apache-2.0
// A repeated request does nothing; the oldest ones are forgotten, in memory and in the store.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

TEST(Requests, TheOldestIsForgottenAndNotTheSmallest) {
  Site site;
  site.push({1, 0, 0});
  site.push({1, 1, 0});
  site.join("d0");
  site.run("d0", {1, 0, 0});
  std::vector<Write> writes;
  // Ids that fall while the requests get younger.
  for (size_t i = 0; i < kRequestsMax; ++i) {
    writes.emplace_back(
        PutRequest{{fmt::format("{:05}", kRequestsMax - i), "other", Digest{}, i + 1}});
  }
  ASSERT_TRUE(site.store().commit(writes).ok());
  site.restart();
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0"), "zzz").ok());
  const auto& requests = site.state().rollouts.requests;
  EXPECT_EQ(requests.size(), kRequestsMax);
  EXPECT_FALSE(requests.contains("10000")) << "the oldest one";
  EXPECT_TRUE(requests.contains("00001")) << "the youngest one, with the smallest id";
  EXPECT_TRUE(requests.contains("zzz"));
  site.check_reload();
}

}  // namespace
}  // namespace covey::test
