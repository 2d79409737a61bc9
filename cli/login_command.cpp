// SPDX-License-Identifier: Apache-2.0
// covey login: a site on the network, known by its authority, and who is calling there.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.hpp"
#include "cli/connect/address.hpp"
#include "cli/connect/tls_explained.hpp"
#include "cli/files/files.hpp"
#include "covey/v1/admin.pb.h"

namespace covey::cli {
namespace {

struct LoginOptions {
  std::string name;
  std::string fingerprint;
};

// "ab:cd" and "ABCD" are the same.
std::string canonical(std::string_view fingerprint) {
  std::string hex;
  for (const char c : fingerprint) {
    if (c != ':') hex += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return hex;
}

// The certificate with that fingerprint among those that the site shows.
Result<std::string> pinned(const std::string& address, const std::string& fingerprint) {
  const Result<std::vector<SeenCertificate>> seen = certificates_at(address);
  if (!seen) return seen.error();
  const std::string wanted = canonical(fingerprint);
  const auto found = std::find_if(seen->begin(), seen->end(), [&](const SeenCertificate& one) {
    return canonical(one.fingerprint) == wanted;
  });
  if (found != seen->end()) return found->pem;
  return Error{Code::kFailedPrecondition, "FINGERPRINT_MISMATCH",
               fmt::format("{} shows no certificate with this fingerprint, its last is {}: `covey "
                           "site fingerprint` on the gateway says the right one; if it was that, "
                           "somebody else answers",
                           address, seen->empty() ? "none" : seen->back().fingerprint)};
}

Result<Credentials> credentials_for(const Invocation& invocation, const LoginOptions& options) {
  Result<Credentials> read = read_credentials(invocation.shown);
  if (!read) return read;
  if (!options.fingerprint.empty()) {
    Result<std::string> ca = pinned(invocation.address, options.fingerprint);
    if (!ca) return ca.error();
    read->ca = *std::move(ca);
    read->tls = true;
  }
  if (!read->tls && !is_local(invocation.address)) {
    return invalid("NEEDS_CA",
                   fmt::format("how is {} to be known? --fingerprint with what `covey site "
                               "fingerprint` says on the gateway, or --ca FILE",
                               invocation.address));
  }
  if (read->token.empty() && read->certificate.empty() && !is_local(invocation.address)) {
    if (isatty(STDIN_FILENO) != 0) Streams::note("Token (of `covey token create`): ");
    std::string line;
    std::getline(std::cin, line);
    read->token = token_in(line);
    if (read->token.empty()) {
      return invalid(
          "TOKEN_FILE_EMPTY",
          "no token came: --token-file FILE, on standard input, or a client certificate");
    }
  }
  return read;
}

Status put(const std::filesystem::path& path, const std::string& text, unsigned mode) {
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  std::filesystem::remove(path, ignored);  // its mode would stay
  return write_file(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, mode);
}

// Beside the contexts, so that a login is whole wherever its files came from.
Status keep(const Invocation& invocation, const LoginOptions& options, const Credentials& used) {
  const Result<std::filesystem::path> path = contexts_path();
  if (!path) return path.error();
  Result<Contexts> contexts = load_contexts(*path);
  if (!contexts) return contexts.error();
  Destination site{.address = invocation.address, .shown = invocation.shown};
  const std::filesystem::path folder = path->parent_path();
  if (!used.ca.empty()) {
    site.shown.ca = folder / (options.name + ".ca.pem");
    if (Status done = put(site.shown.ca, used.ca, 0644); !done) return done;
  }
  if (!used.token.empty()) {
    site.shown.token = folder / (options.name + ".token");
    if (Status done = put(site.shown.token, used.token + "\n", 0600); !done) return done;
  }
  for (std::string* file : {&site.shown.certificate, &site.shown.key}) {
    std::error_code failed;
    if (!file->empty()) *file = std::filesystem::absolute(*file, failed).string();
  }
  contexts->sites[options.name] = std::move(site);
  contexts->current = options.name;
  return save_contexts(*path, *contexts);
}

int login(const Invocation& invocation, const LoginOptions& options) {
  if (invocation.address.empty()) {
    return invocation.fail(invalid("NO_SITE", "say which site: --address HOST:PORT"));
  }
  const bool plain = std::all_of(options.name.begin(), options.name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
  });
  if (!plain || options.name.empty() || options.name.front() == '.') {
    return invocation.fail(invalid("BAD_NAME", "the name of a context has letters, digits, . _ -"));
  }
  const Result<Millis> wait = invocation.timeout_ms();
  if (!wait) return invocation.fail(wait.error());
  const Result<Credentials> credentials = credentials_for(invocation, options);
  if (!credentials) return invocation.fail(credentials.error());
  Client client(invocation.address, *wait, *credentials);
  const Result<v1::GetCallerResponse> caller =
      client.call<v1::GetCallerResponse>(v1::GetCallerRequest());
  if (!caller) return invocation.fail(caller.error());
  if (Status kept = keep(invocation, options, *credentials); !kept) {
    return invocation.fail(kept.error());
  }
  return invocation.print(*caller, [&](const auto& r) {
    return fmt::format("Logged in to {} as {} ({}), role {}; the context {} is in use.\n",
                       escaped(invocation.address), r.name(), r.known(), r.role(),
                       escaped(options.name));
  });
}

}  // namespace

void add_login_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand(
      "login", "Know a site on the network, and be known there; keeps both as a context");
  const auto options = std::make_shared<LoginOptions>();
  command->add_option("name", options->name, "Name of the context")->required();
  command->add_option("--fingerprint", options->fingerprint,
                      "SHA-256 of the site's authority, as `covey site fingerprint` says it there");
  command->footer(
      "The token comes from --token-file, or from standard input.\n"
      "Example:\n"
      "  covey login hall-b --address gateway.plant:7070 --fingerprint 3F:A9:... < token");
  on(command, invocation, [&invocation, options] { return login(invocation, *options); });
}

}  // namespace covey::cli
