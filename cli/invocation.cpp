// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/connect/address.hpp"
#include "core/duration.hpp"
#include "covey/v1/models.pb.h"

namespace covey::cli {

CLI::Validator a_duration() {
  return {[](const std::string& text) {
            const Result<Millis> parsed = parse_duration(text);
            return parsed ? std::string() : parsed.error().message;
          },
          "DURATION"};
}

Result<Millis> Invocation::timeout_ms() const {
  Result<Millis> parsed = parse_duration(timeout);
  if (!parsed) return invalid("BAD_TIMEOUT", "--timeout: " + parsed.error().message);
  return parsed;
}

Result<std::unique_ptr<Client>> Invocation::connect() const {
  Result<Millis> wait = timeout_ms();
  if (!wait) return wait.error();
  const Result<Destination> where = resolve_destination({address, data_dir, context, shown});
  if (!where) return where.error();
  const Result<Credentials> credentials = read_credentials(where->shown);
  if (!credentials) return credentials.error();
  return std::make_unique<Client>(where->address, *wait, *credentials);
}

int Invocation::written(const Status& status) const {
  if (status) return kDone;
  // A reader that has seen enough (`| head`) wants no more words either.
  return status.error().reason == "OUTPUT_CLOSED" ? static_cast<int>(kOtherError)
                                                  : fail(status.error());
}

int Invocation::put(std::string_view text) const { return draw(safe_for_terminal(text)); }

int Invocation::draw(std::string_view text) const {
  if (!streams->status()) return kOtherError;  // said already
  return written(streams->put(text));
}

int Invocation::print_message(const google::protobuf::Message& message) const {
  const std::string json = to_json(message);
  return put(format == Format::kYaml ? json_to_yaml(json) : json);
}

int Invocation::print_json(const nlohmann::ordered_json& json,
                           const std::function<std::string()>& people) const {
  if (for_people()) return put(people());
  const std::string text =
      json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  return put(format == Format::kYaml ? json_to_yaml(text) : safe_json(text));
}

int Invocation::print_change(const google::protobuf::Message& message) const {
  const std::string json = to_json_line(message);
  return put(format == Format::kYaml ? "---\n" + json_to_yaml(json) : json);
}

int Invocation::fail(const Error& error) const {
  return fail(error, error.code == Code::kDeadlineExceeded ? kTimedOut : kOtherError);
}

int Invocation::fail(const Error& error, int code) const {
  if (for_people()) {
    // Lines after the first are indented: none of them looks like another message of ours.
    std::string text;
    for (const char c : error.message) text += c == '\n' ? "\n  " : std::string(1, c);
    if (!error.reason.empty()) text += fmt::format(" [{}]", error.reason);
    Streams::note(safe_for_terminal(fmt::format("covey: {}\n", text)));
    return code;
  }
  const nlohmann::ordered_json json = {{"error",
                                        {{"code", std::string(to_string(error.code))},
                                         {"reason", error.reason},
                                         {"message", error.message},
                                         {"exit_code", code}}}};
  note_json(json);
  return code;
}

void Invocation::note(const std::string& text) const {
  if (for_people()) return Streams::note(safe_for_terminal(fmt::format("covey: {}\n", text)));
  note_json({{"note", text}});
}

void Invocation::note_json(const nlohmann::ordered_json& json) const {
  const std::string line =
      json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  Streams::note(format == Format::kYaml ? "---\n" + json_to_yaml(line) : safe_json(line));
}

std::string resource(std::string_view collection, const std::string& name) {
  const std::string prefix = fmt::format("{}/", collection);
  return name.starts_with(prefix) ? name : prefix + name;
}

std::string release_name(const std::string& name) {
  constexpr std::string_view kModels = "models/";
  constexpr std::string_view kReleases = "/releases/";
  const size_t at = name.find(kReleases);
  if (!name.starts_with(kModels) || at == std::string::npos) return name;
  return fmt::format("{}@{}", name.substr(kModels.size(), at - kModels.size()),
                     name.substr(at + kReleases.size()));
}

Result<std::string> model_or_only(Client& client, const std::string& name) {
  if (!name.empty()) return name.starts_with("models/") ? id_of(name) : name;
  v1::ListReleasesRequest request;
  request.set_parent("models/-");
  Result<v1::ListReleasesResponse> releases =
      call_all_pages<v1::ListReleasesResponse>(client, request);
  if (!releases) return releases.error();
  std::string only;
  for (const v1::Release& release : releases->releases()) {
    if (!only.empty() && only != release.model()) {
      return invalid("WHICH_MODEL", "the site has several models: name one (`covey model list`)");
    }
    only = release.model();
  }
  if (only.empty()) {
    return not_found("the site has no model yet: `covey model push` brings one");
  }
  return only;
}

}  // namespace covey::cli
