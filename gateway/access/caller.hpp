// SPDX-License-Identifier: Apache-2.0
// Who calls, how he is known and what he may do. An adapter makes one Caller for each connection
// from what its transport vouches for; Access (access.hpp) makes of it and of what a call says the
// Caller of the call, which handlers pass on and the audit log names. Plain values.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/time.hpp"

namespace covey::access {

// What somebody may do at most: nothing; look; also push releases, roll them out and submit labels;
// also run the fleet; also change who is trusted. Each may do what those before may.
enum class Role : uint8_t { kNone, kViewer, kCi, kOperator, kAdmin };
std::string_view to_string(Role role);
std::optional<Role> parse_role(std::string_view word);  // as to_string() has it

// How the connection came in: each has places of its own.
enum class Via : uint8_t { kTcp, kUnixSocket };

// How it is known who calls.
enum class Known : uint8_t { kNobody, kUnixPeer, kLoopback, kCertificate, kToken, kJwt };
std::string_view to_string(Known known);  // "unix-peer"

struct Caller {
  std::string name;  // a user's, a token's, a certificate's; of nobody known: the address
  Role role = Role::kNone;
  Via via = Via::kTcp;
  Known known = Known::kNobody;
  std::string from;                 // his address; "" over the Unix socket
  bool confidential = false;        // nobody on the way can read: TLS, or it never leaves the host
  std::vector<std::string> models;  // globs of what may be touched; empty: all
  Millis until = Millis::max();     // wall: what he is known by ends
  Digest credential{};              // of a token: its digest
  std::string why_unknown;          // what is wrong with what he showed
  std::string request_id;           // of the call; "" for a connection

  bool operator==(const Caller&) const = default;
};

// Over the Unix socket, which admits its owner and root only: both are admin here. The name is that
// of /etc/passwd alone, since a directory server (LDAP, sssd) may take its time; a user who is not
// there is called by the number. Reads a file: once, not per call.
Caller local_user(uid_t user);

// As the audit log has it: "unix:alice", "token:release-bot"; of nobody known the address.
std::string audit_name(const Caller& caller);

// `text` is what `glob` says: `*` stands for any characters, `?` for one. Time: product of sizes.
bool matches(std::string_view glob, std::string_view text);

}  // namespace covey::access
