// SPDX-License-Identifier: Apache-2.0
// A site of tests behind the port that the API's handlers know: everything is answered before the
// call returns. Between two parts of a look the world goes on, as `between` says. One thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "gateway/api/call.hpp"
#include "gateway/runtime/engine_port.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {

class SitePort final : public runtime::EnginePort {
 public:
  explicit SitePort(Site& site) : site_(site) {}

  void submit(engine::CommandRequest request,
              std::function<void(Result<engine::CommandReply>)> done) override {
    done(site_.command(std::move(request.command), request.etag, request.actor));
  }
  void walk(Some some, Done done, Wanted) override {
    for (++parts; !some(site_.engine()); ++parts) {
      if (between) between();
    }
    done({});
  }
  uint64_t watch(std::function<void(uint64_t)>) override { return 0; }
  void unwatch(uint64_t) override {}
  void history(std::function<void(Reader&)> query, Done done, Wanted) override {
    Result<std::unique_ptr<Reader>> reader = site_.store().reader();
    COVEY_ASSERT(reader.ok());
    query(**reader);
    done({});
  }
  runtime::LagFigures lag() const override { return {}; }
  std::vector<runtime::HealthCheck> health() const override { return {}; }
  std::map<std::string, std::string> endpoints() const override { return {}; }

  size_t parts = 0;
  std::function<void()> between;

 private:
  Site& site_;
};

// What the call of a handler ends with.
template <typename Request, typename Response>
Result<Response> ask(SitePort& engine, void (*handler)(const api::CallPtr<Request, Response>&),
                     const std::type_identity_t<Request>& request) {
  const auto call = std::make_shared<api::Call<Request, Response>>();
  call->context = std::make_shared<const api::Context>(
      api::Context{engine, "site", "0", "id", std::chrono::steady_clock::time_point{}});
  call->caller = access::local_user(0);
  call->caller.name = "alice";
  call->request = request;
  std::optional<Status> status;
  call->finish = [&status](Status finished) {
    COVEY_ASSERT(!status);
    status = std::move(finished);
  };
  handler(call);
  COVEY_ASSERT(status.has_value());
  if (!*status) return status->error();
  return std::move(call->response);
}

}  // namespace covey::test
