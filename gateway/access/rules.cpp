// SPDX-License-Identifier: Apache-2.0
#include "gateway/access/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/yaml/yaml.hpp"

namespace covey::access {
namespace {

constexpr size_t kCertificatesMax = 1000;
constexpr size_t kIssuersMax = 16;
constexpr size_t kRulesMax = 100;
constexpr size_t kClaimsOfRuleMax = 16;
constexpr size_t kFaultsMax = 20;

class RuleReader {
 public:
  explicit RuleReader(const ReadFile& read) : read_(read) {}

  Result<Rules> document(const std::string& yaml) {
    const YamlReading reading = read_yaml(yaml);
    for (const YamlProblem& problem : reading.problems) fault(problem.line, problem.message);
    Rules rules;
    if (reading.root.is_map()) {
      for (const YamlNode& entry : fields(reading.root, {"certificates", "oidc"})) {
        if (entry.key == "certificates") certificates(entry, rules);
        if (entry.key == "oidc") issuers(entry, rules);
      }
    } else if (!reading.root.is_null()) {
      fault(reading.root.line, "must be a mapping with `certificates` and `oidc`");
    }
    if (!faults_.empty())
      return invalid("ACCESS_FILE", fmt::format("{}", fmt::join(faults_, "; ")));
    return rules;
  }

 private:
  void fault(int line, std::string_view what) {
    if (faults_.size() < kFaultsMax) faults_.push_back(fmt::format("line {}: {}", line, what));
  }

  // The entries of a map; unknown and repeated keys are faults.
  const std::vector<YamlNode>& fields(const YamlNode& map,
                                      const std::set<std::string_view>& known) {
    std::set<std::string_view> seen;
    for (const YamlNode& entry : map.items) {
      if (!known.contains(entry.key)) {
        fault(entry.key_line, fmt::format("unknown key '{}'; {} are known", entry.key.substr(0, 40),
                                          fmt::join(known, ", ")));
      }
      if (!seen.insert(entry.key).second) fault(entry.key_line, "a key is given twice");
    }
    return map.items;
  }

  const std::vector<YamlNode>& list(const YamlNode& node, size_t most) {
    static const std::vector<YamlNode> none;
    if (node.is_null()) return none;
    if (!node.is_list() || node.items.size() > most) {
      fault(node.line, fmt::format("'{}' must be a list of at most {}", node.key, most));
      return none;
    }
    return node.items;
  }

  std::string text(const YamlNode& node, size_t most) {
    if (node.is_text() && !node.text.empty() && node.text.size() <= most) return node.text;
    fault(node.line, fmt::format("'{}' must be a text of 1 to {} bytes", node.key, most));
    return {};
  }

  // `role` and `models` of an entry.
  void grant(const YamlNode& entry, Grant& into) {
    if (entry.key == "role") {
      const std::optional<Role> role = entry.is_text() ? parse_role(entry.text) : std::nullopt;
      if (!role || *role == Role::kNone) {
        fault(entry.line, "'role' must be viewer, ci, operator or admin");
      }
      into.role = role.value_or(Role::kNone);
    }
    if (entry.key == "models") {
      for (const YamlNode& glob : list(entry, kGlobsMax)) {
        if (!glob.is_text() || !is_model_glob(glob.text)) {
          fault(glob.line, "'models' must be names of models, with * and ? for others");
        }
        into.models.push_back(glob.text);
      }
      if (into.models.empty()) fault(entry.line, "'models' is empty: leave it out for all");
    }
  }

  void check_grant(const YamlNode& entry, const Grant& grant) {
    if (grant.role == Role::kNone) fault(entry.line, "'role' is missing");
    if (!grant.models.empty() && grant.role != Role::kCi) {
      fault(entry.line, "'models' is for the role ci");
    }
  }

  void certificates(const YamlNode& node, Rules& rules) {
    for (const YamlNode& entry : list(node, kCertificatesMax)) {
      std::string name;
      Grant given;
      if (!entry.is_map()) fault(entry.line, "must have name and role");
      for (const YamlNode& field : fields(entry, {"name", "role", "models"})) {
        if (field.key == "name") name = text(field, 128);
        grant(field, given);
      }
      check_grant(entry, given);
      if (name.empty()) fault(entry.line, "'name' is missing");
      if (!rules.certificates.emplace(name, std::move(given)).second) {
        fault(entry.line, fmt::format("'{}' is there twice", name));
      }
    }
  }

  void issuers(const YamlNode& node, Rules& rules) {
    for (const YamlNode& entry : list(node, kIssuersMax)) {
      Issuer made;
      if (!entry.is_map()) fault(entry.line, "must be a mapping");
      for (const YamlNode& field :
           fields(entry, {"name", "issuer", "audience", "jwks_file", "rules"})) {
        if (field.key == "name") made.name = text(field, 32);
        if (field.key == "issuer") made.issuer = text(field, 512);
        if (field.key == "audience") made.audience = text(field, 512);
        if (field.key == "jwks_file") made.jwks_file = text(field, 4096);
        if (field.key == "rules") claim_rules(field, made);
      }
      if (made.name.empty() || made.issuer.empty() || made.audience.empty() ||
          made.jwks_file.empty() || made.rules.empty()) {
        fault(entry.line, "name, issuer, audience, jwks_file and rules are all needed");
        continue;
      }
      for (const Issuer& other : rules.issuers) {
        if (other.name == made.name || other.issuer == made.issuer) {
          fault(entry.line, "name or issuer are those of another entry");
        }
      }
      keys(entry, made);
      rules.issuers.push_back(std::move(made));
    }
  }

  void keys(const YamlNode& entry, Issuer& issuer) {
    const Result<std::string> content = read_(issuer.jwks_file);
    if (!content) return fault(entry.line, content.error().message);
    Result<Jwks> keys = Jwks::parse(*content);
    if (!keys) {
      return fault(entry.line, fmt::format("{}: {}", issuer.jwks_file, keys.error().message));
    }
    issuer.keys = std::make_shared<const Jwks>(*std::move(keys));
  }

  void claim_rules(const YamlNode& node, Issuer& issuer) {
    for (const YamlNode& entry : list(node, kRulesMax)) {
      ClaimRule rule;
      if (!entry.is_map()) fault(entry.line, "must have claims and role");
      for (const YamlNode& field : fields(entry, {"claims", "role", "models"})) {
        if (field.key == "claims" && field.is_map() && field.items.size() <= kClaimsOfRuleMax) {
          for (const YamlNode& claim : field.items) {
            if (!rule.claims.emplace(claim.key, text(claim, 512)).second) {
              fault(claim.key_line, fmt::format("'{}' is there twice", claim.key));
            }
          }
        }
        grant(field, rule.grant);
      }
      check_grant(entry, rule.grant);
      // Everybody that the issuer knows, which is the whole world for a public one.
      if (rule.claims.empty()) {
        fault(entry.line, fmt::format("'claims' must name 1 to {}", kClaimsOfRuleMax));
      }
      issuer.rules.push_back(std::move(rule));
    }
  }

  const ReadFile& read_;
  std::vector<std::string> faults_;
};

}  // namespace

Result<Rules> parse_rules(const std::string& yaml, const ReadFile& read) {
  return RuleReader(read).document(yaml);
}

std::optional<Grant> grant_of(const Issuer& issuer, const JwtClaims& claims) {
  for (const ClaimRule& rule : issuer.rules) {
    const bool all = std::all_of(rule.claims.begin(), rule.claims.end(), [&](const auto& wanted) {
      const auto values = claims.values.find(wanted.first);
      return values != claims.values.end() &&
             std::any_of(values->second.begin(), values->second.end(),
                         [&](const std::string& value) { return matches(wanted.second, value); });
    });
    if (all) return rule.grant;
  }
  return std::nullopt;
}

bool is_model_glob(std::string_view text) {
  return !text.empty() && text.size() <= kGlobBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.' || c == '*' || c == '?';
         });
}

}  // namespace covey::access
