// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/config.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <regex>

#include "core/nearest.hpp"
#include "core/yaml/yaml.hpp"
#include "gateway/config/durable_file.hpp"
#include "gateway/config/schema.hpp"
#include "gateway/config/settings.hpp"

extern char** environ;

namespace covey::config {
namespace {

constexpr std::string_view kDataVariable = "COVEY_DATA";

Error located(const Error& error, const std::string& where) {
  return {error.code, error.reason, fmt::format("{}: {}", where, error.message)};
}

void apply_file(const ConfigInput& input, ConfigOutcome& outcome) {
  Settings yaml = read_settings(input.yaml);
  for (const Setting& setting : yaml.settings) {
    const Status read = find_key(setting.path)->read(outcome.config, setting.value);
    if (read) {
      outcome.origins[setting.path] = fmt::format("{}:{}", input.file_name, setting.line);
    } else {
      yaml.errors.emplace_back(setting.line, located(read.error(), setting.path));
    }
  }
  std::stable_sort(yaml.errors.begin(), yaml.errors.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [line, error] : yaml.errors) {
    outcome.errors.push_back(located(error, fmt::format("{}:{}", input.file_name, line)));
  }
}

// Variables of others: Kubernetes adds some for each service whose name begins with covey, the CLI
// and the tools of the tree have their own.
bool is_of_others(const std::string& name, const std::string& value) {
  static const std::regex of_kubernetes(
      "COVEY_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|"
      "PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)");
  static const std::regex of_ours(
      "COVEY_(ADDRESS|CA_FILE|CLIENT_CERTIFICATE|CLIENT_KEY|TOKEN_FILE|JOBS|KEYWORD_MODEL|(BIN|"
      "MBEDTLS|SHARED|TFLM)_DIR|"
      "(DEV|SIM|TEST)_.*)");
  if (std::regex_match(name, of_kubernetes) || std::regex_match(name, of_ours)) return true;
  return name.ends_with("_PORT") && value.find("://") != std::string::npos;
}

void refuse_unknown_variables(const ConfigInput& input, ConfigOutcome& outcome) {
  std::vector<std::string> known{std::string(kDataVariable)};
  for (const Key& key : schema()) known.push_back(environment_name(key.path));
  for (const auto& [name, value] : input.environment) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (is_of_others(name, value)) continue;
    outcome.errors.push_back(
        invalid("UNKNOWN_VARIABLE",
                fmt::format("{}: unknown variable{}; `coveyd --config-reference` lists the keys, "
                            "and each has one",
                            name, did_you_mean(name, known))));
  }
}

void apply_environment(const ConfigInput& input, ConfigOutcome& outcome) {
  for (const Key& key : schema()) {
    const std::string name = environment_name(key.path);
    const auto found = input.environment.find(name);
    if (found == input.environment.end()) continue;
    const Status read = key.read(outcome.config, found->second);
    if (read) {
      outcome.origins[key.path] = name;
    } else if (key.secret) {  // the message must not quote the value
      outcome.errors.push_back(invalid(read.error().reason, name + ": not a valid value"));
    } else {
      outcome.errors.push_back(located(read.error(), fmt::format("{}: {}", name, key.path)));
    }
  }
}

void read_password(ConfigOutcome& outcome) {
  auto& external = outcome.config.mqtt.external;
  if (external.password_file.empty() || !external.password.empty()) return;
  const Result<std::string> text = read_secret_bounded(external.password_file, 4096);
  if (!text) {
    outcome.errors.push_back(located(text.error(), outcome.origins["mqtt.external.password_file"] +
                                                       ": mqtt.external.password_file"));
    return;
  }
  external.password = text->substr(0, text->find_first_of("\r\n"));
  outcome.origins["mqtt.external.password"] = external.password_file;
}

}  // namespace

ConfigOutcome parse_config(const ConfigInput& input) {
  ConfigOutcome outcome;
  for (const Key& key : schema()) outcome.origins[key.path] = "default";

  const auto variable = input.environment.find(std::string(kDataVariable));
  if (!input.data_dir.empty()) {
    outcome.config.data_dir = input.data_dir;
    outcome.origins["data"] = "--data";
  } else if (variable != input.environment.end() && !variable->second.empty()) {
    outcome.config.data_dir = variable->second;
    outcome.origins["data"] = kDataVariable;
  } else {
    outcome.origins["data"] = "default";
  }
  if (outcome.config.data_dir.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos) {
    outcome.errors.push_back(
        invalid("BAD_VALUE", outcome.origins["data"] + ": a path without line ends is needed"));
  }
  outcome.config.grpc.unix_socket = outcome.config.data_dir + "/covey.sock";

  apply_file(input, outcome);
  apply_environment(input, outcome);
  refuse_unknown_variables(input, outcome);
  outcome.config.telemetry.sets_report_interval =
      outcome.origins["telemetry.report_interval"] != "default";
  for (const auto& [path, error] : check_relations(outcome.config)) {
    // "default" alone would not tell where to look.
    const std::string& origin = outcome.origins[path];
    outcome.errors.push_back(located(
        error, origin == "default" ? path + " (default)" : fmt::format("{}: {}", origin, path)));
  }
  return outcome;
}

ConfigOutcome load_config(const std::string& path, const std::string& data_dir) {
  ConfigInput input;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (!text.starts_with("COVEY_") || equals == std::string_view::npos) continue;
    input.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  input.data_dir = data_dir;
  std::vector<Error> failures;
  // Absolute once, so that a later change of the working directory changes nothing.
  const auto absolute = [](const std::string& text) {
    std::error_code failure;
    const std::filesystem::path full = std::filesystem::absolute(text, failure).lexically_normal();
    std::string result = failure ? text : full.string();
    while (result.size() > 1 && result.back() == '/') result.pop_back();
    return result;
  };
  if (!input.data_dir.empty()) input.data_dir = absolute(input.data_dir);
  if (const auto variable = input.environment.find(std::string(kDataVariable));
      variable != input.environment.end() && !variable->second.empty()) {
    variable->second = absolute(variable->second);
  }
  std::string file = path;
  if (file.empty()) {
    const std::string data = parse_config({.yaml = {},
                                           .file_name = {},
                                           .environment = input.environment,
                                           .data_dir = input.data_dir})
                                 .config.data_dir;
    std::error_code failure;
    if (std::filesystem::exists(data + "/covey.yaml", failure)) file = data + "/covey.yaml";
  }
  if (!file.empty()) {
    input.file_name = file;
    Result<std::string> text = read_file_bounded(file, kYamlBytesMax);
    if (text) {
      input.yaml = std::move(*text);
    } else {
      const bool foreign = text.error().reason == "FOREIGN_FILE";
      failures.push_back({text.error().code, foreign ? text.error().reason : "CONFIG_UNREADABLE",
                          text.error().message});
    }
  }
  ConfigOutcome outcome = parse_config(input);
  outcome.errors.insert(outcome.errors.begin(), failures.begin(), failures.end());
  read_password(outcome);
  return outcome;
}

}  // namespace covey::config
