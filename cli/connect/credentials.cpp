// SPDX-License-Identifier: Apache-2.0
#include "cli/connect/credentials.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "cli/files/files.hpp"

namespace covey::cli {
namespace {

constexpr size_t kFileBytesMax = 256U << 10U;

Result<std::string> text_of(const std::string& path) {
  const Result<Bytes> bytes = read_file(path, kFileBytesMax);
  if (!bytes) return bytes.error();
  return std::string(bytes->begin(), bytes->end());
}

Status check_secret(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  if ((status.st_mode & (S_IRWXO | S_IWGRP)) == 0) return {};
  return precondition("TOKEN_FILE_MODE",
                      fmt::format("{} can be read or written by others: chmod 600 it, and have the "
                                  "token revoked if somebody may have read it",
                                  path));
}

}  // namespace

std::string token_in(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin);
  return std::string(text.substr(0, text.find_first_of(" \t\r\n")));
}

Result<std::string> read_token(const std::string& path) {
  if (Status secret = check_secret(path); !secret) return secret.error();
  const Result<std::string> text = text_of(path);
  if (!text) return text.error();
  std::string token = token_in(*text);
  if (token.empty()) {
    return invalid("TOKEN_FILE_EMPTY", fmt::format("{} has no token", path));
  }
  return token;
}

Result<Credentials> read_credentials(const Shown& shown) {
  Credentials read;
  read.tls = !shown.ca.empty();
  if (!shown.ca.empty() && shown.ca != "system") {
    Result<std::string> ca = text_of(shown.ca);
    if (!ca) return ca.error();
    read.ca = *std::move(ca);
  }
  if (!shown.token.empty()) {
    Result<std::string> token = read_token(shown.token);
    if (!token) return token.error();
    read.token = *std::move(token);
  }
  if (shown.certificate.empty() != shown.key.empty()) {
    return invalid("CLIENT_KEY_MISSING",
                   "--client-certificate and --client-key belong together: give both or none");
  }
  if (!shown.certificate.empty()) {
    Result<std::string> certificate = text_of(shown.certificate);
    if (!certificate) return certificate.error();
    if (Status secret = check_secret(shown.key); !secret) return secret.error();
    Result<std::string> key = text_of(shown.key);
    if (!key) return key.error();
    read.certificate = *std::move(certificate);
    read.key = *std::move(key);
  }
  return read;
}

bool is_local(const std::string& address) {
  if (address.starts_with("/") || address.starts_with("unix:")) return true;
  std::string host = address.substr(0, address.rfind(':'));
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24U == 127;
  return host == "localhost" || host == "::1";
}

}  // namespace covey::cli
