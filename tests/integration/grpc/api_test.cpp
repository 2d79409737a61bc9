// The API as the CLI uses it: real gRPC over loopback and a Unix socket, the real engine behind it.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "cli/artifact_files.hpp"
#include "cli/client.hpp"
#include "covey/v1/admin.pb.h"
#include "covey/v1/devices.pb.h"
#include "covey/v1/monitoring.pb.h"
#include "gateway/adapters/grpc/acceptor.hpp"
#include "gateway/adapters/grpc/server.hpp"
#include "tests/integration/grpc/local_engine.hpp"

namespace covey {
namespace {

const std::filesystem::path kModels =
    std::filesystem::path(COVEY_SOURCE_DIR) / "examples/bearing_vibration/models";

constexpr uint32_t kConnectionsMax = 8;

Device device(const std::string& id, DeviceState state) {
  Device device;
  device.id = DeviceId(id);
  device.state = state;
  device.facts = {.device_class = DeviceClass("m4f-256k"),
                  .firmware = "1.2.0",
                  .agent = "0.1.0",
                  .slot_bytes = 262'144,
                  .arena_bytes = 65'536,
                  .message_bytes_max = 4096,
                  .runtime = 1,
                  .operator_set = 0,
                  .algorithms = algorithm_bit(SignatureAlgorithm::kEs256),
                  .preprocessing_id = 0};
  device.enrolled = state == DeviceState::kAccepted;
  return device;
}

class Api : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "covey-api-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    Snapshot snapshot;
    snapshot.site = engine::new_site(Digest{{1}});
    snapshot.devices = {
        device("press-1", DeviceState::kAccepted), device("press-2", DeviceState::kAccepted),
        device("press-3", DeviceState::kAccepted), device("waiting", DeviceState::kPending)};
    engine_ = std::make_unique<test::LocalEngine>(std::move(snapshot));
    start_server();
    client_ = std::make_unique<cli::Client>(local(), Millis{10'000});
  }
  void start_server() {
    GrpcOptions options;
    options.unix_path = folder_ / "covey.sock";
    options.max_connections = kConnectionsMax;
    options.version = "0.1.0";
    Result<std::unique_ptr<GrpcServer>> server = GrpcServer::start(*engine_, options);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = *std::move(server);
  }
  void TearDown() override {
    client_.reset();
    if (server_) server_->stop(Millis{1000});
    server_.reset();
    engine_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string local() const { return "unix:" + (folder_ / "covey.sock").string(); }
  std::string tcp() const { return "127.0.0.1:" + std::to_string(server_->port()); }

  void trust(const PublicKey& key) {
    v1::AddTrustedKeyRequest request;
    request.set_pem(key.to_pem());
    const auto added = client_->call<v1::AddTrustedKeyResponse>(request);
    ASSERT_TRUE(added.ok()) << added.error().message;
    EXPECT_EQ(added->key().key_id(), to_hex(key.id()));
  }

  struct Upload {
    v1::ReleaseHeader header;
    std::vector<Bytes> images;
  };
  static Upload upload_of(const PrivateKey& key) {
    cli::BuildOptions options;
    options.release = *ReleaseId::parse("bearing-vibration@1.0.0");
    options.artifacts = {{{DeviceClass("m4f-256k")}, kModels / "bearing-1.0.0.tflite"}};
    options.statistics = kModels / "bearing-1.0.0.stats.json";
    options.preprocessing = kModels / "preprocessing.bin";
    Result<cli::BuiltRelease> release = cli::build_release(options);
    EXPECT_TRUE(release.ok()) << release.error().message;
    EXPECT_TRUE(cli::sign_release(*release, key).ok());
    Upload upload;
    upload.header.set_model("bearing-vibration");
    upload.header.set_version("1.0.0");
    const cli::BuiltArtifact& built = release->artifacts[0];
    v1::ArtifactUpload& part = *upload.header.add_artifacts();
    part.set_signed_manifest(built.signed_manifest.data(), built.signed_manifest.size());
    part.set_telemetry_tables(built.tables.data(), built.tables.size());
    part.set_gateway_part(built.gateway_part.data(), built.gateway_part.size());
    upload.images.push_back(built.image);
    return upload;
  }
  Result<v1::CreateReleaseResponse> push(const Upload& upload) {
    return client_->create_release(upload.header, upload.images, [](uint64_t, uint64_t) {});
  }
  void push_release() {
    const Result<PrivateKey> key = PrivateKey::generate(SignatureAlgorithm::kEs256);
    trust(key->public_key());
    const auto pushed = push(upload_of(*key));
    ASSERT_TRUE(pushed.ok()) << pushed.error().message;
  }
  v1::CreateRolloutRequest rollout_request() const {
    v1::CreateRolloutRequest request;
    request.set_rollout_id("first");
    request.mutable_spec()->set_release("bearing-vibration@1.0.0");
    v1::StageSpec& stage = *request.mutable_spec()->add_stages();
    stage.set_name("fleet");
    stage.set_size("100%");
    return request;
  }

  std::filesystem::path folder_;
  std::unique_ptr<test::LocalEngine> engine_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<cli::Client> client_;
};

TEST_F(Api, serves_tcp_and_a_socket_for_its_owner_only) {
  struct stat entry {};
  ASSERT_EQ(stat((folder_ / "covey.sock").c_str(), &entry), 0);
  EXPECT_EQ(entry.st_mode & 0777U, 0600U);
  cli::Client over_tcp(tcp(), Millis{10'000});
  for (cli::Client* client : {client_.get(), &over_tcp}) {
    const auto site = client->call<v1::GetSiteResponse>(v1::GetSiteRequest());
    ASSERT_TRUE(site.ok()) << site.error().message;
    EXPECT_EQ(site->devices().at("ACCEPTED"), 3U);
    EXPECT_EQ(site->version(), "0.1.0");
    EXPECT_EQ(site->engine_lag_us_p99(), 1234U);
    EXPECT_TRUE(site->checks(0).ok());
  }
}

TEST_F(Api, refuses_to_serve_the_world_without_tls) {
  GrpcOptions options;
  options.host = "0.0.0.0";
  const Result<std::unique_ptr<GrpcServer>> server = GrpcServer::start(*engine_, options);
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(server.error().reason, "TLS_REQUIRED");
}

TEST_F(Api, a_socket_left_over_is_replaced_and_a_live_one_is_not) {
  GrpcOptions options;
  options.unix_path = folder_ / "covey.sock";
  EXPECT_EQ(GrpcServer::start(*engine_, options).error().reason, "GRPC_LISTEN");
  server_->stop(Millis{1000});
  { std::ofstream(options.unix_path) << "not a socket"; }
  EXPECT_EQ(GrpcServer::start(*engine_, options).error().reason, "GRPC_LISTEN");
  std::filesystem::remove(options.unix_path);
  EXPECT_TRUE(GrpcServer::start(*engine_, options).ok());
}

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
  ASSERT_EQ(audit->entries_size(), 1);
  EXPECT_EQ(audit->entries(0).action(), "LABEL_DEVICES");
  const passwd* self = getpwuid(geteuid());
  ASSERT_NE(self, nullptr);
  EXPECT_EQ(audit->entries(0).actor(), std::string("unix:") + self->pw_name);
}

TEST_F(Api, takes_a_signed_release_once_and_for_all) {
  const Result<PrivateKey> key = PrivateKey::generate(SignatureAlgorithm::kEs256);
  const Upload upload = upload_of(*key);
  EXPECT_EQ(push(upload).error().reason, "KEY_UNKNOWN");
  trust(key->public_key());
  const auto pushed = push(upload);
  ASSERT_TRUE(pushed.ok()) << pushed.error().message;
  EXPECT_FALSE(pushed->already_existed());
  EXPECT_EQ(pushed->release().name(), "models/bearing-vibration/releases/1.0.0");
  const auto again = push(upload);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(again->already_existed());
  v1::ListReleasesRequest list;
  list.set_parent("models/-");
  EXPECT_EQ(client_->call<v1::ListReleasesResponse>(list)->releases_size(), 1);
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

TEST_F(Api, labels_name_the_line_that_is_wrong) {
  v1::SubmitLabelsRequest request;
  request.set_model("bearing-vibration");
  request.add_labels()->set_device("press-1");
  const auto answer = client_->call<v1::SubmitLabelsResponse>(request);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().message.rfind("labels[0].boot_id", 0), 0U) << answer.error().message;
}

TEST_F(Api, stops_in_time_with_a_watch_open_and_an_engine_that_does_not_answer) {
  push_release();
  ASSERT_TRUE(client_->call<v1::CreateRolloutResponse>(rollout_request()).ok());
  std::promise<void> watching;
  auto watch = std::async(std::launch::async, [&] {
    cli::Client other(tcp(), Millis{10'000});
    bool first = true;
    return other.watch_rollout("rollouts/first", Millis{2'000}, [&](const v1::Rollout&) {
      if (std::exchange(first, false)) watching.set_value();
      return true;
    });
  });
  watching.get_future().wait();
  std::future<Status> stuck;
  {
    const auto held = engine_->hold();
    stuck = std::async(std::launch::async, [&] {
      v1::GetSiteResponse response;
      return client_->call(v1::GetSiteRequest(), response);
    });
    const auto start = std::chrono::steady_clock::now();
    server_->stop(Millis{300});
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  }
  EXPECT_FALSE(stuck.get().ok());
  EXPECT_FALSE(watch.get().ok());
}

TEST_F(Api, connections_that_say_nothing_do_not_delay_the_stop) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(server_->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const api::Descriptor silent(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const api::Descriptor half(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  for (const api::Descriptor* each : {&silent, &half}) {
    ASSERT_EQ(connect(each->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  // A client that is there and then never answers a ping.
  const std::string hello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  ASSERT_EQ(send(half.get(), hello.data(), hello.size(), 0), 33);
  ASSERT_TRUE(client_->call<v1::GetSiteResponse>(v1::GetSiteRequest()).ok());
  const auto start = std::chrono::steady_clock::now();
  server_->stop(Millis{60'000});
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST_F(Api, a_watch_outlives_its_server_and_misses_nothing) {
  push_release();
  ASSERT_TRUE(client_->call<v1::CreateRolloutResponse>(rollout_request()).ok());
  std::promise<void> watching;
  std::promise<void> lost;
  std::vector<bool> connection;
  std::vector<v1::RolloutState> seen;
  auto watch = std::async(std::launch::async, [&] {
    cli::Client other(local(), Millis{10'000});
    return other.watch_rollout(
        "rollouts/first", Millis{0},
        [&](const v1::Rollout& rollout) {
          seen.push_back(rollout.state());
          if (seen.size() == 1) watching.set_value();
          return true;
        },
        [&](bool up) {
          connection.push_back(up);
          if (connection.size() == 1) lost.set_value();
        });
  });
  watching.get_future().wait();
  server_->stop(Millis{1000});
  lost.get_future().wait();
  server_.reset();
  start_server();
  v1::AbortRolloutRequest abort;
  abort.set_name("rollouts/first");
  cli::Client after(local(), Millis{10'000});
  ASSERT_TRUE(after.call<v1::AbortRolloutResponse>(abort).ok());
  const Status watched = watch.get();
  EXPECT_TRUE(watched.ok()) << watched.error().message;
  EXPECT_EQ(connection, (std::vector<bool>{false, true}));
  EXPECT_EQ(seen.back(), v1::ROLLOUT_STATE_ABORTED);
}

TEST_F(Api, a_watch_waits_for_a_server_no_longer_than_asked) {
  push_release();
  ASSERT_TRUE(client_->call<v1::CreateRolloutResponse>(rollout_request()).ok());
  cli::Client other(local(), Millis{10'000});
  const Status watched =
      other.watch_rollout("rollouts/first", Millis{1'000}, [&](const v1::Rollout&) {
        server_->stop(Millis{0});
        return true;
      });
  ASSERT_FALSE(watched.ok());
  EXPECT_EQ(watched.error().code, Code::kDeadlineExceeded);
}

TEST_F(Api, idle_connections_beyond_the_limit_fail_the_probe_and_then_go) {
  GrpcOptions options;
  options.max_connections = 4;
  options.handshake_timeout = 3s;
  options.probe_interval = 20ms;
  options.probe_timeout = 500ms;
  Result<std::unique_ptr<GrpcServer>> started = GrpcServer::start(*engine_, options);
  ASSERT_TRUE(started.ok()) << started.error().message;
  const std::unique_ptr<GrpcServer> server = *std::move(started);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(server->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::deque<api::Descriptor> silent;  // the newest 200: those that the server closed are replaced
  const auto connect_silently = [&] {
    silent.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    (void)connect(silent.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (silent.size() > 200) silent.pop_front();
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto until = [&](const auto& done) {
    while (!done() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    return done();
  };
  EXPECT_TRUE(until([&] {
    connect_silently();
    return !server->unreachable().empty();
  }));
  // Nobody closes them but the server.
  EXPECT_TRUE(until([&] { return server->unreachable().empty(); })) << server->unreachable();
  cli::Client client("127.0.0.1:" + std::to_string(server->port()), Millis{10'000});
  const auto site = client.call<v1::GetSiteResponse>(v1::GetSiteRequest());
  EXPECT_TRUE(site.ok()) << site.error().message;
}

TEST_F(Api, has_a_limit_of_connections_and_recovers) {
  std::vector<api::Descriptor> silent;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(server_->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (uint32_t i = 0; i < kConnectionsMax; ++i) {
    silent.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(
        connect(silent.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
        0);
  }
  cli::Client client(tcp(), Millis{2'000});
  const auto ask = [&] { return client.call<v1::GetSiteResponse>(v1::GetSiteRequest()); };
  const auto refused = ask();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  silent.clear();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool served = false;
  while (!served && std::chrono::steady_clock::now() < deadline) served = ask().ok();
  EXPECT_TRUE(served);
}

}  // namespace
}  // namespace covey
