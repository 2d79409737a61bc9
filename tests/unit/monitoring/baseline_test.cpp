// SPDX-License-Identifier: Apache-2.0
#include "monitoring/counts/baseline.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace covey::monitoring {
namespace {

Baseline good() {
  Baseline b;
  b.features = {{"rms", {-5, 0, 7}, {10, 20, 30, 40}, -20, 50}, {"kurtosis", {}, {100}, 0, 9}};
  b.class_names = {"ok", "inner"};
  b.classes = {60, 40};
  b.confidence = Counts(kConfidenceBins, 6);
  b.confidence_correct = Counts(kConfidenceBins, 5);
  b.confusion = {{55, 5}, {5, 35}};
  return b;
}

TEST(Baseline, shape_follows_its_bins_and_classes) {
  EXPECT_TRUE(check(good()));
  EXPECT_EQ(shape_of(good()), (Shape{{4, 1}, 2}));
  EXPECT_TRUE(check(Baseline{}));
}

TEST(Baseline, every_contradiction_is_refused) {
  const std::vector<std::function<void(Baseline&)>> mistakes{
      [](Baseline& b) { b.features.resize(17, b.features[0]); },
      [](Baseline& b) { b.features[0].name.clear(); },
      [](Baseline& b) { b.features[0].edges.pop_back(); },
      [](Baseline& b) { b.features[0].edges[1] = b.features[0].edges[0]; },
      [](Baseline& b) { b.features[0].counts = Counts(4); },
      [](Baseline& b) { b.features[0].counts[0] = ~uint64_t{0}; },
      [](Baseline& b) { b.features[0].counts.clear(); },
      [](Baseline& b) { b.features[0].min = 51; },
      [](Baseline& b) { b.class_names.pop_back(); },
      [](Baseline& b) { b.classes = Counts(65, 1), b.class_names.resize(65); },
      [](Baseline& b) { b.confusion.pop_back(); },
      [](Baseline& b) { b.confusion[0].push_back(1); },
      [](Baseline& b) { b.confidence.pop_back(), b.confidence_correct.pop_back(); },
      [](Baseline& b) { b.confidence_correct.pop_back(); },
      [](Baseline& b) { b.confidence_correct[3] = 7; },
  };
  for (size_t i = 0; i < mistakes.size(); ++i) {
    Baseline b = good();
    mistakes[i](b);
    const Status status = check(b);
    ASSERT_FALSE(status) << "mistake " << i;
    EXPECT_EQ(status.error().reason, "BAD_BASELINE");
  }
}

}  // namespace
}  // namespace covey::monitoring
