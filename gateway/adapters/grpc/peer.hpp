// SPDX-License-Identifier: Apache-2.0
// Who calls. gRPC passes nothing on from the acceptor to a call but the kind of
// credentials, so each kind of peer has its own. Thread-safe.
#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_context.h>

#include <memory>

#include "gateway/adapters/grpc/acceptor.hpp"
#include "gateway/api/caller.hpp"

namespace covey::api {

// None of them encrypts or asks for anything.
std::shared_ptr<grpc::ServerCredentials> credentials_of(Peer peer);
// Whom the acceptor let in, as the API knows callers.
Caller caller_of(const grpc::CallbackServerContext& context);

}  // namespace covey::api
