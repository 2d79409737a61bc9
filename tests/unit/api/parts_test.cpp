// SPDX-License-Identifier: Apache-2.0
// What grows with the fleet or its past is answered in parts, and by pages: between two parts ticks
// and devices have their turns, and the answer is whole all the same.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <set>

#include "gateway/api/handlers.hpp"
#include "gateway/api/limits.hpp"
#include "gateway/engine/queries/questions.hpp"
#include "tests/unit/api/site_port.hpp"

namespace covey::test {
namespace {

constexpr int kDevices = 1'200;  // more than any look sees

// A site as its store has it, of many devices, rollouts, releases, totals, alerts and windows.
class Parts : public ::testing::Test {
 protected:
  Parts() {
    site.connect_broker();
    site.push({1, 0, 0});
    site.join("d0");
    site.run("d0", {1, 0, 0});
  }

  // Each part is followed by a tick and by what a device says; both must have been heard.
  template <typename Request, typename Response>
  Response ask_in_parts(void (*handler)(const api::CallPtr<Request, Response>&),
                        const std::type_identity_t<Request>& request) {
    port.parts = 0;
    size_t turns = 0;
    port.between = [&] {
      ++turns;
      const Millis before = site.engine().state().clocks.last_now.mono;
      site.pass(100ms);
      EXPECT_GT(site.engine().state().clocks.last_now.mono, before) << "no tick between parts";
      const uint32_t said = site.device("d0").status_number;
      site.status("d0");
      EXPECT_GT(site.device("d0").status_number, said);
    };
    Result<Response> answer = ask(port, handler, request);
    port.between = nullptr;
    EXPECT_GT(turns, 0U) << Request::descriptor()->name() << " is one long look";
    EXPECT_TRUE(answer.ok()) << (answer.ok() ? "" : answer.error().message);
    return answer.ok() ? *std::move(answer) : Response();
  }

  Site site;
  SitePort port{site};
};

TEST_F(Parts, OfAFleet) {
  site.join_many("press", kDevices);
  for (int i = 0; i < kDevices; ++i) site.run(fmt::format("press{}", i), {1, 0, 0});
  const v1::GetSiteResponse of_site = ask_in_parts(&api::get_site, v1::GetSiteRequest());
  EXPECT_EQ(of_site.devices().at("ACCEPTED"), kDevices + 1U);
  EXPECT_EQ(of_site.models(0).confirmed().at("1.0.0"), kDevices + 1U);
  v1::ListDevicesRequest devices;
  devices.set_page_size(10);
  devices.set_filter("state = ACCEPTED");
  EXPECT_EQ(ask_in_parts(&api::list_devices, devices).total_size(), kDevices + 1);
  v1::GetReleaseRequest release;
  release.set_name("bearing@1.0.0");
  EXPECT_EQ(ask_in_parts(&api::get_release, release).release().devices_confirmed(), kDevices + 1U);
  const auto releases = ask_in_parts(&api::list_releases, v1::ListReleasesRequest());
  ASSERT_EQ(releases.releases_size(), 1);
  EXPECT_EQ(releases.releases(0).devices_confirmed(), kDevices + 1U);

  site.push({1, 1, 0});
  v1::PlanRolloutRequest plan;
  plan.set_rollout_id("first");
  plan.mutable_spec()->set_release("bearing@1.1.0");
  v1::StageSpec& stage = *plan.mutable_spec()->add_stages();
  stage.set_name("fleet");
  stage.set_size("100%");
  const v1::PlanRolloutResponse planned = ask_in_parts(&api::plan_rollout, plan);
  EXPECT_EQ(planned.matched(), kDevices + 1U);
  EXPECT_EQ(planned.stages(0).devices_new(), kDevices + 1U);
  EXPECT_EQ(static_cast<size_t>(planned.stages(0).devices_size()), kPlanNamesMax);
}

// Without a filter only the page is looked at.
TEST_F(Parts, PagesOfAFleetHaveEachDeviceOnce) {
  site.join_many("press", kDevices);
  v1::ListDevicesRequest request;
  request.set_page_size(150);
  std::set<std::string> names;
  do {
    const Result<v1::ListDevicesResponse> page = ask(port, &api::list_devices, request);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->total_size(), kDevices + 1);
    for (const v1::Device& device : page->devices()) {
      EXPECT_TRUE(names.insert(device.name()).second) << device.name();
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(names.size(), kDevices + 1U);
}

TEST_F(Parts, OfReleases) {
  for (uint32_t i = 1; i <= 120; ++i) site.push({1, i, 0});
  v1::ListReleasesRequest request;
  request.set_parent("models/bearing");
  request.set_page_size(100);
  v1::ListReleasesResponse page = ask_in_parts(&api::list_releases, request);
  ASSERT_EQ(page.releases_size(), 100);
  EXPECT_EQ(page.releases(0).version(), "1.120.0");
  request.set_page_token(page.next_page_token());
  page = ask_in_parts(&api::list_releases, request);
  ASSERT_EQ(page.releases_size(), 21);
  EXPECT_EQ(page.releases(20).version(), "1.0.0");
  EXPECT_EQ(page.next_page_token(), "");
}

TEST_F(Parts, OfRollouts) {
  site.push({1, 1, 0});
  for (int i = 0; i < 60; ++i) {
    const std::string name = fmt::format("r{:02}", i);
    ASSERT_TRUE(site.roll_out(simple_plan(name, "1.1.0")).ok());
    ASSERT_TRUE(site.command(engine::AbortRollout{RolloutName(name), true, ""}).ok());
  }
  v1::ListRolloutsRequest request;
  request.set_page_size(50);
  const v1::ListRolloutsResponse page = ask_in_parts(&api::list_rollouts, request);
  ASSERT_EQ(page.rollouts_size(), 50);
  request.set_page_token(page.next_page_token());
  const Result<v1::ListRolloutsResponse> rest = ask(port, &api::list_rollouts, request);
  ASSERT_TRUE(rest.ok());
  EXPECT_EQ(rest->rollouts_size(), 10);
  EXPECT_EQ(rest->rollouts(9).name(), "rollouts/r59");
}

TEST_F(Parts, OfTelemetry) {
  site.join_many("press", kDevices);
  for (int i = 0; i < kDevices; ++i) {
    const std::string id = fmt::format("press{}", i);
    site.run(id, {1, 0, 0});
    site.report(id, site.window(id, 100));
  }
  v1::GetInferenceTotalsRequest totals;
  totals.set_model("bearing");
  totals.set_page_size(1000);
  v1::GetInferenceTotalsResponse counted = ask_in_parts(&api::get_inference_totals, totals);
  EXPECT_EQ(counted.inferences(), 100U * kDevices);
  ASSERT_EQ(counted.cohorts_size(), 1);
  EXPECT_EQ(counted.cohorts(0).inferences(), 100U * kDevices);
  EXPECT_EQ(counted.devices_size(), 1000);
  totals.set_page_token(counted.next_page_token());
  const Result<v1::GetInferenceTotalsResponse> rest = ask(port, &api::get_inference_totals, totals);
  ASSERT_TRUE(rest.ok());
  EXPECT_EQ(rest->devices_size(), kDevices - 1000);
  EXPECT_EQ(rest->cohorts_size(), 0) << "on the first page only";
  EXPECT_EQ(rest->next_page_token(), "");
  counted.MergeFrom(*rest);
  EXPECT_EQ(counted.inferences(), 100U * kDevices);

  v1::GetAccuracyRequest accuracy;
  accuracy.set_model("bearing");
  const v1::GetAccuracyResponse rows = ask_in_parts(&api::get_accuracy, accuracy);
  ASSERT_EQ(rows.rows_size(), 1);
  EXPECT_EQ(rows.rows(0).inferences(), 100U * kDevices);
  EXPECT_FALSE(rows.rows(0).has_accuracy());

  site.pass(120s, 1s);
  v1::GetDriftRequest drift;
  drift.set_model("bearing");
  const v1::GetDriftResponse seen = ask_in_parts(&api::get_drift, drift);
  EXPECT_EQ(seen.devices(), static_cast<uint32_t>(kDevices));
  EXPECT_EQ(seen.inferences(), 100U * kDevices);
  EXPECT_EQ(seen.histograms(0).outcome(), "OK");
}

// The store gives windows of one start together; an answer ends where it is full all the same, and
// the next one goes on behind it.
TEST_F(Parts, WindowsOfOneStartTakeSeveralPages) {
  std::vector<Write> rows;
  const Digest manifest = site.manifest({1, 0, 0});
  for (int64_t start = 1; start <= 3; ++start) {
    for (int i = 0; i < 150; ++i) {
      WindowRecord row;
      row.manifest = manifest;
      row.cohort = Cohort::canary(RolloutName(fmt::format("r{:03}", i)));
      row.index = start;
      row.start = Millis{start * 60'000};
      row.length = 60'000ms;
      row.counts.classes.assign(1'000, UINT64_MAX);  // ten bytes each
      rows.emplace_back(PutWindow{std::move(row)});
    }
  }
  ASSERT_TRUE(site.store().commit(rows).ok());
  v1::ListWindowsRequest request;
  request.set_model("bearing");
  request.set_page_size(1000);
  std::set<std::pair<int64_t, std::string>> seen;
  int pages = 0;
  for (;;) {
    const Result<v1::ListWindowsResponse> page = ask(port, &api::list_windows, request);
    ASSERT_TRUE(page.ok()) << page.error().message;
    ++pages;
    EXPECT_LT(page->ByteSizeLong(), kPageBytesMax + (64U << 10U));
    for (const v1::Window& window : page->windows()) {
      EXPECT_TRUE(seen.emplace(window.start_ms(), window.cohort()).second) << "shown twice";
    }
    if (page->next_page_token().empty()) break;
    request.set_page_token(page->next_page_token());
  }
  EXPECT_EQ(seen.size(), 450U);
  EXPECT_GT(pages, 7);
  request.set_page_token("");
  request.set_page_size(7);
  const Result<v1::ListWindowsResponse> few = ask(port, &api::list_windows, request);
  ASSERT_TRUE(few.ok());
  EXPECT_EQ(few->windows_size(), 7) << "of 150 with one start";
}

TEST_F(Parts, AlertsTakeSeveralPages) {
  std::vector<Write> rows;
  for (const char* feature : {"rms", "kurtosis", "crest"}) {
    monitoring::Alert alert;
    alert.key = {"bearing", monitoring::AlertKind::kFeatureDrift, feature, "bearing@1.0.0"};
    alert.episode = 1;
    alert.state = monitoring::AlertState::kFiring;
    alert.opened_at = site.now().wall;
    alert.fired_at = site.now().wall;
    rows.emplace_back(PutAlert{std::move(alert)});
  }
  ASSERT_TRUE(site.store().commit(rows).ok());
  site.restart();
  v1::ListAlertsRequest request;
  const Result<v1::ListAlertsResponse> all = ask(port, &api::list_alerts, request);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->alerts_size(), 3);
  request.set_page_size(2);
  const Result<v1::ListAlertsResponse> first = ask(port, &api::list_alerts, request);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->alerts_size(), 2);
  request.set_page_token(first->next_page_token());
  const Result<v1::ListAlertsResponse> second = ask(port, &api::list_alerts, request);
  ASSERT_TRUE(second.ok()) << second.error().message;
  ASSERT_EQ(second->alerts_size(), 1);
  EXPECT_EQ(second->alerts(0).name(), all->alerts(2).name());
  EXPECT_EQ(second->next_page_token(), "");
}

}  // namespace
}  // namespace covey::test
