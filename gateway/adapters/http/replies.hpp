// SPDX-License-Identifier: Apache-2.0
// What the operations port answers: from (method, target) to a reply, without any network.
//
// Thread safety: the HTTP thread; calls the callbacks.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/adapters/http/metrics.hpp"
#include "gateway/adapters/http/server.hpp"

namespace covey::http {

struct Reply {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// `is_read`: GET or HEAD.
Reply answer(bool is_read, std::string_view target, const Metrics& metrics,
             const std::function<std::vector<ReadyCheck>()>& ready);

// {"ready": false, "checks": [{"name": ..., "ok": ..., "reason": ...}]}; 503 unless all are ok.
Reply ready_reply(const std::vector<ReadyCheck>& checks);

}  // namespace covey::http
