// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/caller.hpp"

#include <pwd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace covey::api {
namespace {

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

Caller local_user(uid_t user) { return {user_name(user), Role::kAdmin, Via::kUnixSocket}; }

Caller from_loopback(std::string address) {
  return {std::move(address), Role::kAdmin, Via::kLoopback};
}

std::string audit_name(const Caller& caller) {
  switch (caller.via) {
    case Via::kLoopback:
      return caller.name;
    case Via::kUnixSocket:
      return "unix:" + caller.name;
  }
  return caller.name;
}

}  // namespace covey::api
