// SPDX-License-Identifier: Apache-2.0
// One site: store, broker, engine, MQTT, gRPC and HTTP put together in the order in which they need
// each other, and taken down in the reverse one. Threading: start and stop from the main thread.
//
// Where the data directory's disk is full, before the start or at a commit (`disk_full` is called
// then, on another thread, and must not return), a site starts read-only: without broker and
// devices, the API answers reads and refuses the rest with DISK_FULL.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "core/result.hpp"
#include "gateway/access/access.hpp"
#include "gateway/adapters/broker/broker.hpp"
#include "gateway/adapters/grpc/server.hpp"
#include "gateway/adapters/http/metrics.hpp"
#include "gateway/adapters/http/server.hpp"
#include "gateway/adapters/mqtt/client.hpp"
#include "gateway/adapters/tls/renewal.hpp"
#include "gateway/config/config.hpp"
#include "gateway/config/endpoints.hpp"
#include "gateway/coveyd/access_keeper.hpp"
#include "gateway/coveyd/device_link.hpp"
#include "gateway/coveyd/sinks.hpp"
#include "gateway/coveyd/site_key.hpp"
#include "gateway/runtime/runtime.hpp"
#include "storage/store.hpp"

namespace covey {

struct SiteStart {
  bool new_site = false;            // begin anew where an earlier site's database is gone
  uint64_t kill_after_commits = 0;  // for tests
};

class Site {
  struct Token {};  // only start() makes one

 public:
  Site(const config::Config& config, std::function<void()> disk_full, Token)
      : config_(config), disk_full_(std::move(disk_full)) {}
  // Errors: those of the parts, each naming what to do.
  static Result<std::unique_ptr<Site>> start(const config::Config& config, const SiteStart& how,
                                             std::function<void()> disk_full);
  ~Site();  // stop()
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  // Each step has a deadline; `doing` is told of each, for whoever watches from outside.
  void stop(const std::function<void(const char* step)>& doing = nullptr);
  const config::Endpoints& endpoints() const { return endpoints_; }
  bool read_only() const { return read_only_.has_value(); }
  // A read-only site: there is room again, a new start would write.
  bool has_room() const { return store_->condition().recovered; }

 private:
  Status open_store(const SiteStart& how);
  Status load_engine(const SiteStart& how);
  Status begin_site(const SiteStart& how, Snapshot& snapshot);
  Status open_secrets(const SiteStart& how, Snapshot& snapshot);
  Status start_broker();
  Status open_identity();
  void warn_of_plaintext() const;
  Status open_device_authority(const tls::SiteIdentity& identity);
  Status start_runtime(const SiteStart& how);
  Status start_servers();
  Status make_access();
  Status make_link();
  runtime::Sinks sinks() const;
  Status publish_endpoints();
  void add_metrics();
  void add_link_metrics(http::MetricSheet& sheet) const;
  void add_caller_metrics(http::MetricSheet& sheet) const;
  void add_broker_metrics(http::MetricSheet& sheet) const;
  std::vector<runtime::HealthCheck> health() const;

  const config::Config config_;
  const std::function<void()> disk_full_;
  std::optional<Error> read_only_;  // why it writes nothing
  config::Endpoints endpoints_;
  std::optional<SiteKey> key_;
  std::string trace_;  // what an earlier site has left in the data directory
  std::unique_ptr<Store> store_;
  std::optional<engine::Engine> engine_;            // loaded, until the runtime has it
  std::unique_ptr<broker::EmbeddedBroker> broker_;  // null: external, or read-only
  broker::BrokerEndpoints broker_endpoints_;
  api::TlsFacts tls_;
  std::string server_certificate_;  // file of it; empty: no listener speaks TLS
  std::shared_ptr<tls::ServerContexts> server_tls_;
  std::unique_ptr<tls::Renewal> renewal_;                 // null: no listener speaks TLS
  std::unique_ptr<DeviceLink> link_;                      // null: read-only
  std::optional<tls::DeviceAuthority> device_authority_;  // null: devices speak no TLS
  std::string device_ca_file_;
  std::shared_ptr<Revocations> revocations_;
  std::unique_ptr<runtime::Runtime> runtime_;
  http::Metrics metrics_;
  std::shared_ptr<access::Access> access_;
  std::unique_ptr<AccessKeeper> access_keeper_;
  std::unique_ptr<http::HttpServer> http_;
  std::unique_ptr<GrpcServer> grpc_;
  std::atomic<bool> serving_{false};
  uint16_t http_port_ = 0;
  uint64_t start_id_ = 0;
};

}  // namespace covey
