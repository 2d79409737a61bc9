// SPDX-License-Identifier: Apache-2.0
// What `covey` says of itself: --help, help, version, and to words that it does not know.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/commands.hpp"
#include "core/nearest.hpp"

namespace covey::cli {
namespace {

// The command that was typed, as far as it is known.
const CLI::App& deepest(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return *at;
}

std::string words_of(const CLI::App& command) {
  return command.get_parent() == nullptr
             ? command.get_name()
             : fmt::format("{} {}", words_of(*command.get_parent()), command.get_name());
}

const CLI::App* subcommand(const CLI::App& command, const std::string& name) {
  const std::vector<const CLI::App*> all = command.get_subcommands({});
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const CLI::App* below) { return below->get_name() == name; });
  return found == all.end() ? nullptr : *found;
}

std::vector<std::string> subcommands_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* below : command.get_subcommands({})) {
    if (!below->get_group().empty()) names.push_back(below->get_name());
  }
  return names;
}

// Global ones included.
std::vector<std::string> options_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* at = &command; at != nullptr; at = at->get_parent()) {
    for (const CLI::Option* option : at->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

bool is_option(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

// CLI11 counts words and misses required ones before it looks at words that it does not know, which
// say more about what was meant.
std::string complaint(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = deepest(app);
  const std::string words = words_of(command);
  const std::vector<std::string> unknown = app.remaining(true);
  const auto option = std::find_if(unknown.begin(), unknown.end(), is_option);
  if (option != unknown.end()) {
    const std::string name = escaped(option->substr(0, option->find('=')));
    return fmt::format("{}: unknown option '{}'{}\nRun {} --help for the options.", words, name,
                       did_you_mean(name, options_of(command)), words);
  }
  const std::vector<std::string> below = subcommands_of(command);
  if (!below.empty() && !unknown.empty()) {
    return fmt::format("{}: unknown command '{}'{}\nRun {} --help for the list of commands.", words,
                       escaped(unknown.front()), did_you_mean(unknown.front(), below), words);
  }
  if (unknown.empty())
    return fmt::format("{}: {}\nRun {} --help.", words, escaped(error.what()), words);
  const bool lacks = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  return fmt::format("{}: unexpected argument '{}'{}\nRun {} --help.", words,
                     escaped(unknown.front()), lacks ? fmt::format("; {}", error.what()) : "",
                     words);
}

int refuse_with(const Invocation& invocation, const std::string& text) {
  if (!invocation.for_people()) return invocation.fail(invalid("USAGE", text), kUsage);
  Streams::note(safe_for_terminal(text + "\n"));
  return kUsage;
}

int show_help(const CLI::App& app, const Invocation& invocation,
              const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  for (const std::string& word : words) {
    const CLI::App* below = subcommand(*at, word);
    if (below == nullptr) {
      return refuse_with(invocation,
                         fmt::format("{}: unknown command '{}'{}", words_of(*at), escaped(word),
                                     did_you_mean(word, subcommands_of(*at))));
    }
    at = below;
  }
  return invocation.put(at->help(at->get_parent() == nullptr ? "" : words_of(*at->get_parent())));
}

}  // namespace

int refuse(const CLI::App& app, const CLI::ParseError& error, const Invocation& invocation) {
  if (error.get_exit_code() == 0) {  // --help, --version
    std::ostringstream out;
    std::ostringstream err;
    app.exit(error, out, err);
    return invocation.put(out.str());
  }
  return refuse_with(invocation, complaint(app, error));
}

void add_help_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* help = app.add_subcommand("help", "The same as --help, of a command");
  const auto words = std::make_shared<std::vector<std::string>>();
  help->add_option("command", *words, "Which; all when left out");
  help->footer("Example:\n  covey help rollout create");
  on(help, invocation, [&app, &invocation, words] { return show_help(app, invocation, *words); });
  CLI::App* version = app.add_subcommand("version", "The version of this program");
  version->footer("Example:\n  covey version -o json");
  on(version, invocation, [&invocation] {
    return invocation.print_json({{"version", COVEY_VERSION}},
                                 [] { return std::string("covey " COVEY_VERSION "\n"); });
  });
}

}  // namespace covey::cli
