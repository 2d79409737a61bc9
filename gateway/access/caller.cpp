// SPDX-License-Identifier: Apache-2.0
#include "gateway/access/caller.hpp"

#include <pwd.h>

#include <array>
#include <cstdio>
#include <memory>

#include <fmt/format.h>

namespace covey::access {
namespace {

constexpr std::array<std::string_view, 5> kRoles = {"none", "viewer", "ci", "operator", "admin"};
constexpr std::array<std::string_view, 6> kKnown = {"nobody",      "unix-peer", "loopback",
                                                    "certificate", "token",     "jwt"};

std::string user_name(uid_t user) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/etc/passwd", "re"), &std::fclose);
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  while (file && fgetpwent_r(file.get(), &entry, buffer.data(), buffer.size(), &found) == 0) {
    if (found->pw_uid == user) return found->pw_name;
  }
  return fmt::format("{}", user);
}

}  // namespace

std::string_view to_string(Role role) { return kRoles[static_cast<size_t>(role)]; }

std::optional<Role> parse_role(std::string_view word) {
  for (size_t i = 0; i < kRoles.size(); ++i) {
    if (kRoles[i] == word) return static_cast<Role>(i);
  }
  return std::nullopt;
}

std::string_view to_string(Known known) { return kKnown[static_cast<size_t>(known)]; }

Caller local_user(uid_t user) {
  return {.name = user_name(user),
          .role = Role::kAdmin,
          .via = Via::kUnixSocket,
          .known = Known::kUnixPeer,
          .confidential = true};
}

std::string audit_name(const Caller& caller) {
  switch (caller.known) {
    case Known::kNobody:
      return caller.name;
    case Known::kUnixPeer:
      return "unix:" + caller.name;
    case Known::kLoopback:
    case Known::kCertificate:
    case Known::kToken:
    case Known::kJwt:
      return fmt::format("{}:{}", to_string(caller.known), caller.name);
  }
  return caller.name;
}

bool matches(std::string_view glob, std::string_view text) {
  // The last star seen, and the text from which it is tried to stand for one more.
  size_t at = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  size_t i = 0;
  while (i < text.size()) {
    if (at < glob.size() && glob[at] == '*') {
      star = at++;
      resume = i;
    } else if (at < glob.size() && (glob[at] == '?' || glob[at] == text[i])) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', at) == std::string_view::npos;
}

}  // namespace covey::access
