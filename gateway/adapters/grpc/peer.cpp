#include "gateway/adapters/grpc/peer.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>

namespace covey::api {
namespace {

std::string user_name(uid_t user) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return found->pw_name;
  }
  return std::to_string(user);
}

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

std::string actor_of(const grpc::CallbackServerContext& context) {
  const std::string peer = context.peer();  // "ipv4:127.0.0.1:4711", "unix:..."
  if (peer.starts_with("unix")) return "unix:" + user_name(is_local(context) ? geteuid() : 0);
  const size_t start = peer.find(':');
  const size_t end = peer.rfind(':');
  if (start == std::string::npos || end <= start) return peer;
  return peer.substr(start + 1, end - start - 1);
}

}  // namespace covey::api
