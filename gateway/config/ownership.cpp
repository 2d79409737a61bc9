// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/ownership.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace covey::config {

Error foreign_file(std::string what) {
  return {Code::kPermissionDenied, "FOREIGN_FILE", std::move(what)};
}

Error exposed_file(const std::string& path) {
  return {Code::kPermissionDenied, "EXPOSED_FILE",
          fmt::format("{} can be read by everybody: chmod 600 it, and replace the secret if "
                      "somebody may have read it",
                      path)};
}

Status check_owner(const std::string& path, const struct stat& status) {
  const uid_t self = ::geteuid();
  if (status.st_uid != self && status.st_uid != 0) {
    return foreign_file(
        fmt::format("{} belongs to user {}, coveyd runs as user {}: run it as that user, or chown "
                    "the file",
                    path, status.st_uid, self));
  }
  const bool group = (status.st_mode & S_IWGRP) != 0 && status.st_gid != ::getegid();
  if (group || (status.st_mode & S_IWOTH) != 0) {
    return foreign_file(fmt::format("{} can be written by other users (mode {:04o}): chmod go-w {}",
                                    path, status.st_mode & 07777, path));
  }
  return {};
}

}  // namespace covey::config
