// SPDX-License-Identifier: Apache-2.0
// What the operations port answers: from (method, target) to a reply, without any network.
//
// Thread safety: the HTTP thread; calls the callbacks.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/access/access.hpp"
#include "gateway/adapters/http/metrics.hpp"
#include "gateway/adapters/http/server.hpp"

namespace covey::http {

struct Reply {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string challenge;  // WWW-Authenticate of a 401 (RFC 9110, section 11.6.1)
};

// What the routes of gateway/api/rpcs.hpp look at.
struct Routes {
  const Metrics& metrics;
  const std::function<std::vector<ReadyCheck>()>& ready;
  access::Access& access;
};
struct Asking {
  bool is_read = true;  // GET or HEAD
  std::string_view target;
  access::Caller connection;
  std::vector<std::string_view> authorization;
};
Reply answer(const Asking& asking, const Routes& routes);

// {"ready": false, "checks": [{"name": ..., "ok": ..., "reason": ...}]}; 503 unless all are ok.
// Reasons name files and addresses: for viewers.
Reply ready_reply(const std::vector<ReadyCheck>& checks, bool with_reasons);

}  // namespace covey::http
