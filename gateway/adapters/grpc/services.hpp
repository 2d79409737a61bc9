// SPDX-License-Identifier: Apache-2.0
// The five services as gRPC sees them. Internal to the adapter.
#pragma once

#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <vector>

#include "covey/v1/models.pb.h"
#include "covey/v1/rollouts.pb.h"
#include "gateway/adapters/grpc/session.hpp"

namespace covey::api {

using SessionPtr = std::shared_ptr<Session>;

std::vector<std::unique_ptr<grpc::Service>> make_services(const SessionPtr& session);

// watch.cpp
grpc::ServerWriteReactor<v1::WatchRolloutResponse>* watch_rollout(
    const SessionPtr& session, grpc::CallbackServerContext& context,
    const v1::WatchRolloutRequest& request, const access::Rule& rule);
// upload.cpp
grpc::ServerReadReactor<v1::CreateReleaseRequest>* create_release(
    const SessionPtr& session, grpc::CallbackServerContext& context,
    v1::CreateReleaseResponse& response, const access::Rule& rule);

}  // namespace covey::api
