// SPDX-License-Identifier: Apache-2.0
// Who calls. An adapter makes one Caller for each call, here, from what its transport vouches for;
// handlers pass it on, and the audit log names it. Pure but for local_user(). Any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace covey::api {

// What somebody may do at most: look; also run the fleet; also change who is trusted.
enum class Role : uint8_t { kViewer, kOperator, kAdmin };

// How the call came in.
enum class Via : uint8_t { kLoopback, kUnixSocket };

struct Caller {
  std::string name;  // a user's, or the address when nothing says who it is
  Role role = Role::kViewer;
  Via via = Via::kLoopback;

  bool operator==(const Caller&) const = default;
};

// Over the Unix socket, which admits its owner and root only: both are admin here. The name is that
// of /etc/passwd alone, since a directory server (LDAP, sssd) may take its time; a user who is not
// there is called by the number. Reads a file: once, not per call.
Caller local_user(uid_t user);
// From `address` of this host, over TCP. Nobody says who it is; whoever can come from there may do
// all, so that a container's neighbour works without a socket.
Caller from_loopback(std::string address);

// As the audit log has it: "unix:alice", "127.0.0.1".
std::string audit_name(const Caller& caller);

}  // namespace covey::api
