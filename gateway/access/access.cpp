// SPDX-License-Identifier: Apache-2.0
#include "gateway/access/access.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <utility>

namespace covey::access {
namespace {

constexpr std::string_view kWaysIn =
    "use the Unix socket as the owner of the data directory, a token (COVEY_TOKEN_FILE, "
    "--token-file, `authorization: Bearer ...`), or a client certificate that tls.client_ca_file "
    "vouches for";

Error unauthenticated(std::string reason, std::string message) {
  return {Code::kUnauthenticated, std::move(reason), std::move(message)};
}

Error revoked(const std::string& name) {
  return unauthenticated("TOKEN_REVOKED", fmt::format("the token {} was revoked", name));
}

Error bad_token(std::string_view why) {
  return unauthenticated("BAD_TOKEN", fmt::format("the token is not taken: {}; an admin makes one "
                                                  "with `covey token create`",
                                                  why));
}

std::string how_to_get(const Caller& caller, Role role) {
  if (caller.known == Known::kCertificate) return "an admin gives it in access.file";
  return fmt::format("an admin gives it: `covey token create NAME --role {}`", to_string(role));
}

// RFC 6750, section 2.1; the scheme is a word in any case (RFC 9110, section 11.1).
std::optional<std::string_view> bearer_of(const std::vector<std::string_view>& authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() != 1 || authorization.front().size() <= kScheme.size()) {
    return std::nullopt;
  }
  const std::string_view text = authorization.front();
  for (size_t i = 0; i < kScheme.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(text[i])) != kScheme[i]) return std::nullopt;
  }
  return text.substr(kScheme.size());
}

// Of a subject, which its issuer chose: for logs and tables.
std::string printable(std::string_view subject) {
  constexpr size_t kMost = 128;
  std::string text;
  for (const char c : subject.substr(0, kMost)) text += c > ' ' && c < 0x7f ? c : '?';
  return text;
}

AccessOptions with_clock(AccessOptions options) {
  if (!options.wall) {
    options.wall = [] {
      return std::chrono::duration_cast<Millis>(
          std::chrono::system_clock::now().time_since_epoch());
    };
  }
  return options;
}

}  // namespace

Access::Access(AccessOptions options)
    : options_(with_clock(std::move(options))),
      owner_id_(geteuid()),
      owner_(local_user(owner_id_)),
      root_(local_user(0)) {}

std::optional<Caller> Access::unix_peer(uid_t user) const {
  if (user == owner_id_) return owner_;
  if (user == 0) return root_;
  return std::nullopt;
}

Caller Access::plaintext_peer(const std::string& address, bool loopback,
                              std::optional<uid_t> user) const {
  Caller caller{.name = address, .from = address, .confidential = loopback};
  if (!loopback) return caller;
  caller.role = options_.loopback_role;
  if (!user) return caller;
  caller.known = Known::kLoopback;
  if (const std::optional<Caller> admin = unix_peer(*user)) {
    caller.name = admin->name;
    caller.role = Role::kAdmin;
  } else {
    caller.name = fmt::format("{}", *user);
  }
  return caller;
}

Caller Access::tls_peer(const std::string& address, std::string why_unknown) const {
  return {.name = address,
          .from = address,
          .confidential = true,
          .why_unknown = std::move(why_unknown)};
}

Caller Access::certificate_peer(std::string address, std::string name, Millis not_after) const {
  return {.name = std::move(name),
          .known = Known::kCertificate,
          .from = std::move(address),
          .confidential = true,
          .until = not_after};
}

std::shared_ptr<const Rules> Access::rules() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

Result<Caller> Access::identify(const Caller& connection,
                                const std::vector<std::string_view>& authorization) {
  if (authorization.empty()) {
    return connection.known == Known::kCertificate ? by_certificate(connection) : connection;
  }
  const std::optional<std::string_view> token = bearer_of(authorization);
  if (!token) return bad_token("write it as `authorization: Bearer TOKEN`, once");
  if (!connection.confidential) {
    return unauthenticated("TOKEN_IN_CLEAR",
                           "a token came over a network without TLS, where others can read it: "
                           "revoke it (`covey token revoke`), and speak TLS (tls.plaintext)");
  }
  return looks_like_jwt(*token) ? by_jwt(connection, *token) : by_token(connection, *token);
}

Result<Caller> Access::by_certificate(const Caller& connection) const {
  Caller caller = connection;
  if (options_.wall() > caller.until) {
    return unauthenticated("CERTIFICATE_EXPIRED",
                           fmt::format("the certificate of {} has expired: renew it", caller.name));
  }
  const std::shared_ptr<const Rules> now = rules();
  const auto grant = now->certificates.find(caller.name);
  if (grant != now->certificates.end()) {
    caller.role = grant->second.role;
    caller.models = grant->second.models;
  }
  return caller;
}

Result<Caller> Access::by_token(const Caller& connection, std::string_view token) {
  const Millis now = options_.wall();
  const Digest hash = token_hash(token);
  const std::optional<Token> found = tokens_.find(hash, now);
  if (!found) return bad_token("it was never one of this site, or was revoked");
  if (found->expires.count() != 0 && now >= found->expires) {
    return unauthenticated("TOKEN_EXPIRED",
                           fmt::format("the token {} has expired: an admin makes another "
                                       "(`covey token create`)",
                                       found->name));
  }
  return Caller{.name = found->name,
                .role = found->grant.role,
                .via = connection.via,
                .known = Known::kToken,
                .from = connection.from,
                .confidential = connection.confidential,
                .models = found->grant.models,
                .until = found->expires.count() != 0 ? found->expires : Millis::max(),
                .credential = hash};
}

// A signature is verified once, as long as rules and keys are the same: a pipeline makes many
// calls.
Result<JwtClaims> Access::claims_of(std::string_view token, const Rules& rules,
                                    const Issuer& issuer) {
  constexpr size_t kKeptMax = 256;
  const Digest digest = token_hash(token);
  const Millis now = options_.wall();
  {
    const std::lock_guard lock(jwts_mutex_);
    if (jwts_rules_.get() != &rules) jwts_.clear();
    const auto known = jwts_.find(digest);
    if (known != jwts_.end() && now < known->second.expires) return known->second;
  }
  const auto steady = std::chrono::steady_clock::now();
  if (!bad_jwts_.has_room("", steady)) {
    return Error{Code::kResourceExhausted, "TOO_MANY_BAD_JWTS",
                 "too many JWTs that are not good come in: try again in a second"};
  }
  Result<JwtClaims> claims = verify_jwt(
      token,
      {.issuer = issuer.issuer, .audience = issuer.audience, .keys = *issuer.keys, .now = now});
  if (!claims) {
    (void)bad_jwts_.take("", steady);
    return claims;
  }
  const std::shared_ptr<const Rules> current = this->rules();
  const std::lock_guard lock(jwts_mutex_);
  if (current.get() != &rules) return claims;
  jwts_rules_ = current;
  if (jwts_.size() >= kKeptMax) jwts_.clear();
  jwts_.insert_or_assign(digest, *claims);
  return claims;
}

Result<Caller> Access::by_jwt(const Caller& connection, std::string_view token) {
  const Result<std::string> claimed = claimed_issuer(token);
  if (!claimed) return claimed.error();
  const std::shared_ptr<const Rules> now = rules();
  const auto issuer = std::find_if(now->issuers.begin(), now->issuers.end(),
                                   [&](const Issuer& one) { return one.issuer == *claimed; });
  if (issuer == now->issuers.end()) {
    return unauthenticated("JWT_ISSUER",
                           "the JWT is refused: its issuer (iss) is not in access.file");
  }
  const Result<JwtClaims> claims = claims_of(token, *now, *issuer);
  if (!claims) return claims.error();
  Caller caller{.name = fmt::format("{}:{}", issuer->name, printable(claims->subject)),
                .via = connection.via,
                .known = Known::kJwt,
                .from = connection.from,
                .confidential = connection.confidential,
                .until = claims->expires};
  const std::optional<Grant> grant = grant_of(*issuer, *claims);
  if (!grant) {
    return Error{Code::kPermissionDenied, "JWT_NO_RULE",
                 fmt::format("no rule of {} in access.file is about {}: an admin adds one",
                             issuer->name, caller.name)};
  }
  caller.role = grant->role;
  caller.models = grant->models;
  return caller;
}

Result<Caller> Access::admit(const Caller& connection,
                             const std::vector<std::string_view>& authorization, const Rule& rule) {
  const Result<Caller> known = identify(connection, authorization);
  Caller caller = known ? *known : connection;
  caller.request_id = fmt::format("{}-{}", options_.id_prefix, ++calls_);
  if (!known) return refuse(caller, rule, known.error());
  const bool of_this_machine = caller.known == Known::kUnixPeer || caller.known == Known::kLoopback;
  if (!of_this_machine && caller.known != Known::kNobody &&
      !calls_of_each_.take(audit_name(caller), std::chrono::steady_clock::now())) {
    return refuse(caller, rule,
                  Error{Code::kResourceExhausted, "TOO_MANY_CALLS",
                        fmt::format("{} ({}) calls too often: at most 200 times a second, and "
                                    "2,000 at once",
                                    caller.name, to_string(caller.known))});
  }
  if (caller.role >= rule.least) return caller;
  if (caller.role == Role::kNone && caller.known == Known::kNobody) {
    return refuse(
        caller, rule,
        unauthenticated(
            caller.why_unknown.empty() ? "UNAUTHENTICATED" : "CERTIFICATE_NAME",
            fmt::format("{} needs the role {}, and nobody knows who you are{}: {}", rule.name,
                        to_string(rule.least),
                        caller.why_unknown.empty() ? "" : "; " + caller.why_unknown, kWaysIn)));
  }
  return refuse(caller, rule,
                Error{Code::kPermissionDenied, "ROLE_MISSING",
                      fmt::format("{} needs the role {}; {} ({}) has {}: {}", rule.name,
                                  to_string(rule.least), caller.name, to_string(caller.known),
                                  to_string(caller.role), how_to_get(caller, rule.least))});
}

uint64_t Access::while_admitted(const Caller& caller, const Admitted::End& end) {
  if (caller.until == Millis::max() && caller.known != Known::kToken) return 0;
  const uint64_t id = admitted_.add(caller, end);
  // Revoked before it was added: nobody else would tell.
  if (caller.known == Known::kToken && !tokens_.is_valid(caller.name, caller.credential)) {
    admitted_.remove(id);
    end(revoked(caller.name));
  }
  return id;
}

void Access::revoke_token(const std::string& name) {
  if (!tokens_.remove(name)) return;
  admitted_.end_where(
      [&](const Caller& caller) { return caller.known == Known::kToken && caller.name == name; },
      revoked(name));
}

void Access::set_rules(Rules rules) {
  {
    const std::lock_guard lock(mutex_);
    rules_ = std::make_shared<const Rules>(std::move(rules));
  }
  admitted_.end_where(
      [](const Caller& caller) {
        return caller.known == Known::kCertificate || caller.known == Known::kJwt;
      },
      {Code::kUnavailable, "ACCESS_CHANGED", "who may do what has changed: call again"});
}

void Access::look() {
  admitted_.end_where([now = options_.wall()](const Caller& caller) { return now > caller.until; },
                      unauthenticated("CREDENTIAL_EXPIRED",
                                      "what this call was made with has expired: call again with "
                                      "another token or certificate"));
}

Status Access::admit_model(const Caller& caller, std::string_view model, const Rule& rule) {
  const auto& globs = caller.models;
  if (globs.empty() || std::any_of(globs.begin(), globs.end(),
                                   [&](const std::string& glob) { return matches(glob, model); })) {
    return {};
  }
  return refuse(
      caller, rule,
      Error{Code::kPermissionDenied, "MODEL_NOT_YOURS",
            fmt::format("{} of the model '{}': {} ({}) may touch {} only; an admin gives "
                        "more: `covey token create NAME --role {} --models ...`",
                        rule.name, model.substr(0, 64), caller.name, to_string(caller.known),
                        fmt::join(globs, ", "), to_string(caller.role))});
}

Error Access::refuse(const Caller& caller, const Rule& rule, Error error) {
  {
    const std::lock_guard lock(mutex_);
    const auto row = std::find_if(denials_.begin(), denials_.end(), [&](const auto& counted) {
      return counted.first == error.reason;
    });
    if (row == denials_.end()) {
      denials_.emplace_back(error.reason, 1);
    } else {
      ++row->second;
    }
  }
  if (denied_) denied_({caller, std::string(rule.name), error});
  return error;
}

std::vector<std::pair<std::string, uint64_t>> Access::denials() const {
  const std::lock_guard lock(mutex_);
  return denials_;
}

}  // namespace covey::access
