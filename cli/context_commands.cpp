// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/address.hpp"
#include "cli/commands.hpp"

namespace covey::cli {
namespace {

std::string contexts_table(const Invocation& invocation, const Contexts& contexts) {
  Table table({"", "NAME", "ADDRESS"});
  for (const auto& [name, address] : contexts.addresses) {
    table.add({name == contexts.current ? "*" : "", escaped(name), escaped(address)});
  }
  if (table.empty()) return "No contexts: `covey context add NAME --address ...` adds one.\n";
  return table.render(invocation.style);
}

int show_contexts(const Invocation& invocation, const Contexts& contexts) {
  nlohmann::ordered_json json = {{"current", contexts.current},
                                 {"contexts", nlohmann::json::array()}};
  for (const auto& [name, address] : contexts.addresses) {
    json["contexts"].push_back({{"name", name}, {"address", address}});
  }
  return invocation.print_json(json, [&] { return contexts_table(invocation, contexts); });
}

// Reads, edits and writes the contexts, and shows them to programs.
template <typename Edit>
int change_contexts(const Invocation& invocation, Edit edit) {
  Result<std::filesystem::path> path = contexts_path();
  if (!path) return invocation.fail(path.error());
  Result<Contexts> contexts = load_contexts(*path);
  if (!contexts) return invocation.fail(contexts.error());
  if (Status done = edit(*contexts); !done) return invocation.fail(done.error());
  if (Status done = save_contexts(*path, *contexts); !done) return invocation.fail(done.error());
  return invocation.for_people() ? static_cast<int>(kDone) : show_contexts(invocation, *contexts);
}

Status add_context(const Invocation& invocation, const std::string& name, Contexts& contexts) {
  if (invocation.address.empty() && invocation.data_dir.empty()) {
    return invalid("NO_SITE", "say which site: --address or --data");
  }
  Result<std::string> where = resolve_address(invocation.address, invocation.data_dir, "");
  if (!where) return where.error();
  contexts.addresses[name] = *where;
  if (contexts.current.empty()) contexts.current = name;
  return {};
}

}  // namespace

void add_context_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* context = app.add_subcommand("context", "Names for sites");
  context->require_subcommand(1);
  const auto name = std::make_shared<std::string>();
  CLI::App* add = context->add_subcommand("add", "Name the site of --address or --data");
  add->add_option("name", *name, "A name of your choice")->required();
  add->footer("Example:\n  covey context add hall-b --address 127.0.0.1:7070");
  on(add, invocation, [&invocation, name] {
    return change_contexts(
        invocation, [&](Contexts& contexts) { return add_context(invocation, *name, contexts); });
  });
  CLI::App* use = context->add_subcommand("use", "Make a context the one in use");
  use->add_option("context", *name, "As `covey context list` shows it")->required();
  on(use, invocation, [&invocation, name] {
    return change_contexts(invocation, [&](Contexts& contexts) -> Status {
      if (!contexts.addresses.contains(*name)) return no_context(contexts, *name);
      contexts.current = *name;
      return {};
    });
  });
  CLI::App* list = context->add_subcommand("list", "List contexts");
  on(list, invocation, [&invocation] {
    Result<std::filesystem::path> path = contexts_path();
    if (!path) return invocation.fail(path.error());
    Result<Contexts> contexts = load_contexts(*path);
    if (!contexts) return invocation.fail(contexts.error());
    return show_contexts(invocation, *contexts);
  });
}

}  // namespace covey::cli
