// One site: store, broker, engine, MQTT, gRPC and HTTP put together in the order in which they need
// each other, and taken down in the reverse one. Threading: start and stop from the main thread.
#pragma once

#include <cstdint>
#include <memory>

#include "core/result.hpp"
#include "gateway/adapters/broker/broker.hpp"
#include "gateway/adapters/grpc/server.hpp"
#include "gateway/adapters/http/metrics.hpp"
#include "gateway/adapters/http/server.hpp"
#include "gateway/adapters/mqtt/client.hpp"
#include "gateway/config/config.hpp"
#include "gateway/config/endpoints.hpp"
#include "gateway/coveyd/device_link.hpp"
#include "gateway/runtime/runtime.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace covey {

struct SiteFaults {
  uint64_t kill_after_commits = 0;
};

class Site {
  struct Token {};  // only start() makes one

 public:
  Site(const config::Config& config, Token) : config_(config) {}
  // Errors: those of the parts, each naming what to do.
  static Result<std::unique_ptr<Site>> start(const config::Config& config, SiteFaults faults);
  ~Site();  // stop()
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  void stop();
  const config::Endpoints& endpoints() const { return endpoints_; }

 private:
  Status open_store();
  Status start_broker();
  Status start_runtime(SiteFaults faults);
  Status start_servers();
  void add_metrics();
  std::vector<runtime::HealthCheck> health() const;

  const config::Config config_;
  config::Endpoints endpoints_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<broker::EmbeddedBroker> broker_;
  broker::BrokerEndpoints broker_endpoints_;
  std::unique_ptr<DeviceLink> link_;
  std::unique_ptr<runtime::Runtime> runtime_;
  http::Metrics metrics_;
  std::unique_ptr<http::HttpServer> http_;
  std::unique_ptr<GrpcServer> grpc_;
  uint64_t start_id_ = 0;
};

}  // namespace covey
