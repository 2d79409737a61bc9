// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/commands.hpp"
#include "core/duration.hpp"
#include "covey/v1/admin.pb.h"

namespace covey::cli {
namespace {

struct TokenOptions {
  std::string name;
  std::string role;
  std::string expires = "90d";
  std::vector<std::string> models;
  std::string output;
};

// A new file of its owner's alone. Before the token is made: what cannot be kept is not made.
Result<int> open_new(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  return Error{Code::kUnknown, errno == EEXIST ? "FILE_EXISTS" : "FILE_UNWRITABLE",
               fmt::format("{}: {}; choose another name", path, std::strerror(errno))};
}

int create(const Invocation& invocation, const TokenOptions& options) {
  v1::CreateTokenRequest request;
  request.set_token_id(options.name);
  request.set_role(options.role);
  for (const std::string& glob : options.models) request.add_models(glob);
  if (options.expires != "never") {
    const Result<Millis> lifetime = parse_duration(options.expires);
    if (!lifetime) return invocation.fail(lifetime.error());
    request.set_lifetime_ms(lifetime->count());
  }
  int file = -1;
  if (!options.output.empty()) {
    const Result<int> opened = open_new(options.output);
    if (!opened) return invocation.fail(opened.error());
    file = *opened;
  }
  const auto give_up = [&](const Error& error) {
    if (file >= 0) {
      ::close(file);
      ::unlink(options.output.c_str());
    }
    return invocation.fail(error);
  };
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return give_up(client.error());
  Result<v1::CreateTokenResponse> made = (*client)->call<v1::CreateTokenResponse>(request);
  if (!made) return give_up(made.error());
  if (file >= 0) {
    const std::string line = made->secret() + "\n";
    const bool written =
        ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    if (::close(file) != 0 || !written) {
      return invocation.fail(
          {Code::kUnknown, "FILE_UNWRITABLE",
           fmt::format("{}: not written; `covey token revoke {}`, then try again", options.output,
                       options.name)});
    }
    made->clear_secret();
  }
  return invocation.print(*made, [&](const auto& r) {
    if (!r.secret().empty()) return r.secret() + "\n";
    return fmt::format("Token {} ({}) is in {}.\n", r.token().name(), r.token().role(),
                       escaped(options.output));
  });
}

std::string tokens_table(const Invocation& invocation, const v1::ListTokensResponse& list) {
  Table table({"NAME", "ROLE", "MODELS", "CREATED", "ENDS", "LAST USED", "BY"});
  for (const v1::Token& token : list.tokens()) {
    table.add({token.name(), token.role(),
               token.models().empty() ? "all" : fmt::format("{}", fmt::join(token.models(), " ")),
               utc(token.create_time_ms()),
               token.expire_time_ms() == 0 ? "never" : utc(token.expire_time_ms()),
               token.last_use_time_ms() == 0 ? "never" : utc(token.last_use_time_ms()),
               token.creator()});
  }
  if (table.empty()) return "No token: `covey token create NAME --role ci` makes one.\n";
  return table.render(invocation.style);
}

}  // namespace

void add_token_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* token = app.add_subcommand("token", "Tokens of people and pipelines");
  token->require_subcommand(1);
  const auto options = std::make_shared<TokenOptions>();

  CLI::App* make = token->add_subcommand("create", "Make one; it is shown once");
  make->add_option("name", options->name, "Whose or what for: letters, digits and . _ -")
      ->required();
  make->add_option("--role", options->role, "viewer, ci, operator or admin")
      ->required()
      ->check(CLI::IsMember({"viewer", "ci", "operator", "admin"}));
  make->add_option("--expires", options->expires, "How long it is good, or never")
      ->capture_default_str();
  make->add_option("--models", options->models, "What a ci may push, roll out and label: 'press-*'")
      ->delimiter(',');
  make->add_option("--output", options->output,
                   "A new file for it (0600), instead of the terminal");
  make->footer(
      "Example:\n"
      "  covey token create press-ci --role ci --expires 90d --models 'press-*' --output ci.token");
  on(make, invocation, [&invocation, options] { return create(invocation, *options); });

  CLI::App* list = token->add_subcommand("list", "List tokens, never their secrets");
  on(list, invocation, [&invocation] {
    return call_and_print<v1::ListTokensResponse>(
        invocation, v1::ListTokensRequest(),
        [&](const auto& r) { return tokens_table(invocation, r); });
  });

  CLI::App* revoke = token->add_subcommand("revoke", "Let nobody in by it from now on");
  revoke->add_option("token", options->name, "As `covey token list` shows it")->required();
  on(revoke, invocation, [&invocation, options] {
    v1::RevokeTokenRequest request;
    request.set_name(options->name);
    return call_and_print<v1::RevokeTokenResponse>(
        invocation, request, [](const auto&) { return std::string("Revoked.\n"); });
  });
}

}  // namespace covey::cli
