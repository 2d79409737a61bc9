// SPDX-License-Identifier: Apache-2.0
#include "monitoring/drift/missing.hpp"

#include <gtest/gtest.h>

#include "monitoring/drift/model.hpp"

namespace covey::monitoring {
namespace {

const std::vector<uint64_t> kAll(12, 100);
const std::vector<uint64_t> kNone(12, 0);

TEST(Missing, NothingIsFineAndTooLittleSaysNothing) {
  EXPECT_EQ(judge_missing(kAll, kNone, {}).outcome, DriftOutcome::kOk);
  EXPECT_EQ(judge_missing({}, {}, {}).outcome, DriftOutcome::kInsufficientData);
  const std::vector<uint64_t> few{10};
  const std::vector<uint64_t> gone{10};
  EXPECT_EQ(judge_missing(few, gone, {}).outcome, DriftOutcome::kInsufficientData);
}

TEST(Missing, AFleetThatLosesSomeWarnsAndMostPages) {
  const std::vector<uint64_t> some(12, 10);
  const MissingVerdict warn = judge_missing(kAll, some, {});
  EXPECT_EQ(warn.outcome, DriftOutcome::kWarn);
  EXPECT_NEAR(warn.share, 1.0 / 11, 1e-12);
  EXPECT_TRUE(warn.devices.empty());
  EXPECT_EQ(judge_missing(kNone, kAll, {}).outcome, DriftOutcome::kPage);
}

TEST(Missing, OneDeviceNeedsNoFleetBesideIt) {
  std::vector<uint64_t> seen(12, 100);
  std::vector<uint64_t> missing(12, 0);
  seen[7] = 0;
  missing[7] = 100;
  const MissingVerdict verdict = judge_missing(seen, missing, {});
  EXPECT_EQ(verdict.outcome, DriftOutcome::kPage);
  EXPECT_EQ(verdict.devices, (std::vector<size_t>{7}));
  const std::vector<uint64_t> gone{600};
  const std::vector<uint64_t> none{0};
  EXPECT_EQ(judge_missing(none, gone, {}).devices, (std::vector<size_t>{0}));
}

TEST(Missing, AFeatureThatVanishedIsAPageWithoutANumber) {
  JudgedSubject subject{SubjectKind::kFeature, "rms", 0, {100, 100, 100}, {}, {}};
  for (int i = 0; i < 6; ++i) {
    subject.devices.emplace_back(Counts{0, 0, 0});
    subject.missing.push_back(100);
  }
  const auto judged = judge_model(std::vector<JudgedSubject>{subject});
  EXPECT_EQ(judged[0].outcome, DriftOutcome::kPage);
  EXPECT_EQ(judged[0].pooled.outcome, DriftOutcome::kInsufficientData);
  EXPECT_EQ(judged[0].where.devices.size(), 6U);
  EXPECT_NE(judged[0].explanation.find("missing in 600 of 600"), std::string::npos);
}

}  // namespace
}  // namespace covey::monitoring
