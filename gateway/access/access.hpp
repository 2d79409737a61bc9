// SPDX-License-Identifier: Apache-2.0
// The one place that decides who may call what: adapters bring what a connection vouches for and
// what the call says of its caller, for each call, stream and HTTP route, before anything else is
// done for it. What is refused is counted and told to whoever keeps the audit log.
//
// Thread safety: any thread. Errors: of the code UNAUTHENTICATED, where nobody knows who it is
// (UNAUTHENTICATED, with the ways in) or what he shows is not good (BAD_TOKEN, TOKEN_EXPIRED,
// TOKEN_IN_CLEAR, CERTIFICATE_EXPIRED, CERTIFICATE_NAME, those of jwt.hpp); PERMISSION_DENIED,
// where it is known (ROLE_MISSING: with the role that is needed, the one he has, and how to get it;
// MODEL_NOT_YOURS, JWT_NO_RULE); RESOURCE_EXHAUSTED, where it comes too fast (TOO_MANY_CALLS,
// TOO_MANY_BAD_JWTS).
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "gateway/access/admitted.hpp"
#include "gateway/access/caller.hpp"
#include "gateway/access/pace.hpp"
#include "gateway/access/rules.hpp"
#include "gateway/access/tokens.hpp"

namespace covey::access {

// What a row of gateway/api/rpcs.hpp says.
struct Rule {
  std::string_view name;  // "CreateRelease", "/metrics"
  Role least = Role::kAdmin;
};

// A call that was not let in.
struct Denial {
  Caller caller;  // as far as known
  std::string call;
  Error error;
};

struct AccessOptions {
  // Of whoever comes over loopback without TLS, is neither the owner of this process nor root, and
  // shows nothing.
  Role loopback_role = Role::kViewer;
  std::string id_prefix = "call";  // of request ids
  std::function<Millis()> wall;    // since 1970; empty: the system's clock
};

class Access {
 public:
  explicit Access(AccessOptions options = {});
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

  // ---- Who is at the other end of a connection.

  // Over the Unix socket, as the kernel tells; none: a stranger, who is not let in.
  std::optional<Caller> unix_peer(uid_t user) const;
  // Over TCP without TLS. `user`: where the kernel knows who has the other end, on loopback only.
  Caller plaintext_peer(const std::string& address, bool loopback, std::optional<uid_t> user) const;
  // Over TLS without a certificate, or with one whose name is not taken, as `why_unknown` says.
  Caller tls_peer(const std::string& address, std::string why_unknown) const;
  // With a certificate that the handshake has verified. What the name may do is looked up at each
  // call.
  Caller certificate_peer(std::string address, std::string name, Millis not_after) const;

  // ---- What he may do. `authorization`: of the call's headers, one after the other.
  Result<Caller> admit(const Caller& connection, const std::vector<std::string_view>& authorization,
                       const Rule& rule);

  // Whether `caller` may touch `model`. Errors: PERMISSION_DENIED (MODEL_NOT_YOURS).
  Status admit_model(const Caller& caller, std::string_view model, const Rule& rule);

  // For calls that last: `end` is called, once, when `caller` is no longer let in: at once where he
  // is not even now. 0: there is nothing that could end.
  uint64_t while_admitted(const Caller& caller, const Admitted::End& end);
  void forget(uint64_t id) { admitted_.remove(id); }

  // ---- What can be shown.

  void put_token(Token token) { tokens_.put(std::move(token)); }
  // From now on it is nobody's, and what was begun with it ends.
  void revoke_token(const std::string& name);
  std::map<std::string, Millis> token_uses() const { return tokens_.uses(); }
  // Calls by certificates and JWTs that last begin anew under the new rules.
  void set_rules(Rules rules);
  // Ends what lasts of callers whose time is over; to be asked every second or so.
  void look();

  // Told of each denial, on the thread of its call; must not block. Set before the first call.
  void on_denied(std::function<void(const Denial&)> denied) { denied_ = std::move(denied); }
  // By reason: "UNAUTHENTICATED", "ROLE_MISSING", ...
  std::vector<std::pair<std::string, uint64_t>> denials() const;

 private:
  Result<Caller> identify(const Caller& connection,
                          const std::vector<std::string_view>& authorization);
  Result<Caller> by_token(const Caller& connection, std::string_view token);
  Result<Caller> by_jwt(const Caller& connection, std::string_view token);
  Result<Caller> by_certificate(const Caller& connection) const;
  std::shared_ptr<const Rules> rules() const;
  Result<JwtClaims> claims_of(std::string_view token, const Rules& rules, const Issuer& issuer);
  Error refuse(const Caller& caller, const Rule& rule, Error error);

  const AccessOptions options_;
  const uid_t owner_id_;
  const Caller owner_;  // looked up once: no call waits for a user's name
  const Caller root_;
  std::function<void(const Denial&)> denied_;
  std::atomic<uint64_t> calls_{0};
  Tokens tokens_;
  Admitted admitted_;
  // Of each caller that the network brings; far above what people and pipelines need.
  Pace calls_of_each_{200, 2'000};
  Pace bad_jwts_{100, 500};  // of all: a signature takes its time
  std::mutex jwts_mutex_;
  // Good ones, by digest, under the rules that they were good under.
  std::map<Digest, JwtClaims> jwts_;         // guarded by jwts_mutex_
  std::shared_ptr<const Rules> jwts_rules_;  // guarded by jwts_mutex_
  mutable std::mutex mutex_;
  std::shared_ptr<const Rules> rules_ = std::make_shared<const Rules>();  // guarded by mutex_
  std::vector<std::pair<std::string, uint64_t>> denials_;                 // guarded by mutex_
};

}  // namespace covey::access
