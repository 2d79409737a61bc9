// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/peer.hpp"

#include <unistd.h>

#include <string>

namespace covey::api {
namespace {

// What credentials_of(kOwner) say of themselves.
bool is_local(const grpc::CallbackServerContext& context) {
  for (const grpc::string_ref& type :
       context.auth_context()->FindPropertyValues("transport_security_type")) {
    if (type == "local") return true;
  }
  return false;
}

}  // namespace

std::shared_ptr<grpc::ServerCredentials> credentials_of(Peer peer) {
  switch (peer) {
    case Peer::kLoopback:
    case Peer::kRoot:
      return grpc::InsecureServerCredentials();
    case Peer::kOwner:
      return grpc::experimental::LocalServerCredentials(UDS);
  }
  return nullptr;
}

Caller caller_of(const grpc::CallbackServerContext& context) {
  const std::string peer = context.peer();  // "ipv4:127.0.0.1:4711", "unix:..."
  if (peer.starts_with("unix")) return local_user(is_local(context) ? geteuid() : 0);
  const size_t start = peer.find(':');
  const size_t end = peer.rfind(':');
  if (start == std::string::npos || end <= start) return from_loopback(peer);
  return from_loopback(peer.substr(start + 1, end - start - 1));
}

}  // namespace covey::api
