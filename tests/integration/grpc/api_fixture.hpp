// SPDX-License-Identifier: Apache-2.0
// A server over loopback and a Unix socket, a client on the socket, the real engine behind them:
// three devices accepted, one waiting.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/connect/client.hpp"
#include "cli/files/artifact_files.hpp"
#include "covey/v1/admin.pb.h"
#include "covey/v1/devices.pb.h"
#include "gateway/adapters/grpc/server.hpp"
#include "tests/integration/grpc/local_engine.hpp"
#include "tests/paths.hpp"

namespace covey {

inline const std::filesystem::path kModels =
    covey::test::source_path("examples/bearing_vibration/models");

inline constexpr uint32_t kConnectionsMax = 8;

inline Device device(const std::string& id, DeviceState state) {
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
    snapshot.secrets = {{.number = 1, .sealed = Bytes(32, 1), .create_wall = Millis{0}}};
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

}  // namespace covey
