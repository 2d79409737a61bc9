// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/endpoints.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "gateway/config/durable_file.hpp"

namespace covey::config {

std::string endpoints_path(const std::string& data_dir) { return data_dir + "/endpoints.json"; }

Status write_endpoints(const std::string& data_dir, const Endpoints& endpoints) {
  const nlohmann::ordered_json document = {
      {"pid", endpoints.pid},
      {"grpc", endpoints.grpc},
      {"grpc_unix", endpoints.grpc_unix},
      {"http", endpoints.http},
      {"mqtt", endpoints.mqtt},
      {"enroll", endpoints.enroll},
      {"enroll_token_file", endpoints.enroll_token_file},
      {"certificates", endpoints.certificates},
      {"devices_over_tls", endpoints.devices_over_tls},
      {"grpc_over_tls", endpoints.grpc_over_tls},
      {"http_over_tls", endpoints.http_over_tls},
      {"ca_file", endpoints.ca_file},
  };
  // A path that is not UTF-8 is replaced, not thrown about.
  const std::string text =
      document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  if (const Status written = write_file_durably(endpoints_path(data_dir), text + "\n", 0644);
      !written) {
    return Error{Code::kUnavailable, "ENDPOINTS_WRITE", written.error().message};
  }
  return {};
}

Result<Endpoints> read_endpoints(const std::string& data_dir) {
  const std::string path = endpoints_path(data_dir);
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
    return precondition("NOT_RUNNING", fmt::format("no coveyd runs on {}: {} is missing; start it "
                                                   "with: coveyd --data {}",
                                                   data_dir, path, data_dir));
  }
  const Result<std::string> text = read_file_bounded(path, 65'536);
  if (!text) return text.error();
  const nlohmann::json document = nlohmann::json::parse(*text, nullptr, false);
  const auto bad = [&](std::string_view field) {
    return invalid("ENDPOINTS_INVALID", fmt::format("{}: {} is missing or not what it should be; "
                                                    "restart coveyd",
                                                    path, field));
  };
  if (!document.is_object()) return bad("the document");
  Endpoints endpoints;
  const auto pid = document.find("pid");
  if (pid == document.end() || !pid->is_number_integer()) return bad("pid");
  endpoints.pid = static_cast<pid_t>(pid->get<int64_t>());
  const auto read = [&](const char* name, std::string& into) {
    const auto field = document.find(name);
    if (field == document.end() || !field->is_string()) return false;
    into = field->get<std::string>();
    return true;
  };
  if (!read("grpc", endpoints.grpc)) return bad("grpc");
  if (!read("grpc_unix", endpoints.grpc_unix)) return bad("grpc_unix");
  if (!read("http", endpoints.http)) return bad("http");
  if (!read("mqtt", endpoints.mqtt)) return bad("mqtt");
  if (!read("enroll", endpoints.enroll)) return bad("enroll");
  if (!read("enroll_token_file", endpoints.enroll_token_file)) return bad("enroll_token_file");
  if (!read("certificates", endpoints.certificates)) return bad("certificates");
  for (const auto& [name, into] : {std::pair{"devices_over_tls", &endpoints.devices_over_tls},
                                   std::pair{"grpc_over_tls", &endpoints.grpc_over_tls},
                                   std::pair{"http_over_tls", &endpoints.http_over_tls}}) {
    const auto field = document.find(name);
    if (field == document.end() || !field->is_boolean()) return bad(name);
    *into = field->get<bool>();
  }
  if (!read("ca_file", endpoints.ca_file)) return bad("ca_file");
  return endpoints;
}

void remove_endpoints(const std::string& data_dir) { ::unlink(endpoints_path(data_dir).c_str()); }

}  // namespace covey::config
