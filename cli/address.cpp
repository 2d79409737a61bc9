// SPDX-License-Identifier: Apache-2.0
#include "cli/address.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

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

}  // namespace

std::filesystem::path contexts_path() {
  const std::string config = environment("XDG_CONFIG_HOME");
  if (!config.empty()) return std::filesystem::path(config) / "covey" / "contexts.yaml";
  return std::filesystem::path(environment("HOME")) / ".config" / "covey" / "contexts.yaml";
}

Result<Contexts> load_contexts(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return Contexts{};
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  const YamlReading reading = read_yaml(text.str());
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
      const auto address =
          std::find_if(context.items.begin(), context.items.end(),
                       [](const YamlNode& field) { return field.key == "address"; });
      if (address == context.items.end() || !address->is_text()) {
        return unreadable(context.line, context.key + ": has no address");
      }
      contexts.addresses[context.key] = address->text;
    }
  }
  return contexts;
}

Status save_contexts(const std::filesystem::path& path, const Contexts& contexts) {
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "current" << YAML::Value << contexts.current << YAML::Key
      << "contexts" << YAML::Value << YAML::BeginMap;
  for (const auto& [name, address] : contexts.addresses) {
    out << YAML::Key << name << YAML::Value << YAML::BeginMap << YAML::Key << "address"
        << YAML::Value << address << YAML::EndMap;
  }
  out << YAML::EndMap << YAML::EndMap;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  const std::filesystem::path draft = path.string() + ".new";
  {
    std::ofstream file(draft, std::ios::trunc);
    file << out.c_str() << '\n';
    if (!file.flush()) {
      return Error{Code::kUnknown, "CONTEXTS_UNWRITABLE", "cannot write " + draft.string()};
    }
  }
  std::filesystem::rename(draft, path, error);
  if (error) {
    return Error{Code::kUnknown, "CONTEXTS_UNWRITABLE",
                 "cannot write " + path.string() + ": " + error.message()};
  }
  return {};
}

Result<std::string> resolve_address(const std::string& address, const std::string& data_dir,
                                    const std::string& context) {
  if (!address.empty()) return address;
  if (!data_dir.empty()) return socket_of(data_dir);
  if (context.empty()) {
    if (std::string value = environment("COVEY_ADDRESS"); !value.empty()) return value;
    if (const std::string value = environment("COVEY_DATA"); !value.empty()) {
      return socket_of(value);
    }
  }
  Result<Contexts> contexts = load_contexts(contexts_path());
  if (!contexts) return contexts.error();
  const std::string& name = context.empty() ? contexts->current : context;
  if (!name.empty()) {
    const auto found = contexts->addresses.find(name);
    if (found != contexts->addresses.end()) return found->second;
    return Error{Code::kNotFound, "NO_CONTEXT",
                 "no context '" + name + "': `covey context list` shows them"};
  }
  std::error_code error;
  if (std::filesystem::exists("covey.sock", error)) return socket_of(".");
  return Error{Code::kNotFound, "NO_SITE",
               "which site? --data DIR (of coveyd on this machine), --address HOST:PORT, "
               "COVEY_DATA, COVEY_ADDRESS, or `covey context add NAME --address ...`"};
}

}  // namespace covey::cli
