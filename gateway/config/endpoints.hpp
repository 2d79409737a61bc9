// SPDX-License-Identifier: Apache-2.0
// DATA/endpoints.json: where this process really listens (port 0 means "choose"). The CLI, the demo
// and the tests read it. Written atomically once everything listens; removed on an orderly stop.
// Thread safety: plain functions.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "core/result.hpp"

namespace covey::config {

struct Endpoints {
  pid_t pid = 0;
  std::string grpc;  // host:port
  std::string grpc_unix;
  std::string http;
  std::string mqtt;    // device listener, host:port
  std::string enroll;  // enrolment listener; empty with an external broker
  std::string enroll_token_file;
  std::string certificates;       // listener for devices with certificates; empty: there is none
  bool devices_over_tls = false;  // on all of them
  bool grpc_over_tls = false;     // not the Unix socket
  bool http_over_tls = false;
  std::string ca_file;  // what devices and callers trust then; empty: the operator knows

  bool operator==(const Endpoints&) const = default;
};

std::string endpoints_path(const std::string& data_dir);
// Errors: ENDPOINTS_WRITE.
Status write_endpoints(const std::string& data_dir, const Endpoints& endpoints);
// Errors: NOT_RUNNING when there is no file, ENDPOINTS_INVALID.
Result<Endpoints> read_endpoints(const std::string& data_dir);
void remove_endpoints(const std::string& data_dir);

}  // namespace covey::config
