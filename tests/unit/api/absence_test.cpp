// SPDX-License-Identifier: Apache-2.0
// What is asked about something that isn't there is NOT_FOUND and says what isn't: each RPC of the
// table whose request names a resource.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>

#include "gateway/api/handlers.hpp"
#include "tests/unit/api/site_port.hpp"

namespace covey::test {
namespace {

// Fields that name what a request is about.
bool names_a_resource(const std::string& field) {
  static const std::set<std::string> kFields{"name", "parent", "model", "device", "names"};
  return kFields.contains(field);
}

// Whatever else a request needs to be well formed.
template <typename Request>
void complete(Request&) {}
void complete(v1::LabelDevicesRequest& to) { (*to.mutable_set())["hall"] = "b"; }
void complete(v1::ReplaceDeviceRequest& to) { to.set_successor("devices/d0"); }

template <typename Request>
std::set<std::string> fields_of() {
  std::set<std::string> fields;
  for (int i = 0; i < Request::descriptor()->field_count(); ++i) {
    const std::string& name = Request::descriptor()->field(i)->name();
    if (names_a_resource(name)) fields.insert(name);
  }
  return fields;
}

template <typename Request>
Request request_about(const std::string& what) {
  Request request;
  for (const std::string& name : fields_of<Request>()) {
    const auto* field = Request::descriptor()->FindFieldByName(name);
    if (field->is_repeated()) {
      request.GetReflection()->AddString(&request, field, what);
    } else {
      request.GetReflection()->SetString(&request, field, what);
    }
  }
  complete(request);
  return request;
}

class Absence : public ::testing::Test {
 protected:
  Absence() {
    site.connect_broker();
    site.push({1, 0, 0});
    site.join("d0");
    site.run("d0", {1, 0, 0});
  }
  template <typename Request, typename Response>
  void check(void (*handler)(const api::CallPtr<Request, Response>&), const std::string& method) {
    if (fields_of<Request>().empty()) return;
    ++asked;
    const std::string nobody =
        method.find("Release") == std::string::npos || method[0] == 'L' ? "nobody" : "nobody@9.9.9";
    const Result<Response> answer = ask(port, handler, request_about<Request>(nobody));
    ASSERT_FALSE(answer.ok()) << method << " of nobody is an answer";
    EXPECT_EQ(answer.error().code, Code::kNotFound) << method << ": " << answer.error().message;
    EXPECT_NE(answer.error().message.find(nobody), std::string::npos) << answer.error().message;
  }

  Site site;
  SitePort port{site};
  size_t asked = 0;
};

TEST_F(Absence, EachRpcSaysWhatIsNotThere) {
#define COVEY_CHECK(Method, handler, role, effect) check(&api::handler, #Method);
#define COVEY_NOT_UNARY(...)  // CreateRelease names nothing; WatchRollout: tests/integration/grpc
  COVEY_RPCS(COVEY_CHECK, COVEY_NOT_UNARY)
#undef COVEY_CHECK
#undef COVEY_NOT_UNARY
  EXPECT_GT(asked, 20U);
}

// Two things are named: the second one isn't there.
TEST_F(Absence, ADeviceThatIsNotThereHasNoWindowsAndIsNotSkipped) {
  v1::ListWindowsRequest windows;
  windows.set_model("bearing");
  windows.set_device("d0");
  EXPECT_TRUE(ask(port, &api::list_windows, windows).ok());
  windows.set_device("nobody");
  EXPECT_EQ(ask(port, &api::list_windows, windows).error().code, Code::kNotFound);
  site.push({1, 1, 0});
  ASSERT_TRUE(site.roll_out(simple_plan("first", "1.1.0")).ok());
  v1::SkipDeviceRequest skip;
  skip.set_name("first");
  skip.set_device("nobody");
  EXPECT_EQ(ask(port, &api::skip_device, skip).error().code, Code::kNotFound);
}

TEST_F(Absence, AReleaseThatIsNotThereHasNoPlanAndNoDrift) {
  v1::PlanRolloutRequest plan;
  plan.set_rollout_id("first");
  plan.mutable_spec()->set_release("bearing@9.9.9");
  v1::StageSpec& stage = *plan.mutable_spec()->add_stages();
  stage.set_name("fleet");
  stage.set_size("100%");
  EXPECT_EQ(ask(port, &api::plan_rollout, plan).error().code, Code::kNotFound);
  v1::CreateRolloutRequest create;
  create.set_rollout_id("first");
  *create.mutable_spec() = plan.spec();
  EXPECT_EQ(ask(port, &api::create_rollout, create).error().code, Code::kNotFound);
  v1::GetDriftRequest drift;
  drift.set_model("bearing");
  drift.set_release("9.9.9");
  EXPECT_EQ(ask(port, &api::get_drift, drift).error().code, Code::kNotFound);
}

// What exists and has nothing answers with nothing.
TEST_F(Absence, ARolloutWithoutEventsOfAPageHasAnEmptyPage) {
  site.push({1, 1, 0});
  ASSERT_TRUE(site.roll_out(simple_plan("first", "1.1.0")).ok());
  v1::ListRolloutEventsRequest events;
  events.set_parent("first");
  Result<v1::ListRolloutEventsResponse> page = ask(port, &api::list_rollout_events, events);
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_GT(page->events_size(), 0);
  v1::ListReleasesRequest all;
  EXPECT_TRUE(ask(port, &api::list_releases, all).ok());
  all.set_parent("models/-");
  EXPECT_TRUE(ask(port, &api::list_releases, all).ok());
}

}  // namespace
}  // namespace covey::test
