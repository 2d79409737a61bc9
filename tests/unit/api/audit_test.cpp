// SPDX-License-Identifier: Apache-2.0
// Whatever changes something says who did it: each such RPC of the table, called once.
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "deploy/signing/keys.hpp"
#include "gateway/api/handlers.hpp"

namespace covey::test {
namespace {

// Keeps what it is asked for, does nothing.
class Listener final : public runtime::EnginePort {
 public:
  void submit(engine::CommandRequest request,
              std::function<void(Result<engine::CommandReply>)> done) override {
    actor = request.actor;
    done(not_found("nothing is here"));
  }
  // Whoever asks before he changes something has seen all there is.
  void walk(Some, Done done, Wanted) override { done({}); }
  uint64_t watch(std::function<void(uint64_t)>) override { return 0; }
  void unwatch(uint64_t) override {}
  void history(std::function<void(Reader&)>, Done done, Wanted) override { done({}); }
  runtime::LagFigures lag() const override { return {}; }
  std::vector<runtime::HealthCheck> health() const override { return {}; }
  std::map<std::string, std::string> endpoints() const override { return {}; }

  std::optional<std::string> actor;
};

// One that is well formed, for each request. A new RPC that changes something does not compile here
// until it has its own.
void fill_in(v1::AcceptDevicesRequest& to) { to.set_all(true); }
void fill_in(v1::RejectDeviceRequest& to) { to.set_name("devices/d"); }
void fill_in(v1::LabelDevicesRequest& to) {
  to.add_names("devices/d");
  (*to.mutable_set())["hall"] = "b";
}
void fill_in(v1::ReenrollDeviceRequest& to) { to.set_name("devices/d"); }
void fill_in(v1::RemoveDeviceRequest& to) { to.set_name("devices/d"); }
void fill_in(v1::DeleteReleaseRequest& to) { to.set_name("model@1.0.0"); }
void fill_in(v1::CreateRolloutRequest& to) {
  to.set_rollout_id("first");
  to.mutable_spec()->set_release("model@1.0.0");
  v1::StageSpec& stage = *to.mutable_spec()->add_stages();
  stage.set_name("fleet");
  stage.set_size("100%");
}
void fill_in(v1::PauseRolloutRequest& to) { to.set_name("rollouts/r"); }
void fill_in(v1::ResumeRolloutRequest& to) { to.set_name("rollouts/r"); }
void fill_in(v1::ApproveRolloutRequest& to) { to.set_name("rollouts/r"); }
void fill_in(v1::AbortRolloutRequest& to) { to.set_name("rollouts/r"); }
void fill_in(v1::SkipDeviceRequest& to) {
  to.set_name("rollouts/r");
  to.set_device("devices/d");
}
void fill_in(v1::RollbackRolloutRequest& to) { to.set_name("rollouts/r"); }
void fill_in(v1::SubmitLabelsRequest& to) { to.set_model("models/model"); }
void fill_in(v1::AcknowledgeAlertRequest& to) { to.set_name("alerts/a"); }
void fill_in(v1::AddTrustedKeyRequest& to) {
  to.set_pem(PrivateKey::generate(SignatureAlgorithm::kEs256)->public_key().to_pem());
}
void fill_in(v1::RemoveTrustedKeyRequest& to) { to.set_key_id("0123456789abcdef"); }
void fill_in(v1::ImportRootRequest& to) { to.set_document("a document"); }
void fill_in(v1::RotateSiteSecretRequest&) {}
void fill_in(v1::CreateTokenRequest& to) {
  to.set_token_id("bot");
  to.set_role("ci");
}
void fill_in(v1::RevokeTokenRequest& to) { to.set_name("bot"); }
void fill_in(v1::CreateClaimRequest& to) {
  to.set_claim("batch-7");
  to.set_count(1);
}
void fill_in(v1::RevokeClaimRequest& to) { to.set_name("claims/batch-7"); }
void fill_in(v1::ImportDevicesRequest& to) { to.add_devices()->set_device_id("d"); }
void fill_in(v1::DecommissionDeviceRequest& to) { to.set_name("devices/d"); }
void fill_in(v1::ReplaceDeviceRequest& to) {
  to.set_name("devices/d");
  to.set_successor("devices/e");
}
void fill_in(v1::AddDeviceAuthorityRequest& to) { to.set_authority("acme"); }
void fill_in(v1::RemoveDeviceAuthorityRequest& to) { to.set_name("authorities/acme"); }

template <typename Request, typename Response>
void expect_audited(void (*handler)(const api::CallPtr<Request, Response>&), const char* method) {
  Listener engine;
  const auto call = std::make_shared<api::Call<Request, Response>>();
  api::Context context{engine, "site", "0", "id", std::chrono::steady_clock::time_point{}};
  context.make_secret = [](uint32_t number) { return engine::RotateSecret{.number = number}; };
  context.tls.read_authority = [](std::string_view) -> Result<api::AuthorityFacts> {
    return api::AuthorityFacts{};
  };
  call->context = std::make_shared<const api::Context>(std::move(context));
  call->caller = access::local_user(0);
  call->caller.name = "alice";
  Status status;
  call->finish = [&status](Status finished) { status = std::move(finished); };
  fill_in(call->request);
  handler(call);
  EXPECT_EQ(engine.actor, "unix:alice")
      << method << ": " << (status ? "OK" : status.error().message);
}

struct Changes {
  template <typename Request, typename Response>
  static void check(void (*handler)(const api::CallPtr<Request, Response>&), const char* method) {
    expect_audited(handler, method);
  }
};
struct Reads {
  template <typename Handler>
  static void check(Handler, const char*) {}
};

TEST(Audit, NamesTheCallerOfEachCallThatChangesSomething) {
  using kChanges = Changes;
  using kReads = Reads;
#define COVEY_CHECK(Method, handler, role, effect) effect::check(&api::handler, #Method);
#define COVEY_NOT_UNARY(...)  // CreateRelease is a stream: tests/integration/grpc
  COVEY_RPCS(COVEY_CHECK, COVEY_NOT_UNARY)
#undef COVEY_CHECK
#undef COVEY_NOT_UNARY
}

}  // namespace
}  // namespace covey::test
