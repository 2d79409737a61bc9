// Who calls, for the audit log. gRPC passes nothing on from the acceptor to a call but the kind of
// credentials, so each kind of peer has its own. Thread-safe.
#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_context.h>

#include <memory>
#include <string>

#include "gateway/adapters/grpc/acceptor.hpp"

namespace covey::api {

// None of them encrypts or asks for anything.
std::shared_ptr<grpc::ServerCredentials> credentials_of(Peer peer);
// "127.0.0.1", or for the Unix socket "unix:" and the peer's user name (its number without one).
std::string actor_of(const grpc::CallbackServerContext& context);

}  // namespace covey::api
