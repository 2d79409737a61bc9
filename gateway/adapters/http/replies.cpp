// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/http/replies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "gateway/api/rpcs.hpp"

namespace covey::http {

namespace {

constexpr const char* kText = "text/plain; charset=utf-8";

// One for each row of COVEY_HTTP_ROUTES.
Reply reply_Metrics(const access::Caller&, const Routes& routes) {
  return {200, "text/plain; version=0.0.4; charset=utf-8", routes.metrics.text(), ""};
}
Reply reply_Health(const access::Caller&, const Routes&) { return {200, kText, "ok\n", ""}; }
Reply reply_Readiness(const access::Caller& caller, const Routes& routes) {
  return ready_reply(routes.ready ? routes.ready() : std::vector<ReadyCheck>{},
                     caller.role >= access::Role::kViewer);
}

struct Route {
  std::string_view path;
  access::Role least;
  Reply (*reply)(const access::Caller&, const Routes&);
};
#define COVEY_ROUTE(Name, path, role) Route{path, access::Role::role, &reply_##Name},
constexpr Route kRoutes[] = {COVEY_HTTP_ROUTES(COVEY_ROUTE)};
#undef COVEY_ROUTE

Reply refusal(const Error& error) {
  const bool unknown = error.code == Code::kUnauthenticated;
  return {unknown ? 401U : 403U, kText, fmt::format("{} [{}]\n", error.message, error.reason),
          unknown ? "Bearer realm=\"covey\"" : ""};
}

}  // namespace

Reply ready_reply(const std::vector<ReadyCheck>& checks, bool with_reasons) {
  const bool ready = !checks.empty() && std::all_of(checks.begin(), checks.end(),
                                                    [](const ReadyCheck& c) { return c.ok; });
  nlohmann::ordered_json document = {{"ready", ready}, {"checks", nlohmann::ordered_json::array()}};
  for (const ReadyCheck& check : checks) {
    nlohmann::ordered_json entry = {{"name", check.name}, {"ok", check.ok}};
    if (!check.ok && with_reasons) entry["reason"] = check.reason;
    document["checks"].push_back(std::move(entry));
  }
  // Reasons may quote outside bytes: replaced where they are not UTF-8.
  return {ready ? 200u : 503u, "application/json",
          document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n",
          ""};
}

Reply answer(const Asking& asking, const Routes& routes) {
  const std::string_view path = asking.target.substr(0, asking.target.find('?'));
  const auto* route = std::find_if(std::begin(kRoutes), std::end(kRoutes),
                                   [&](const Route& known) { return known.path == path; });
  if (route == std::end(kRoutes)) return {404, kText, "try /metrics, /healthz or /readyz\n", ""};
  if (!asking.is_read) return {405, kText, "GET and HEAD only\n", ""};
  const Result<access::Caller> caller = routes.access.admit(
      asking.connection, asking.authorization, {.name = route->path, .least = route->least});
  return caller ? route->reply(*caller, routes) : refusal(caller.error());
}

}  // namespace covey::http
