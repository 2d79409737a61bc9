// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

using engine::ChunkResult;
using engine::Drop;

class Transfer : public testing::Test {
 protected:
  void make(uint64_t bytes_per_s = 1'000'000) {
    engine::EngineConfig config = quick_config();
    config.bandwidth_bytes_per_s = bytes_per_s;
    site = std::make_unique<Site>(config);
    site->push({1, 0, 0});
    site->push({1, 1, 0});
    site->join("a");
    EXPECT_TRUE(site->roll_out(simple_plan("r", "1.1.0")).ok());
    site->pass(1s);
    manifest = site->manifest({1, 1, 0});
    attempt = site->newest("a").attempt;
  }
  engine::PublishChunks fetch(const Digest& of, uint32_t first, uint32_t bitmap, uint32_t number) {
    const auto effects = site->send("a", engine::FetchMessage{of, first, bitmap, number});
    const auto* chunks = find<engine::PublishChunks>(effects);
    return chunks == nullptr ? engine::PublishChunks{} : *chunks;
  }
  std::unique_ptr<Site> site;
  Digest manifest;
  uint32_t attempt = 0;
};

TEST_F(Transfer, GivesWhatWasAskedFor) {
  make();
  const auto chunks = fetch(manifest, 2, 0b101, attempt);
  EXPECT_EQ(chunks.result, ChunkResult::kOk);
  EXPECT_EQ(chunks.indexes, (std::vector<uint32_t>{2, 4}));
  EXPECT_EQ(chunks.manifest, engine::prefix_of(manifest));
  ASSERT_NE(chunks.artifact, nullptr);
  EXPECT_EQ(chunks.artifact->digest, manifest);
}

TEST_F(Transfer, DevicesAreToldToComeLaterBeforeAQueueIsFull) {
  make();
  site->backlog.lifecycle_percent = 49;
  site->pass(100ms);
  EXPECT_EQ(fetch(manifest, 0, 1, attempt).result, ChunkResult::kOk);
  site->backlog.lifecycle_percent = 60;
  site->pass(1s);
  const auto busy = fetch(manifest, 1, 1, attempt);
  EXPECT_EQ(busy.result, ChunkResult::kBusy);
  EXPECT_EQ(busy.retry_after_ms, 1'600U);
  site->backlog.lifecycle_percent = 100;
  site->pass(1s);
  EXPECT_EQ(fetch(manifest, 1, 1, attempt).retry_after_ms, 4'000U);
  site->backlog.lifecycle_percent = 0;
  site->pass(1s);
  EXPECT_EQ(fetch(manifest, 1, 1, attempt).result, ChunkResult::kOk);
}

TEST_F(Transfer, ReportsAreToldToComeLaterBeforeTheirQueueIsFull) {
  make();
  const auto told = [&] {
    const auto effects = site->send("a", site->hello_of("a"));
    const auto* ack = find<engine::PublishAck>(effects);
    return ack == nullptr ? UINT32_MAX : ack->ack.backoff_ms;
  };
  EXPECT_EQ(told(), 0U);
  site->backlog.telemetry_percent = 50;
  site->pass(1s);
  EXPECT_EQ(told(), 1'000U);
}

TEST_F(Transfer, WhatIsNotItsGoalIsSuperseded) {
  make();
  EXPECT_EQ(fetch(site->manifest({1, 0, 0}), 0, 1, attempt).result, ChunkResult::kSuperseded);
  EXPECT_EQ(fetch(manifest, 0, 1, attempt + 1).result, ChunkResult::kSuperseded);
  ASSERT_TRUE(site->command(engine::AbortRollout{RolloutName("r"), true, ""}).ok());
  EXPECT_EQ(fetch(manifest, 0, 1, attempt).result, ChunkResult::kSuperseded);
  EXPECT_EQ(site->drops(Drop::kFetchSuperseded), 3U);
}

TEST_F(Transfer, WhatDoesNotExistIsNotFound) {
  make();
  EXPECT_EQ(fetch(Digest{}, 0, 1, attempt).result, ChunkResult::kNotFound);
  EXPECT_EQ(fetch(manifest, 1000, 0xffffffff, attempt).result, ChunkResult::kNotFound);
  // The last chunk and a bitmap that goes beyond: what there is.
  const uint32_t count =
      site->state().catalogue.artifacts.at(manifest).artifact->manifest.chunk_count();
  const auto last = fetch(manifest, count - 1, 0xffffffff, attempt);
  EXPECT_EQ(last.result, ChunkResult::kOk);
  EXPECT_EQ(last.indexes, (std::vector<uint32_t>{count - 1}));
  EXPECT_EQ(
      find<engine::PublishChunks>(site->send("a", engine::FetchMessage{manifest, 0, 0, attempt})),
      nullptr);
}

// rauc-hawkbit-updater#223: a link is not there for one fleet alone.
TEST_F(Transfer, BeyondTheSitesBandwidthItIsBusyAndSaysWhenToComeAgain) {
  make(1024);
  EXPECT_EQ(fetch(manifest, 0, 0b11111, attempt).result, ChunkResult::kOk);
  const auto busy = fetch(manifest, 4, 0b1111, attempt);
  EXPECT_EQ(busy.result, ChunkResult::kBusy);
  EXPECT_GE(busy.retry_after_ms, 250U) << "when its own debt is paid";
  EXPECT_EQ(site->drops(Drop::kFetchBusy), 1U);
  site->pass(1s);
  EXPECT_EQ(fetch(manifest, 4, 0b1111, attempt).result, ChunkResult::kOk);
}

// A link slower than one request's worth must still deliver.
TEST_F(Transfer, AWindowLargerThanASecondOfBandwidthIsNotBusyForEver) {
  make(1024);
  site->pass(10s);
  EXPECT_EQ(fetch(manifest, 0, 0xff, attempt).result, ChunkResult::kOk);
}

// A busy gateway answers the first of two; the second was on its way, or waited here, when it did.
TEST_F(Transfer, WhatWaitedBehindItsAnswerIsNotAnsweredAgain) {
  make();
  engine::FromDevice again = site->sealed("a", engine::FetchMessage{manifest, 0, 0b111, attempt});
  again.arrived = site->now().mono;
  EXPECT_EQ(fetch(manifest, 0, 0b111, attempt).result, ChunkResult::kOk);
  site->pass(5s);
  EXPECT_EQ(find<engine::PublishChunks>(site->handle(again)), nullptr);
  EXPECT_EQ(site->drops(Drop::kFetchBusy), 1U);
  again.arrived = site->now().mono;
  EXPECT_NE(find<engine::PublishChunks>(site->handle(again)), nullptr) << "it was lost";
}

// One that asks without end has its part, not that of the others.
TEST_F(Transfer, EachDeviceHasItsPartOfTheBandwidth) {
  engine::EngineConfig config = quick_config();
  config.bandwidth_bytes_per_s = 4'096;
  site = std::make_unique<Site>(config);
  site->push({1, 1, 0});
  site->join_many("d", 4);
  site->join("liar");
  ASSERT_TRUE(site->roll_out(simple_plan("r", "1.1.0")).ok());
  site->pass(1s);
  manifest = site->manifest({1, 1, 0});
  std::map<std::string, size_t> sent;
  size_t answers = 0;
  const auto ask = [&](const std::string& id, uint32_t bitmap) {
    const auto effects =
        site->send(id, engine::FetchMessage{manifest, 0, bitmap, site->newest(id).attempt});
    const auto* chunks = find<engine::PublishChunks>(effects);
    if (chunks == nullptr) return;
    if (id == "liar") ++answers;
    if (chunks->result == ChunkResult::kOk) sent[id] += chunks->indexes.size();
  };
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 20; ++i) ask("liar", 0xffffffff);
    for (int i = 0; i < 4; ++i) ask("d" + std::to_string(i), 0b11);
    site->pass(100ms);
  }
  for (int i = 0; i < 4; ++i) {
    EXPECT_GE(2 * sent["d" + std::to_string(i)], sent["liar"]) << i;
    EXPECT_GT(sent["d" + std::to_string(i)], 0U);
  }
  EXPECT_LE(answers, 1'000U) << "of 4,000 questions";
}

}  // namespace
}  // namespace covey::test
