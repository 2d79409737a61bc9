// SPDX-License-Identifier: Apache-2.0
// What a client shows to a site, and trusts, as read from the files that address.hpp names. Any
// thread. Errors: those of files.hpp; TOKEN_FILE_MODE, TOKEN_FILE_EMPTY, CLIENT_KEY_MISSING.
#pragma once

#include <string>

#include "cli/connect/address.hpp"
#include "core/result.hpp"

namespace covey::cli {

struct Credentials {
  bool tls = false;
  std::string ca;           // PEM; empty with TLS: the authorities that this system trusts
  std::string token;        // a secret
  std::string certificate;  // PEM, and its key, which is a secret
  std::string key;
};

Result<Credentials> read_credentials(const Shown& shown);
// Of a file that others cannot read.
Result<std::string> read_token(const std::string& path);
// The first line, without blanks around.
std::string token_in(std::string_view text);

// Nobody beyond this machine is on the way: a Unix socket, or loopback.
bool is_local(const std::string& address);

}  // namespace covey::cli
