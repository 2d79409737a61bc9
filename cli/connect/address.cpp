// SPDX-License-Identifier: Apache-2.0
#include "cli/connect/address.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <cstdlib>
#include <utility>
#include <vector>

#include "cli/files/files.hpp"
#include "core/nearest.hpp"
#include "core/yaml/yaml.hpp"

namespace covey::cli {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string socket_of(const std::string& data_dir) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::absolute(data_dir, error);
  return "unix:" + (folder / "covey.sock").string();
}

// "; COVEY_DTA is set: did you mean COVEY_DATA?", or "".
std::string misspelt_variable() {
  const std::vector<std::string> known = {"COVEY_ADDRESS", "COVEY_DATA", "COVEY_CA_FILE",
                                          "COVEY_TOKEN_FILE"};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (!name.starts_with("COV")) continue;
    const std::string meant = nearest(name, known);
    if (!meant.empty() && meant != name && edit_distance(name, meant) <= 2) {
      return fmt::format("; {} is set: did you mean {}?", name, meant);
    }
  }
  return "";
}

// The fields of a context, and of what is kept of it.
template <typename D>
auto fields_of(D& site) {
  return std::array{std::pair{"address", &site.address}, std::pair{"ca", &site.shown.ca},
                    std::pair{"token_file", &site.shown.token},
                    std::pair{"client_certificate", &site.shown.certificate},
                    std::pair{"client_key", &site.shown.key}};
}

// What options say, else the environment, else the context.
void complete(Shown& shown, const Shown& asked) {
  const auto choose = [](std::string& field, const std::string& option, const char* variable) {
    if (!option.empty()) {
      field = option;
    } else if (std::string value = environment(variable); !value.empty()) {
      field = std::move(value);
    }
  };
  choose(shown.ca, asked.ca, "COVEY_CA_FILE");
  choose(shown.token, asked.token, "COVEY_TOKEN_FILE");
  choose(shown.certificate, asked.certificate, "COVEY_CLIENT_CERTIFICATE");
  choose(shown.key, asked.key, "COVEY_CLIENT_KEY");
}

}  // namespace

Result<std::filesystem::path> contexts_path() {
  const std::string config = environment("XDG_CONFIG_HOME");
  if (!config.empty()) return std::filesystem::path(config) / "covey" / "contexts.yaml";
  const std::string home = environment("HOME");
  if (home.empty()) {
    return precondition("NO_HOME",
                        "contexts are kept in $HOME/.config, and HOME is not set: set it, "
                        "or XDG_CONFIG_HOME");
  }
  return std::filesystem::path(home) / ".config" / "covey" / "contexts.yaml";
}

Result<Contexts> load_contexts(const std::filesystem::path& path) {
  Result<Bytes> bytes = read_file(path, kYamlBytesMax);
  if (!bytes && bytes.error().code == Code::kNotFound) return Contexts{};
  if (!bytes) return invalid("CONTEXTS_UNREADABLE", bytes.error().message);
  const YamlReading reading = read_yaml(std::string(bytes->begin(), bytes->end()));
  const auto unreadable = [&](int line, const std::string& what) {
    return invalid("CONTEXTS_UNREADABLE", fmt::format("{}:{}: {}", path.string(), line, what));
  };
  if (!reading.problems.empty()) {
    return unreadable(reading.problems.front().line, reading.problems.front().message);
  }
  Contexts contexts;
  for (const YamlNode& entry : reading.root.items) {
    if (entry.key == "current") contexts.current = entry.text;
    if (entry.key != "contexts") continue;
    for (const YamlNode& context : entry.items) {
      Destination site;
      for (const YamlNode& field : context.items) {
        for (const auto& [name, into] : fields_of(site)) {
          if (field.key == name && field.is_text()) *into = field.text;
        }
      }
      if (site.address.empty()) {
        return unreadable(context.line, fmt::format("{}: has no address", context.key));
      }
      contexts.sites[context.key] = std::move(site);
    }
  }
  return contexts;
}

Status save_contexts(const std::filesystem::path& path, const Contexts& contexts) {
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "current" << YAML::Value << contexts.current << YAML::Key
      << "contexts" << YAML::Value << YAML::BeginMap;
  for (const auto& [name, site] : contexts.sites) {
    out << YAML::Key << name << YAML::Value << YAML::BeginMap;
    for (const auto& [field, value] : fields_of(site)) {
      if (!value->empty()) out << YAML::Key << field << YAML::Value << *value;
    }
    out << YAML::EndMap;
  }
  out << YAML::EndMap << YAML::EndMap;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  const std::string text = fmt::format("{}\n", out.c_str());
  Status done = write_file(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  if (!done) return Error{Code::kUnknown, "CONTEXTS_UNWRITABLE", done.error().message};
  return {};
}

Error no_context(const Contexts& contexts, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [known, site] : contexts.sites) names.push_back(known);
  return Error{Code::kNotFound, "NO_CONTEXT",
               fmt::format("no context '{}'{}: `covey context list` shows them", name,
                           did_you_mean(name, names))};
}

namespace {

Result<Destination> find_destination(const Asked& asked) {
  if (!asked.address.empty()) return Destination{asked.address, {}};
  if (!asked.data_dir.empty()) return Destination{socket_of(asked.data_dir), {}};
  if (asked.context.empty()) {
    if (std::string value = environment("COVEY_ADDRESS"); !value.empty()) {
      return Destination{std::move(value), {}};
    }
    if (const std::string value = environment("COVEY_DATA"); !value.empty()) {
      return Destination{socket_of(value), {}};
    }
  }
  Result<std::filesystem::path> path = contexts_path();
  if (!path && !asked.context.empty()) return path.error();
  Result<Contexts> contexts = path ? load_contexts(*path) : Contexts{};
  if (!contexts) return contexts.error();
  const std::string& name = asked.context.empty() ? contexts->current : asked.context;
  if (!name.empty()) {
    const auto found = contexts->sites.find(name);
    if (found != contexts->sites.end()) return found->second;
    return no_context(*contexts, name);
  }
  std::error_code error;
  if (std::filesystem::exists("covey.sock", error)) return Destination{socket_of("."), {}};
  return Error{
      Code::kNotFound, "NO_SITE",
      fmt::format("which site? --data DIR (of coveyd on this machine), --address HOST:PORT, "
                  "COVEY_DATA, COVEY_ADDRESS, or `covey login NAME --address ...`{}",
                  misspelt_variable())};
}

}  // namespace

Result<Destination> resolve_destination(const Asked& asked) {
  Result<Destination> found = find_destination(asked);
  if (found) complete(found->shown, asked.shown);
  return found;
}

}  // namespace covey::cli
