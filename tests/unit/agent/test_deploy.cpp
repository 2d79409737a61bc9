// SPDX-License-Identifier: Apache-2.0
// From an order to a confirmed model, and what can go wrong on the way.
#include <gtest/gtest.h>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

TEST(Deploy, FromNothingToConfirmed) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({});
  ASSERT_TRUE(bench.deploy(release));
  bench.run(5000, 50);
  const std::vector<std::string> expected = {"PHASE_IDLE", "PHASE_DOWNLOADING", "PHASE_PROBATION",
                                             "PHASE_PROBATION_OK", "PHASE_CONFIRMED"};
  std::vector<std::string> seen;
  for (const std::string& phase : bench.gateway.phases) {
    if (phase != "PHASE_VERIFYING" && phase != "PHASE_STAGED") seen.push_back(phase);
  }
  EXPECT_EQ(seen, expected);
  const wire::ModelState* state = bench.gateway.state();
  ASSERT_NE(state, nullptr);
  EXPECT_EQ(state->confirmed(), release.digest);
  EXPECT_EQ(state->active(), release.digest);
  EXPECT_EQ(state->candidate(), release.digest);
  EXPECT_EQ(state->attempt(), 1U);
  EXPECT_EQ(bench.gateway.bad_macs, 0);
  EXPECT_EQ(bench.device.counters().bugs, 0U);
  EXPECT_EQ(bench.device.flash.written_twice, 0U);
  EXPECT_EQ(bench.device.flash.misaligned, 0U);

  covey_model_view_t view{};
  ASSERT_EQ(covey_agent_model(&bench.device.agent, 0, &view), 0);
  EXPECT_EQ(view.model_size, release.manifest.model_size_bytes());
  EXPECT_EQ(view.preprocessing_size, 40U);
  EXPECT_EQ(view.preprocessing[0], 'p');
  EXPECT_EQ(reinterpret_cast<uintptr_t>(view.model) % COVEY_ARENA_ALIGN, 0U);
}

TEST(Deploy, SecondReleaseLeavesTheFirstAsFallback) {
  Bench bench;
  bench.bring_up();
  const Release first = make_release({});
  const Release second = make_release({.version = "1.1.0", .seed = 2});
  ASSERT_TRUE(bench.deploy(first));
  ASSERT_TRUE(bench.deploy(second, 2));
  bench.run(3000);
  EXPECT_EQ(bench.gateway.state()->fallback(), first.digest);
  // Back again needs no download.
  const uint64_t chunks = bench.gateway.chunks_sent;
  ASSERT_TRUE(bench.deploy(first, 3));
  EXPECT_EQ(bench.gateway.chunks_sent, chunks);
}

TEST(Deploy, ConfirmedSurvivesReboot) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({});
  ASSERT_TRUE(bench.deploy(release));
  ASSERT_TRUE(bench.reboot());
  EXPECT_EQ(bench.device.active(), release.digest);
  bench.run(5000);
  EXPECT_EQ(bench.gateway.state()->phase(), wire::PHASE_CONFIRMED);
}

TEST(Deploy, WorksInSmallPiecesAndWithOtherGeometries) {
  for (const covey_host_geometry_t geometry : {covey_host_geometry_t{64U << 10U, 512, 4, 0xff},
                                               covey_host_geometry_t{64U << 10U, 4096, 64, 0xff},
                                               covey_host_geometry_t{64U << 10U, 2048, 32, 0x00},
                                               covey_host_geometry_t{128U << 10U, 16384, 16, 0xff},
                                               covey_host_geometry_t{64U << 10U, 1024, 1, 0xff}}) {
    DeviceOptions options;
    options.geometry = geometry;
    options.journal_bytes = 2 * std::max<uint32_t>(1024, geometry.erase_unit_bytes);
    options.piece_bytes = 37;
    options.slot_bytes = geometry.erase_unit_bytes > 4096 ? 16384 : 14336;
    Bench bench(options);
    bench.bring_up();
    const Release first = make_release({});
    const Release second = make_release({.version = "1.1.0", .seed = 2});
    EXPECT_TRUE(bench.deploy(first)) << geometry.erase_unit_bytes;
    EXPECT_TRUE(bench.deploy(second, 2)) << geometry.erase_unit_bytes;
    EXPECT_EQ(bench.device.flash.written_twice, 0U);
    EXPECT_EQ(bench.device.flash.misaligned, 0U);
    EXPECT_EQ(bench.device.counters().bugs, 0U);
  }
}

TEST(Deploy, LossyNetworkOnlyTakesLonger) {
  Bench bench;
  bench.bring_up();
  bench.lose_every = 3;
  const Release release = make_release({});
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release});
  bench.run(1);
  EXPECT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED, 1'000'000));
}

// A request is late only when nothing of it comes any more, however long all of it takes.
TEST(Deploy, SlowLinkBringsEachChunkOnce) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({.model_bytes = 8000});
  bench.chunk_ms = 1500;  // a window of eight takes six times the first repetition
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release});
  bench.run(1);
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED));
  EXPECT_EQ(bench.gateway.chunks_sent, (release.manifest.image_size_bytes() + 511) / 512);
}

// A gateway that needs longer than the first repetition would answer each repetition, too: a device
// learns how long it takes, and forgets it when answers come soon again.
TEST(Deploy, SlowGatewayIsAskedOnceForEachChunk) {
  constexpr size_t kWindow = COVEY_FETCH_WINDOW;
  Bench bench({.slot_bytes = 30U << 10U});
  bench.bring_up();
  const Release release = make_release({.model_bytes = 20'000});
  const size_t chunks = (release.manifest.image_size_bytes() + 511) / 512;
  bench.answer_ms = 7'000;
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release});
  bench.run(1);
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED, 600'000));
  EXPECT_LE(bench.gateway.chunks_sent, chunks + 3 * kWindow);
  EXPECT_GT(bench.device.agent.patience, 0);
  bench.answer_ms = 0;
  bench.run(600'000, 1'000);
  EXPECT_EQ(bench.device.agent.patience, 0);
}

TEST(Deploy, BusyIsWaitedForAndNotFoundEnds) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({});
  bench.gateway.add(release);
  bench.gateway.chunk_result = wire::CHUNK_RESULT_BUSY;
  bench.gateway.want({.candidate = &release});
  bench.run(60'000);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_DOWNLOADING);
  EXPECT_LE(bench.gateway.fetches.size(), 130U);
  bench.gateway.chunk_result = wire::CHUNK_RESULT_NOT_FOUND;
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_FAILED, 3'000'000));
  EXPECT_EQ(bench.device.status().reason, COVEY_ERROR_NOT_FOUND);
  // The end: the same attempt is not tried again.
  const size_t fetches = bench.gateway.fetches.size();
  bench.run(600'000);
  EXPECT_EQ(bench.gateway.fetches.size(), fetches);
  // A newer attempt is.
  bench.gateway.chunk_result = wire::CHUNK_RESULT_OK;
  EXPECT_TRUE(bench.deploy(release, 2));
}

TEST(Deploy, SilentGatewayEndsInFetchTimeout) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({});
  bench.gateway.add(release);
  bench.gateway.chunks_left = 0;
  bench.gateway.want({.candidate = &release}, 100'000);
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_FAILED, 5'000'000));
  EXPECT_EQ(bench.device.status().reason, COVEY_ERROR_FETCH_TIMEOUT);
}

TEST(Deploy, DamagedChunksAreAskedForAgainButNotForEver) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({});
  bench.gateway.corrupt_chunks = 5;
  ASSERT_TRUE(bench.deploy(release));
  EXPECT_EQ(bench.device.counters().chunks_bad, 5U);
  const Release second = make_release({.version = "1.1.0", .seed = 2});
  bench.gateway.add(second);
  bench.gateway.corrupt_chunks = 1'000'000;
  bench.gateway.want({.candidate = &second, .attempt = 2});
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_FAILED, 5'000'000));
  EXPECT_EQ(bench.device.status().reason, COVEY_ERROR_CHUNK_DIGEST);
  EXPECT_EQ(bench.device.active(), release.digest);
}

TEST(Deploy, LeaseLapses) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({});
  bench.gateway.add(release);
  bench.gateway.chunks_left = 0;
  bench.gateway.want({.candidate = &release}, 20);
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_FAILED, 30'000));
  EXPECT_EQ(bench.device.status().reason, COVEY_ERROR_LEASE_EXPIRED);
  // Without a lease no work starts.
  bench.gateway.chunks_left = -1;
  bench.gateway.want({.candidate = &release, .attempt = 2}, 0);
  bench.run(60'000);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_IDLE);
}

TEST(Deploy, CancelInTheDownload) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({});
  bench.gateway.add(release);
  bench.gateway.chunks_left = 0;
  bench.gateway.want({.candidate = &release});
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_DOWNLOADING));
  bench.gateway.want(Gateway::Want{}, 0);
  bench.run(400'000);  // until the device speaks again
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_IDLE);
  EXPECT_EQ(bench.device.status().candidate, nullptr);
}

TEST(Deploy, StagedWaitsForTheOrderToActivate) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({});
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release, .mode = wire::GOAL_MODE_STAGED});
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_STAGED));
  bench.run(60'000);
  EXPECT_EQ(bench.device.active(), "");
  ASSERT_TRUE(bench.reboot());
  bench.run(60'000);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_STAGED);
  bench.gateway.want({.candidate = &release});
  bench.device.disconnect();
  bench.device.connect();
  EXPECT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED));
}

TEST(Deploy, ShadowIsDeclinedForNow) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({});
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release, .mode = wire::GOAL_MODE_SHADOW});
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_DECLINED));
  EXPECT_EQ(bench.device.status().reason, COVEY_ERROR_UNSUPPORTED);
}

TEST(Deploy, ApplicationMayVeto) {
  Bench bench;
  bench.bring_up();
  bench.device.permit_answer = wire::REASON_LOW_BATTERY;
  const Release release = make_release({});
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release});
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_DECLINED));
  bench.run(10'000);
  EXPECT_EQ(bench.gateway.state()->reason(), wire::REASON_LOW_BATTERY);
  EXPECT_EQ(bench.gateway.state()->retry_after_s(), 60U);
}

TEST(Deploy, FailingFlashIsReportedWithThePortsCode) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({});
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release});
  bench.gateway.chunks_left = 3;
  bench.run(1000);
  bench.device.flash.fail_at = bench.device.flash.operations + 1;
  bench.gateway.chunks_left = -1;
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_FAILED));
  bench.run(10'000);
  EXPECT_EQ(bench.gateway.state()->reason(), wire::REASON_FLASH_WRITE);
  EXPECT_EQ(bench.gateway.state()->port_code(), -1001);
  EXPECT_TRUE(bench.deploy(release, 2));
}

}  // namespace
}  // namespace covey::agent_test
