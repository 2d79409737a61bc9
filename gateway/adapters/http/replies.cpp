// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/http/replies.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace covey::http {

Reply ready_reply(const std::vector<ReadyCheck>& checks) {
  const bool ready = !checks.empty() && std::all_of(checks.begin(), checks.end(),
                                                    [](const ReadyCheck& c) { return c.ok; });
  nlohmann::ordered_json document = {{"ready", ready}, {"checks", nlohmann::ordered_json::array()}};
  for (const ReadyCheck& check : checks) {
    nlohmann::ordered_json entry = {{"name", check.name}, {"ok", check.ok}};
    if (!check.ok) entry["reason"] = check.reason;
    document["checks"].push_back(std::move(entry));
  }
  // Reasons may quote outside bytes: replaced where they are not UTF-8.
  return {ready ? 200u : 503u, "application/json",
          document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n"};
}

Reply answer(bool is_read, std::string_view target, const Metrics& metrics,
             const std::function<std::vector<ReadyCheck>()>& ready) {
  const std::string_view path = target.substr(0, target.find('?'));
  const bool known = path == "/metrics" || path == "/healthz" || path == "/readyz";
  if (!known) return {404, "text/plain; charset=utf-8", "try /metrics, /healthz or /readyz\n"};
  if (!is_read) return {405, "text/plain; charset=utf-8", "GET and HEAD only\n"};
  if (path == "/metrics") {
    return {200, "text/plain; version=0.0.4; charset=utf-8", metrics.text()};
  }
  if (path == "/readyz") return ready_reply(ready ? ready() : std::vector<ReadyCheck>{});
  return {200, "text/plain; charset=utf-8", "ok\n"};
}

}  // namespace covey::http
