// SPDX-License-Identifier: Apache-2.0
// The preprocessing blob travels with the model: every field of it may be hostile.
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "examples/bearing_vibration/signal/features.h"
#include "tests/unit/bearing/committed.hpp"

namespace covey::bearing {
namespace {

using Blob = std::vector<uint8_t>;

covey_bearing_status_t parse(const Blob& blob) {
  covey_bearing_params_t params{};
  params.feature[0].offset = 4711;
  const auto status = covey_bearing_params_parse(blob.data(), blob.size(), &params);
  if (status != COVEY_BEARING_OK) {
    EXPECT_EQ(params.feature[0].offset, 4711);
  }
  return status;
}

Blob good() { return committed_bytes("preprocessing.bin"); }

Blob with(size_t at, uint8_t value) {
  auto blob = good();
  blob.at(at) = value;
  return blob;
}

TEST(Parameters, CommittedBlobIsRead) {
  ASSERT_EQ(good().size(), COVEY_BEARING_PARAMS_SIZE);
  EXPECT_EQ(parse(good()), COVEY_BEARING_OK);
}

TEST(Parameters, EveryFieldIsChecked) {
  EXPECT_EQ(parse(with(0, 'X')), COVEY_BEARING_BAD_MAGIC);
  EXPECT_EQ(parse(with(4, 2)), COVEY_BEARING_BAD_VERSION);
  EXPECT_EQ(parse(with(5, 7)), COVEY_BEARING_BAD_FEATURE_COUNT);
  EXPECT_EQ(parse(with(6, 1)), COVEY_BEARING_BAD_PADDING);
  EXPECT_EQ(parse(with(8 + 4, 0)), COVEY_BEARING_BAD_SHIFT);
  EXPECT_EQ(parse(with(8 + 4, 31)), COVEY_BEARING_BAD_SHIFT);
  EXPECT_EQ(parse(with(8 + 3, 0x80)), COVEY_BEARING_BAD_MULTIPLIER);
  EXPECT_EQ(parse(with(8 + 7 * 6 + 5, 1)), COVEY_BEARING_BAD_PADDING);
  auto zero = good();
  zero[8 + 2] = zero[8 + 3] = 0;
  EXPECT_EQ(parse(zero), COVEY_BEARING_BAD_MULTIPLIER);
  auto low = good();
  low[8] = 0;
  low[9] = 0x80;
  EXPECT_EQ(parse(low), COVEY_BEARING_BAD_OFFSET);
}

TEST(Parameters, EveryLengthButTheRightOneIsRefused) {
  const auto blob = good();
  for (size_t n = 0; n < blob.size(); n++) {
    EXPECT_EQ(parse(Blob(blob.begin(), blob.begin() + static_cast<ptrdiff_t>(n))),
              COVEY_BEARING_BAD_SIZE)
        << n;
  }
  auto longer = blob;
  longer.push_back(0);
  EXPECT_EQ(parse(longer), COVEY_BEARING_BAD_SIZE);
}

TEST(Parameters, EveryStatusHasWords) {
  for (int s = COVEY_BEARING_BAD_PADDING; s <= COVEY_BEARING_OK; s++) {
    EXPECT_STRNE(covey_bearing_status_text(static_cast<covey_bearing_status_t>(s)),
                 "unknown status");
  }
}

}  // namespace
}  // namespace covey::bearing
