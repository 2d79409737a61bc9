// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/taken_ports.hpp"

#include <sys/socket.h>

#include <cerrno>

#include <fmt/format.h>

#include "gateway/adapters/posix/descriptor.hpp"
#include "gateway/adapters/posix/socket_address.hpp"

namespace covey {
namespace {

bool is_taken(const config::ListenAddress& at) {
  SocketAddress address;
  if (at.port == 0 || !address.set(at.host, at.port)) return false;
  const Descriptor fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (fd.get() < 0) return false;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return (bind(fd.get(), address.data(), address.size()) != 0 || listen(fd.get(), 1) != 0) &&
         errno == EADDRINUSE;
}

}  // namespace

Error with_taken_ports(Error why, const config::Config& config) {
  struct Listener {
    const char* key;
    const config::ListenAddress& at;
  };
  for (const Listener& listener :
       {Listener{"grpc.listen", config.grpc.listen}, Listener{"http.listen", config.http.listen}}) {
    const bool said = why.message.find(fmt::format("{}:", listener.key)) != std::string::npos;
    if (said || !is_taken(listener.at)) continue;
    why.message += fmt::format("; {}: {} is taken by another program, too", listener.key,
                               to_string(listener.at));
  }
  return why;
}

}  // namespace covey
