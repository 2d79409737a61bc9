// SPDX-License-Identifier: Apache-2.0
// The API as the CLI uses it: what each call answers and refuses.
#include <grpcpp/create_channel.h>
#include <unistd.h>

#include <future>

#include "covey/v1/models.grpc.pb.h"
#include "covey/v1/monitoring.pb.h"
#include "gateway/access/caller.hpp"
#include "gateway/api/messages.hpp"
#include "tests/integration/grpc/api_fixture.hpp"

namespace covey {
namespace {

TEST_F(Api, lists_devices_by_page_and_filter) {
  v1::ListDevicesRequest request;
  request.set_page_size(2);
  request.set_filter("state = ACCEPTED");
  auto page = client_->call<v1::ListDevicesResponse>(request);
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(page->total_size(), 3);
  ASSERT_EQ(page->devices_size(), 2);
  request.set_page_token(page->next_page_token());
  page = client_->call<v1::ListDevicesResponse>(request);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->devices_size(), 1);
  EXPECT_EQ(page->devices(0).name(), "devices/press-3");
  EXPECT_TRUE(page->next_page_token().empty());
  request.set_filter("online = true");
  request.clear_page_token();
  page = client_->call<v1::ListDevicesResponse>(request);
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(page->total_size(), 0);
}

TEST_F(Api, errors_carry_code_reason_and_field) {
  v1::ListDevicesRequest list;
  list.set_filter("state = ");
  auto page = client_->call<v1::ListDevicesResponse>(list);
  ASSERT_FALSE(page.ok());
  EXPECT_EQ(page.error().code, Code::kInvalidArgument);
  EXPECT_EQ(page.error().reason, "BAD_FILTER");
  EXPECT_EQ(page.error().message.rfind("filter: ", 0), 0U) << page.error().message;
  list.clear_filter();
  list.set_page_token("nonsense");
  EXPECT_EQ(client_->call<v1::ListDevicesResponse>(list).error().reason, "BAD_PAGE_TOKEN");
  v1::GetDeviceRequest get;
  get.set_name("devices/nobody");
  const auto missing = client_->call<v1::GetDeviceResponse>(get);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  v1::AcceptDevicesRequest accept;
  EXPECT_EQ(client_->call<v1::AcceptDevicesResponse>(accept).error().reason, "NO_DEVICES_NAMED");
}

TEST_F(Api, labels_devices_only_while_the_etag_holds) {
  v1::GetDeviceRequest get;
  get.set_name("devices/press-1");
  const std::string etag = client_->call<v1::GetDeviceResponse>(get)->device().etag();
  v1::LabelDevicesRequest request;
  request.add_names("devices/press-1");
  request.set_etag(etag);
  (*request.mutable_set())["hall"] = "b";
  const auto changed = client_->call<v1::LabelDevicesResponse>(request);
  ASSERT_TRUE(changed.ok()) << changed.error().message;
  EXPECT_EQ(changed->changed(), 1);
  (*request.mutable_set())["hall"] = "c";
  EXPECT_EQ(client_->call<v1::LabelDevicesResponse>(request).error().reason, "ETAG_MISMATCH");
  const auto audit = client_->call<v1::ListAuditEntriesResponse>(v1::ListAuditEntriesRequest());
  ASSERT_TRUE(audit.ok());
  // The newest first: what was refused, and what was done.
  ASSERT_EQ(audit->entries_size(), 2);
  EXPECT_NE(audit->entries(0).detail().find("ETAG_MISMATCH"), std::string::npos)
      << audit->entries(0).detail();
  for (const v1::AuditEntry& entry : audit->entries()) {
    EXPECT_EQ(entry.action(), "LABEL_DEVICES");
    EXPECT_EQ(entry.actor(), access::audit_name(access::local_user(geteuid())));
  }
}

TEST(ApiMessages, a_size_that_was_never_told_is_absent) {
  TotalRecord record;
  record.inferences = 20;
  v1::InferenceTotal silent;
  api::fill(silent, record);
  EXPECT_EQ(silent.inferences(), 20U);
  EXPECT_FALSE(silent.has_heap_free_min_bytes() || silent.has_arena_used_max_bytes() ||
               silent.has_stack_used_max_bytes());
  record.energy_inferences = 1;
  record.energy_sum_uj = 2;
  record.health = {.rejects = 3,
                   .drops = 4,
                   .saturated = 5,
                   .watchdog_resets = 6,
                   .heap_free_min_bytes = 7,
                   .arena_used_max_bytes = 8,
                   .stack_used_max_bytes = 9};
  v1::InferenceTotal told;
  api::fill(told, record);
  EXPECT_EQ(told.energy_inferences(), 1U);
  EXPECT_EQ(told.energy_sum_uj(), 2U);
  EXPECT_EQ(told.rejects(), 3U);
  EXPECT_EQ(told.drops(), 4U);
  EXPECT_EQ(told.saturated(), 5U);
  EXPECT_EQ(told.watchdog_resets(), 6U);
  EXPECT_EQ(told.heap_free_min_bytes(), 7U);
  EXPECT_EQ(told.arena_used_max_bytes(), 8U);
  EXPECT_EQ(told.stack_used_max_bytes(), 9U);
}

TEST_F(Api, takes_a_signed_release_once_and_for_all) {
  const Result<PrivateKey> key = PrivateKey::generate(SignatureAlgorithm::kEs256);
  const Upload upload = upload_of(*key);
  EXPECT_EQ(push(upload).error().reason, "KEY_UNKNOWN");
  trust(key->public_key());
  const auto pushed = push(upload);
  ASSERT_TRUE(pushed.ok()) << pushed.error().message;
  EXPECT_FALSE(pushed->already_existed());
  const auto audit = client_->call<v1::ListAuditEntriesResponse>(v1::ListAuditEntriesRequest());
  ASSERT_TRUE(audit.ok());
  EXPECT_EQ(audit->entries(0).action(), "CREATE_RELEASE");
  EXPECT_EQ(audit->entries(0).actor(), access::audit_name(access::local_user(geteuid())));
  EXPECT_EQ(pushed->release().name(), "models/bearing-vibration/releases/1.0.0");
  const auto again = push(upload);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(again->already_existed());
  v1::ListReleasesRequest list;
  list.set_parent("models/-");
  EXPECT_EQ(client_->call<v1::ListReleasesResponse>(list)->releases_size(), 1);
}

// An upload by hand: `parts` of it, then nothing until the server ends it.
grpc::Status send_parts(const std::string& target, const v1::ReleaseHeader* header, int pieces,
                        const Bytes& image) {
  const auto stub =
      v1::ModelService::NewStub(grpc::CreateChannel(target, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  v1::CreateReleaseResponse response;
  const auto writer = stub->CreateRelease(&context, &response);
  v1::CreateReleaseRequest part;
  if (header != nullptr) {
    *part.mutable_header() = *header;
    (void)writer->Write(part);
  }
  for (int i = 0; i < pieces; ++i) {
    part.mutable_piece()->set_data(image.data(), 1);
    (void)writer->Write(part);
  }
  return writer->Finish();
}

TEST_F(Api, an_upload_that_stands_still_ends_and_gives_its_place_back) {
  server_->stop(Millis{1000});
  server_.reset();
  GrpcOptions options;
  options.unix_path = folder_ / "covey.sock";
  options.upload_piece_timeout = 400ms;
  Result<std::unique_ptr<GrpcServer>> server = GrpcServer::start(*engine_, options);
  ASSERT_TRUE(server.ok()) << server.error().message;
  server_ = *std::move(server);
  const Result<PrivateKey> key = PrivateKey::generate(SignatureAlgorithm::kEs256);
  const Upload upload = upload_of(*key);
  // Nobody trusted has signed it: refused before an image, and at once.
  EXPECT_EQ(send_parts(local(), &upload.header, 0, upload.images[0]).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  trust(key->public_key());
  std::vector<std::future<grpc::Status>> still;
  for (int i = 0; i < 6; ++i) {
    still.push_back(std::async(std::launch::async, [&, i] {
      return send_parts(tcp(), i == 5 ? nullptr : &upload.header, i == 5 ? 0 : i % 2,
                        upload.images[0]);
    }));
  }
  int stalled = 0;
  int refused = 0;
  for (auto& each : still) {
    const grpc::Status status = each.get();
    stalled += status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ? 1 : 0;
    refused += status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ? 1 : 0;
  }
  EXPECT_EQ(stalled + refused, 6);
  EXPECT_GE(stalled, 1);
  const auto pushed = push(upload);
  EXPECT_TRUE(pushed.ok()) << pushed.error().message;
}

TEST_F(Api, refuses_uploads_that_are_not_what_their_manifest_says) {
  const Result<PrivateKey> key = PrivateKey::generate(SignatureAlgorithm::kEs256);
  trust(key->public_key());
  const Upload good = upload_of(*key);
  Upload bad = good;
  bad.images[0].pop_back();
  EXPECT_EQ(push(bad).error().reason, "TRUNCATED_IMAGE");
  bad = good;
  bad.images[0].push_back(0);
  EXPECT_EQ(push(bad).error().reason, "OVERSIZED_IMAGE");
  bad = good;
  bad.images[0][100] ^= 1;
  EXPECT_FALSE(push(bad).ok());
  bad = good;
  bad.header.set_version("2.0.0");
  EXPECT_EQ(push(bad).error().reason, "RELEASE_MISMATCH");
  bad = good;
  bad.header.mutable_artifacts(0)->set_gateway_part("{}");
  EXPECT_FALSE(push(bad).ok());
  bad = good;
  bad.header.clear_artifacts();
  EXPECT_EQ(push(bad).error().reason, "NO_ARTIFACT");
  EXPECT_TRUE(push(good).ok());
}

TEST_F(Api, a_rollout_is_planned_created_watched_and_aborted) {
  push_release();
  v1::PlanRolloutRequest plan;
  plan.set_rollout_id("first");
  *plan.mutable_spec() = rollout_request().spec();
  const auto planned = client_->call<v1::PlanRolloutResponse>(plan);
  ASSERT_TRUE(planned.ok()) << planned.error().message;
  EXPECT_EQ(planned->matched(), 3U);
  EXPECT_EQ(planned->stages(0).devices_size(), 3);

  v1::CreateRolloutRequest request = rollout_request();
  request.set_request_id("job-17");
  const auto created = client_->call<v1::CreateRolloutResponse>(request);
  ASSERT_TRUE(created.ok()) << created.error().message;
  EXPECT_EQ(created->rollout().state(), v1::ROLLOUT_STATE_RUNNING);
  const auto repeated = client_->call<v1::CreateRolloutResponse>(request);
  ASSERT_TRUE(repeated.ok()) << repeated.error().message;
  EXPECT_EQ(repeated->rollout().name(), "rollouts/first");

  // Each state makes the next command: the watch sees every one of them, in order, and its end.
  std::vector<v1::RolloutState> seen;
  cli::Client other(tcp(), Millis{10'000});
  const Status watched =
      other.watch_rollout("rollouts/first", Millis{20'000}, [&](const v1::Rollout& rollout) {
        if (!seen.empty() && seen.back() == rollout.state()) return true;
        seen.push_back(rollout.state());
        if (seen.size() == 1) {
          v1::PauseRolloutRequest pause;
          pause.set_name(rollout.name());
          EXPECT_TRUE(client_->call<v1::PauseRolloutResponse>(pause).ok());
        } else if (rollout.state() == v1::ROLLOUT_STATE_PAUSED) {
          v1::AbortRolloutRequest abort;
          abort.set_name(rollout.name());
          abort.set_etag("1");
          EXPECT_EQ(client_->call<v1::AbortRolloutResponse>(abort).error().reason, "ETAG_MISMATCH");
          abort.set_etag(rollout.etag());
          const auto aborted = client_->call<v1::AbortRolloutResponse>(abort);
          EXPECT_TRUE(aborted.ok()) << aborted.error().message;
        }
        return true;
      });
  EXPECT_TRUE(watched.ok()) << watched.error().message;
  EXPECT_EQ(seen,
            (std::vector<v1::RolloutState>{v1::ROLLOUT_STATE_RUNNING, v1::ROLLOUT_STATE_PAUSED,
                                           v1::ROLLOUT_STATE_ABORTED}));
  v1::ListRolloutEventsRequest history;
  history.set_parent("rollouts/first");
  history.set_page_size(1);
  uint64_t last = 0;
  for (int page = 0; page < 20; ++page) {
    const auto events = client_->call<v1::ListRolloutEventsResponse>(history);
    ASSERT_TRUE(events.ok()) << events.error().message;
    for (const v1::RolloutEvent& event : events->events()) {
      EXPECT_GT(event.sequence(), last);
      last = event.sequence();
    }
    if (events->next_page_token().empty()) break;
    history.set_page_token(events->next_page_token());
  }
  EXPECT_GT(last, 1U);
}

// An empty page would say that nothing ever happened.
TEST_F(Api, a_busy_history_is_no_empty_page) {
  push_release();
  ASSERT_TRUE(client_->call<v1::CreateRolloutResponse>(rollout_request()).ok());
  engine_->history_busy = true;
  const auto is_busy = [](const auto& answer) {
    return !answer.ok() && answer.error().code == Code::kResourceExhausted &&
           answer.error().reason == "ENGINE_BUSY";
  };
  EXPECT_TRUE(is_busy(client_->call<v1::ListAuditEntriesResponse>(v1::ListAuditEntriesRequest())));
  v1::ListDeploymentsRequest deployments;
  deployments.set_parent("rollouts/first");
  EXPECT_TRUE(is_busy(client_->call<v1::ListDeploymentsResponse>(deployments)));
  v1::ListRolloutEventsRequest events;
  events.set_parent("rollouts/first");
  EXPECT_TRUE(is_busy(client_->call<v1::ListRolloutEventsResponse>(events)));
  v1::ListWindowsRequest windows;
  windows.set_model("bearing-vibration");
  EXPECT_TRUE(is_busy(client_->call<v1::ListWindowsResponse>(windows)));
}

TEST_F(Api, labels_name_the_line_that_is_wrong) {
  v1::SubmitLabelsRequest request;
  request.set_model("bearing-vibration");
  request.add_labels()->set_device("press-1");
  const auto answer = client_->call<v1::SubmitLabelsResponse>(request);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().message.rfind("labels[0].boot_id", 0), 0U) << answer.error().message;
}

}  // namespace
}  // namespace covey
