// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/connect/address.hpp"

namespace covey::cli {
namespace {

std::string contexts_table(const Invocation& invocation, const Contexts& contexts) {
  Table table({"", "NAME", "ADDRESS", "CA", "TOKEN"});
  for (const auto& [name, site] : contexts.sites) {
    table.add({name == contexts.current ? "*" : "", escaped(name), escaped(site.address),
               escaped(site.shown.ca), escaped(site.shown.token)});
  }
  if (table.empty()) return "No contexts: `covey context add NAME --address ...` adds one.\n";
  return table.render(invocation.style);
}

int show_contexts(const Invocation& invocation, const Contexts& contexts) {
  nlohmann::ordered_json json = {{"current", contexts.current},
                                 {"contexts", nlohmann::json::array()}};
  for (const auto& [name, site] : contexts.sites) {
    nlohmann::ordered_json one = {{"name", name}, {"address", site.address}};
    for (const auto& [field, value] :
         {std::pair{"ca", &site.shown.ca}, std::pair{"token_file", &site.shown.token},
          std::pair{"client_certificate", &site.shown.certificate},
          std::pair{"client_key", &site.shown.key}}) {
      if (!value->empty()) one[field] = *value;
    }
    json["contexts"].push_back(std::move(one));
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
  Result<Destination> where =
      resolve_destination({invocation.address, invocation.data_dir, "", invocation.shown});
  if (!where) return where.error();
  for (std::string* file :
       {&where->shown.ca, &where->shown.token, &where->shown.certificate, &where->shown.key}) {
    std::error_code failed;
    if (file->empty() || *file == "system") continue;
    *file = std::filesystem::absolute(*file, failed).string();
  }
  contexts.sites[name] = *std::move(where);
  if (contexts.current.empty()) contexts.current = name;
  return {};
}

// Files that login put beside the contexts go with it; others are somebody's own.
Status remove_context(const std::string& name, Contexts& contexts) {
  const auto found = contexts.sites.find(name);
  if (found == contexts.sites.end()) return no_context(contexts, name);
  const Result<std::filesystem::path> path = contexts_path();
  if (!path) return path.error();
  for (const std::string& kept : {name + ".ca.pem", name + ".token"}) {
    const std::filesystem::path file = path->parent_path() / kept;
    if (file != found->second.shown.ca && file != found->second.shown.token) continue;
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  }
  contexts.sites.erase(found);
  if (contexts.current == name) contexts.current.clear();
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
      if (!contexts.sites.contains(*name)) return no_context(contexts, *name);
      contexts.current = *name;
      return {};
    });
  });
  CLI::App* remove = context->add_subcommand("remove", "Forget a context, and what login kept");
  remove->add_option("context", *name, "As `covey context list` shows it")->required();
  on(remove, invocation, [&invocation, name] {
    return change_contexts(invocation,
                           [&](Contexts& contexts) { return remove_context(*name, contexts); });
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
