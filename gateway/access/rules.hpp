// SPDX-License-Identifier: Apache-2.0
// The file that says who may do what, beside tokens: names of certificates, and claims of JWTs
// (access.file; docs/configuration.md). Read again when it changes.
//
//   certificates:
//     - {name: alice, role: admin}
//   oidc:
//     - name: github
//       issuer: https://token.actions.githubusercontent.com
//       audience: covey-hall-b
//       jwks_file: github-jwks.json
//       rules:
//         - claims: {repository: plant/press-models, ref: refs/heads/main}
//           role: ci
//           models: [press-*]
//
// Plain values; pure. Errors: ACCESS_FILE, all faults in one message, with lines.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "gateway/access/caller.hpp"
#include "gateway/access/jwks.hpp"
#include "gateway/access/jwt.hpp"

namespace covey::access {

struct Grant {
  Role role = Role::kNone;
  std::vector<std::string> models;  // globs; empty: all

  bool operator==(const Grant&) const = default;
};

struct ClaimRule {
  std::map<std::string, std::string> claims;  // globs, all of which must match
  Grant grant;
};

struct Issuer {
  std::string name;  // short, for the audit log
  std::string issuer;
  std::string audience;
  std::string jwks_file;
  std::vector<ClaimRule> rules;  // the first that matches counts
  std::shared_ptr<const Jwks> keys;
};

struct Rules {
  std::map<std::string, Grant> certificates;  // by name
  std::vector<Issuer> issuers;
};

// `read`: the content of a jwks_file, by its path as written.
using ReadFile = std::function<Result<std::string>(const std::string&)>;
Result<Rules> parse_rules(const std::string& yaml, const ReadFile& read);

// What the rules of an issuer give for claims; none: nothing.
std::optional<Grant> grant_of(const Issuer& issuer, const JwtClaims& claims);

inline constexpr size_t kGlobsMax = 32;
inline constexpr size_t kGlobBytesMax = 64;
// "press-*": what models may be called, and * and ?.
bool is_model_glob(std::string_view text);

}  // namespace covey::access
