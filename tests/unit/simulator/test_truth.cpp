// SPDX-License-Identifier: Apache-2.0
// The truth: sums, the file that continues over restarts, and late partial labels.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "device_agent/simulator/truth.hpp"

namespace covey::simulator {
namespace {

class TruthTest : public testing::Test {
 protected:
  TruthTest() {
    std::string pattern = testing::TempDir() + "covey-truth-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/truth.csv";
  }
  ~TruthTest() override { std::filesystem::remove_all(directory_); }

  static Inference inference(uint64_t number, int64_t wall_ms, uint32_t predicted = 1) {
    Inference i;
    i.wall_ms = wall_ms;
    i.device = "dev-0001";
    i.boot = 0xB007;
    i.number = number;
    i.manifest = 0xABCD;
    i.machine_type = "pump";
    i.true_class = 1;
    i.predicted = predicted;
    i.confidence = 200;
    return i;
  }

  std::string directory_;
  std::string path_;
};

TEST_F(TruthTest, ARestartContinuesTheSums) {
  nlohmann::json before;
  {
    Result<Truth> truth = Truth::open(path_);
    ASSERT_TRUE(truth.ok());
    ASSERT_TRUE(truth->add(inference(1, 100)).ok());
    ASSERT_TRUE(truth->add(inference(2, 200, 3)).ok());
    ASSERT_TRUE(truth->add_lost(300, "dev-0001", 0xB007, 1).ok());
    before = truth->summary();
    EXPECT_EQ(before["inferences"], 2);
    EXPECT_EQ(before["accuracy"][0]["correct"], 1);
    EXPECT_EQ(before["streams"][0]["boot"], "000000000000b007");
    EXPECT_EQ(before["lost"][0]["at_most"], 1);
    EXPECT_EQ(before["lost_at_most"], 1);
  }
  std::ofstream(path_, std::ios::app) << "i,300,dev-0001,00";  // killed while writing
  Result<Truth> truth = Truth::open(path_);
  ASSERT_TRUE(truth.ok());
  EXPECT_EQ(truth->summary(), before);
  ASSERT_TRUE(truth->add(inference(3, 400)).ok());
  ASSERT_TRUE(truth->flush().ok());
  EXPECT_EQ(Truth::open(path_)->inferences(), 3u);
}

TEST_F(TruthTest, LabelsAreLatePartialAndGivenOnce) {
  Result<Truth> truth = Truth::open(path_);
  ASSERT_TRUE(truth.ok());
  for (uint64_t i = 1; i <= 1000; i++) {
    ASSERT_TRUE(truth->add(inference(i, static_cast<int64_t>(i))).ok());
  }
  LabelQuery query;
  query.delay = Millis(500);
  const auto early = truth->labels(query, 600);
  ASSERT_TRUE(early.ok());
  EXPECT_EQ((*early)["records"].size(), 100u);
  query.since = (*early)["next"];
  query.limit = 150;
  const auto late = truth->labels(query, 5000);
  EXPECT_EQ((*late)["records"].size(), 150u);
  EXPECT_EQ((*late)["records"][0]["inference"], 101);
  EXPECT_EQ((*late)["records"][0]["class"], 1);

  LabelQuery part;
  part.fraction = Ratio::percent(20);
  const auto sampled = truth->labels(part, 5000);
  EXPECT_NEAR(static_cast<double>((*sampled)["records"].size()), 200, 45);
  EXPECT_EQ(*sampled, *truth->labels(part, 5000));
}

TEST_F(TruthTest, WithoutAFileThereAreSumsButNoLabels) {
  Result<Truth> truth = Truth::open("");
  ASSERT_TRUE(truth->add(inference(1, 1)).ok());
  EXPECT_EQ(truth->summary()["inferences"], 1);
  EXPECT_EQ(truth->labels({}, 5).error().reason, "NO_TRUTH_FILE");
}

TEST_F(TruthTest, APathThatCannotBeWrittenIsAnErrorWithTheName) {
  const auto truth = Truth::open(directory_ + "/no/such/truth.csv");
  ASSERT_FALSE(truth.ok());
  EXPECT_EQ(truth.error().reason, "TRUTH_FILE");
  EXPECT_NE(truth.error().message.find("/no/such/"), std::string::npos);
}

}  // namespace
}  // namespace covey::simulator
