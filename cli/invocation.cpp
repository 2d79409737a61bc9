// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>

#include "cli/address.hpp"
#include "cli/commands.hpp"
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
  Result<std::string> where = resolve_address(address, data_dir, context);
  if (!where) return where.error();
  return std::make_unique<Client>(*where, *wait);
}

void Invocation::print(const google::protobuf::Message& message,
                       const std::function<std::string()>& people) const {
  std::string text;
  switch (format) {
    case Format::kTable:
    case Format::kWide:
      text = people();
      break;
    case Format::kJson:
      text = to_json(message);
      break;
    case Format::kYaml:
      text = json_to_yaml(to_json(message));
      break;
  }
  fmt::print("{}", text);
  std::fflush(stdout);
}

int Invocation::fail(const Error& error) const {
  std::fflush(stdout);
  fmt::print(stderr, "covey: {}{}\n", error.message,
             error.reason.empty() ? "" : " [" + error.reason + "]");
  return error.code == Code::kDeadlineExceeded ? kTimedOut : kOtherError;
}

Result<std::string> model_or_only(Client& client, const std::string& name) {
  if (!name.empty()) return name;
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

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& texts, size_t most) {
  std::string out;
  for (int i = 0; i < texts.size() && static_cast<size_t>(i) < most; ++i) {
    out += (i > 0 ? ", " : "") + texts[i];
  }
  if (static_cast<size_t>(texts.size()) > most) {
    out += fmt::format(" and {} more", static_cast<size_t>(texts.size()) - most);
  }
  return out;
}

}  // namespace covey::cli
