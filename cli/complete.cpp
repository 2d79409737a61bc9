// SPDX-License-Identifier: Apache-2.0
// Completion: the shell's script asks `covey complete`, which knows the command tree, and asks the
// site for names.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "cli/commands.hpp"
#include "cli/connect/address.hpp"
#include "covey/v1/admin.pb.h"
#include "covey/v1/devices.pb.h"
#include "covey/v1/models.pb.h"
#include "covey/v1/monitoring.pb.h"
#include "covey/v1/rollouts.pb.h"

namespace covey::cli {
namespace {

using Words = std::vector<std::string>;

// The site has this long to tell names: somebody waits for a letter.
constexpr const char* kPatience = "2s";

// Bash takes @, = and : as words of their own where they stand in one.
Words rejoined(const Words& pieces) {
  Words words;
  bool glue = false;
  for (const std::string& piece : pieces) {
    const bool breaks = piece == "@" || piece == "=" || piece == ":";
    if (!words.empty() && words.size() > 1 && (breaks || glue)) {
      words.back() += piece;
    } else {
      words.push_back(piece);
    }
    glue = breaks;
  }
  return words;
}

template <typename Response, typename Request>
Response ask(const Invocation& invocation, const Request& request) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return {};
  Result<Response> response = (*client)->template call<Response>(request);
  return response ? *std::move(response) : Response();
}

template <typename Resources>
Words ids_of(const Resources& resources) {
  Words words;
  for (const auto& resource : resources) words.push_back(id_of(resource.name()));
  return words;
}

Words devices_of(const Invocation& invocation) {
  v1::ListDevicesRequest request;
  request.set_page_size(1000);
  return ids_of(ask<v1::ListDevicesResponse>(invocation, request).devices());
}

Words rollouts_of(const Invocation& invocation) {
  v1::ListRolloutsRequest request;
  request.set_page_size(1000);
  return ids_of(ask<v1::ListRolloutsResponse>(invocation, request).rollouts());
}

Words releases_of(const Invocation& invocation, bool only_models) {
  v1::ListReleasesRequest request;
  request.set_parent("models/-");
  request.set_page_size(1000);
  Words words;
  const auto response = ask<v1::ListReleasesResponse>(invocation, request);
  for (const v1::Release& release : response.releases()) {
    words.push_back(only_models ? release.model()
                                : fmt::format("{}@{}", release.model(), release.version()));
  }
  return words;
}

Words keys_of(const Invocation& invocation) {
  Words words;
  const auto response = ask<v1::ListTrustedKeysResponse>(invocation, v1::ListTrustedKeysRequest());
  for (const v1::TrustedKey& key : response.keys()) words.push_back(key.key_id());
  return words;
}

Words contexts_known() {
  Result<std::filesystem::path> path = contexts_path();
  if (!path) return {};
  Result<Contexts> contexts = load_contexts(*path);
  if (!contexts) return {};
  Words words;
  for (const auto& [name, site] : contexts->sites) words.push_back(name);
  return words;
}

// What an argument or an option's value may be; nothing: the shell offers files.
Words values_of(const Invocation& invocation, const CLI::App& command, const std::string& name) {
  if (name == "--format") return kFormatWords;
  if (name == "--context" || name == "context") return contexts_known();
  if (name == "--algorithm") return {"es256", "ed25519"};
  if (name == "--state")
    return {"RUNNING", "PAUSED", "ROLLING_BACK", "SUCCEEDED", "ABORTED", "ROLLED_BACK"};
  if (name == "shell") return {"bash", "zsh"};
  if (name == "rollout") return rollouts_of(invocation);
  if (name == "device" || name == "--device" || name == "devices" || name == "words") {
    return devices_of(invocation);
  }
  if (name == "model" || name == "--model") return releases_of(invocation, true);
  if (name == "release" || name == "--release") return releases_of(invocation, false);
  if (name == "alert") {
    return ids_of(ask<v1::ListAlertsResponse>(invocation, v1::ListAlertsRequest()).alerts());
  }
  if (name == "key") return keys_of(invocation);
  if (name == "command" && command.get_name() == "help") {
    Words words;
    for (const CLI::App* below : command.get_parent()->get_subcommands({})) {
      if (!below->get_group().empty()) words.push_back(below->get_name());
    }
    return words;
  }
  return {};
}

const CLI::Option* option_of(const CLI::App& command, const std::string& word) {
  for (const CLI::App* at = &command; at != nullptr; at = at->get_parent()) {
    for (const CLI::Option* option : at->get_options()) {
      if (option->check_name(word)) return option;
    }
  }
  return nullptr;
}

std::string name_of(const CLI::Option& option) {
  return option.get_lnames().empty() ? option.get_name(true) : "--" + option.get_lnames().front();
}

// The words before the one that is being written, as far as they matter for it.
struct Place {
  const CLI::App* command;
  const CLI::Option* value_of = nullptr;  // an option that waits for its value
  size_t arguments = 0;
};

Place walk(const CLI::App& app, const Words& words, Invocation& invocation) {
  Place place{&app};
  for (size_t i = 1; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (const CLI::Option* waiting = std::exchange(place.value_of, nullptr)) {
      const std::string name = name_of(*waiting);
      if (name == "--data") invocation.data_dir = word;
      if (name == "--address") invocation.address = word;
      if (name == "--context") invocation.context = word;
    } else if (word.size() > 1 && word.front() == '-') {
      const size_t equals = word.find('=');
      const CLI::Option* option = option_of(*place.command, word.substr(0, equals));
      if (option == nullptr || option->get_items_expected_max() == 0) continue;
      if (equals == std::string::npos) {
        place.value_of = option;
      } else if (name_of(*option) == "--data") {
        invocation.data_dir = word.substr(equals + 1);
      } else if (name_of(*option) == "--address") {
        invocation.address = word.substr(equals + 1);
      }
    } else {
      const std::vector<const CLI::App*> all = place.command->get_subcommands({});
      const auto below = std::find_if(all.begin(), all.end(), [&](const CLI::App* candidate) {
        return candidate->get_name() == word;
      });
      if (below == all.end()) {
        ++place.arguments;
      } else {
        place.command = *below;
        place.arguments = 0;
      }
    }
  }
  return place;
}

Words argument_words(const Invocation& invocation, const Place& place) {
  size_t at = 0;
  for (const CLI::Option* option : place.command->get_options()) {
    if (!option->get_positional()) continue;
    if (at++ == place.arguments || option->get_items_expected_max() > 1) {
      return values_of(invocation, *place.command, option->get_name(true));
    }
  }
  return {};
}

Words option_words(const CLI::App& command) {
  Words words;
  for (const CLI::App* at = &command; at != nullptr; at = at->get_parent()) {
    for (const CLI::Option* option : at->get_options()) {
      for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
    }
  }
  return words;
}

Words candidates(const CLI::App& app, const Words& words, Invocation& invocation) {
  const Place place = walk(app, words, invocation);
  const std::string& word = words.back();
  const size_t equals = word.find('=');
  if (place.value_of != nullptr) {
    return values_of(invocation, *place.command, name_of(*place.value_of));
  }
  if (word.starts_with("--") && equals != std::string::npos) {
    const CLI::Option* option = option_of(*place.command, word.substr(0, equals));
    if (option == nullptr) return {};
    Words values = values_of(invocation, *place.command, name_of(*option));
    for (std::string& value : values) value = word.substr(0, equals + 1) + value;
    return values;
  }
  if (word.starts_with('-')) return option_words(*place.command);
  Words below;
  for (const CLI::App* command : place.command->get_subcommands({})) {
    if (!command->get_group().empty()) below.push_back(command->get_name());
  }
  return below.empty() ? argument_words(invocation, place) : below;
}

// One candidate per line, as much of it as takes the place of the shell's current word.
int complete(const CLI::App& app, Invocation& invocation, const Words& pieces) {
  if (pieces.size() < 2) return kDone;
  invocation.timeout = kPatience;
  const Words words = rejoined(pieces);
  const std::string& word = words.back();
  const size_t kept =
      word.size() - (words.size() == pieces.size() ? word.size()
                     : pieces.back() == "@" || pieces.back() == "=" || pieces.back() == ":"
                         ? 0
                         : pieces.back().size());
  Words found = candidates(app, words, invocation);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::string out;
  for (const std::string& candidate : found) {
    // What a shell would take apart is no name of Covey's.
    const bool harmless = candidate.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "._@=/-") == std::string::npos;
    if (harmless && candidate.starts_with(word)) out += candidate.substr(kept) + "\n";
  }
  return invocation.put(out);
}

std::string program_path() {
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  return size > 0 ? std::string(path.data(), static_cast<size_t>(size)) : "covey";
}

std::string in_shell_quotes(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string script(bool zsh) {
  return fmt::format(
      "{}_covey() {{\n"
      "  local program=${{COMP_WORDS[0]}} IFS=$'\\n'\n"
      "  command -v \"$program\" >/dev/null 2>&1 || program={}\n"
      "  COMPREPLY=($(\"$program\" complete -- \"${{COMP_WORDS[@]:0:$((COMP_CWORD + 1))}}\" "
      "2>/dev/null))\n"
      "}}\n"
      "complete -o default -F _covey covey\n",
      zsh ? "autoload -U +X bashcompinit && bashcompinit\n" : "", in_shell_quotes(program_path()));
}

}  // namespace

void add_completion_command(CLI::App& app, Invocation& invocation) {
  CLI::App* completion = app.add_subcommand("completion", "Completion for your shell");
  const auto shell = std::make_shared<std::string>();
  completion->add_option("shell", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  completion->footer("Example:\n  source <(covey completion bash)");
  on(completion, invocation,
     [&invocation, shell] { return invocation.put(script(*shell == "zsh")); });

  CLI::App* words = app.add_subcommand("complete", "What may follow; for the script of completion");
  words->group("");  // not in the help
  const auto pieces = std::make_shared<Words>();
  words->add_option("pieces", *pieces, "The line so far, after --")->allow_extra_args();
  on(words, invocation, [&app, &invocation, pieces] { return complete(app, invocation, *pieces); });
}

}  // namespace covey::cli
