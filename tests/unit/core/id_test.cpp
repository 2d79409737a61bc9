// SPDX-License-Identifier: Apache-2.0
#include "core/id.hpp"

#include <gtest/gtest.h>

#include <unordered_set>

namespace covey {
namespace {

template <typename Parsed>
std::string reason(const Result<Parsed>& result) {
  return result ? "" : result.error().reason;
}

TEST(Id, device_ids) {
  for (const std::string& text :
       {std::string("a"), std::string("Press-07.left_2"), std::string("0"), std::string(63, 'x')}) {
    EXPECT_EQ(DeviceId::parse(text)->str(), text);
  }
  for (const std::string& text :
       {std::string(), std::string("-a"), std::string(".a"), std::string("_a"), std::string("a b"),
        std::string("a/b"), std::string("a+"), std::string("#"), std::string("ä"),
        std::string("a\0b", 3), std::string("a\n"), std::string(64, 'x')}) {
    EXPECT_EQ(reason(DeviceId::parse(text)), "BAD_DEVICE_ID") << text;
  }
  EXPECT_EQ(reason(DeviceId::parse("svc-gateway")), "RESERVED_DEVICE_ID");
}

TEST(Id, model_rollout_and_class_names) {
  EXPECT_TRUE(ModelName::parse("bearing-vibration"));
  EXPECT_TRUE(ModelName::parse(std::string(31, 'm')));
  for (const std::string& text : {std::string(), std::string("1a"), std::string("A"),
                                  std::string("a.b"), std::string("a@b"), std::string(32, 'm')}) {
    EXPECT_EQ(reason(ModelName::parse(text)), "BAD_MODEL_NAME") << text;
  }
  EXPECT_TRUE(RolloutName::parse("bearing-vibration-1.4.0"));
  EXPECT_TRUE(RolloutName::parse("7"));
  EXPECT_FALSE(RolloutName::parse("Big"));
  EXPECT_FALSE(RolloutName::parse(std::string(64, 'r')));
  EXPECT_TRUE(DeviceClass::parse("m4f-256k"));
  EXPECT_FALSE(DeviceClass::parse(std::string(32, 'c')));
}

TEST(Id, compares_and_hashes_by_text) {
  EXPECT_LT(DeviceId("a"), DeviceId("b"));
  EXPECT_TRUE(DeviceId().empty());
  const std::unordered_set<DeviceId> set{DeviceId("a"), DeviceId("a"), DeviceId("b")};
  EXPECT_EQ(set.size(), 2U);
}

TEST(Version, orders_by_number_not_by_text) {
  EXPECT_LT(*Version::parse("1.9.0"), *Version::parse("1.10.0"));
  EXPECT_EQ(to_string(*Version::parse("1.4.0")), "1.4.0");
  EXPECT_EQ(Version::parse("4294967295.0.1")->major, 4294967295U);
  for (const char* text :
       {"", "1", "1.2", "1.2.", "1.2.3.4", "1.2.3-rc1", "v1.2.3", "1.-2.3", "+1.2.3", "1 .2.3",
        "4294967296.0.0", ".1.2", "01.0.0", "1.00.0", "1.0.007", "1.0.0-rc.1", "1.0.0+5"}) {
    EXPECT_EQ(reason(Version::parse(text)), "BAD_VERSION") << text;
  }
  const std::string said = Version::parse("1.0.0-rc.1").error().message;
  EXPECT_NE(said.find("pre-release"), std::string::npos) << said;
}

TEST(ReleaseId, is_model_at_version) {
  const Result<ReleaseId> release = ReleaseId::parse("bearing-vibration@1.4.0");
  ASSERT_TRUE(release);
  EXPECT_EQ(release->model.str(), "bearing-vibration");
  EXPECT_EQ(to_string(*release), "bearing-vibration@1.4.0");
  EXPECT_EQ(reason(ReleaseId::parse("bearing-vibration")), "BAD_RELEASE");
  EXPECT_EQ(reason(ReleaseId::parse("@1.0.0")), "BAD_MODEL_NAME");
  EXPECT_EQ(reason(ReleaseId::parse("a@")), "BAD_VERSION");
  EXPECT_EQ(reason(ReleaseId::parse("a@1.0.0@1.0.0")), "BAD_VERSION");
}

}  // namespace
}  // namespace covey
