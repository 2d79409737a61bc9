// SPDX-License-Identifier: Apache-2.0
// The control channel's commands. Part of Simulator: each answers with what is true now.
#include <fmt/format.h>
#include <ctime>

#include <algorithm>

#include "core/duration.hpp"
#include "device_agent/simulator/clock.hpp"
#include "device_agent/simulator/simulator.hpp"

namespace covey::simulator {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr milliseconds kQuiesceLook{50};
constexpr Millis kQuiesceDeadline{30'000};
constexpr size_t kLabelsMax = 20'000;

Error bad_argument(std::string_view key, std::string_view what) {
  return invalid("BAD_ARGUMENT", fmt::format("{}: {}", key, what));
}

// "30s"; `otherwise` when the key is missing.
Result<Millis> duration_in(const nlohmann::json& request, const char* key, Millis otherwise) {
  if (!request.contains(key)) return otherwise;
  if (!request[key].is_string()) return bad_argument(key, "must be text such as \"30s\"");
  const Result<Millis> duration = parse_duration(request[key].get<std::string>());
  if (!duration) return bad_argument(key, duration.error().message);
  return *duration;
}

Result<uint64_t> number_in(const nlohmann::json& request, const char* key, uint64_t otherwise) {
  if (!request.contains(key)) return otherwise;
  if (!request[key].is_number_unsigned()) return bad_argument(key, "must be a number from 0");
  return request[key].get<uint64_t>();
}

std::string_view phase_name(covey_phase_t phase) {
  switch (phase) {
    case COVEY_PHASE_IDLE:
      return "IDLE";
    case COVEY_PHASE_DOWNLOADING:
      return "DOWNLOADING";
    case COVEY_PHASE_VERIFYING:
      return "VERIFYING";
    case COVEY_PHASE_STAGED:
      return "STAGED";
    case COVEY_PHASE_SHADOWING:
      return "SHADOWING";
    case COVEY_PHASE_PROBATION:
      return "PROBATION";
    case COVEY_PHASE_PROBATION_OK:
      return "PROBATION_OK";
    case COVEY_PHASE_CONFIRMED:
      return "CONFIRMED";
    case COVEY_PHASE_DECLINED:
      return "DECLINED";
    case COVEY_PHASE_FAILED:
      return "FAILED";
    case COVEY_PHASE_REVERTED:
      return "REVERTED";
  }
  return "UNKNOWN";
}

}  // namespace

void Simulator::command(const Json& request, ControlServer::Reply reply) {
  const auto name = request["command"].get<std::string>();
  if (name == "status") return reply(status());
  if (name == "truth") return reply(truth());
  if (name == "slots") return reply(slots());
  if (name == "fleet") return reply(to_json(fleet_, options_.fleet.seed));
  if (name == "labels") return reply(labels(request));
  if (name == "step") return reply(step(request));
  if (name == "break") return reply(sabotage(request));
  if (name == "quiesce") return quiesce(request, std::move(reply));
  if (name == "resume") {
    set_paused(false);
    return reply(Json::object());
  }
  if (name == "shutdown") {
    reply(Json::object());
    return shut_down();
  }
  reply(invalid("UNKNOWN_COMMAND",
                fmt::format("'{}' is unknown; known are status, step, quiesce, resume, truth, "
                            "labels, fleet, slots, break, shutdown",
                            name)));
}

Simulator::Json Simulator::status() const {
  size_t enrolled = 0;
  size_t online = 0;
  size_t offline = 0;
  size_t with_model = 0;
  size_t settled = 0;
  uint64_t unacknowledged = 0;
  Json phases = Json::object();
  covey_counters_t refused{};
  for (const std::unique_ptr<Device>& device : devices_) {
    enrolled += device->enrolled() ? 1 : 0;
    online += device->online() ? 1 : 0;
    offline += device->offline() ? 1 : 0;
    with_model += device->has_model() ? 1 : 0;
    settled += device->settled() ? 1 : 0;
    unacknowledged += device->unacknowledged();
    Json& count = phases[std::string(phase_name(device->phase()))];
    count = count.is_null() ? 1 : count.get<int>() + 1;
    const covey_counters_t& c = device->agent_counters();
    refused.malformed += c.malformed;
    refused.too_large += c.too_large;
    refused.mac_invalid += c.mac_invalid;
    refused.goals_stale += c.goals_stale;
    refused.epoch_lower += c.epoch_lower;
    refused.nonce_mismatch += c.nonce_mismatch;
    refused.goals_accepted += c.goals_accepted;
    refused.chunks_bad += c.chunks_bad;
    refused.chunks_fetched += c.chunks_fetched;
    refused.chunks_copied += c.chunks_copied;
    refused.journal_errors += c.journal_errors;
    refused.bugs += c.bugs;
  }
  const FleetCounters& c = environment_.counters;
  return {{"devices", devices_.size()},
          {"enrolled", enrolled},
          {"online", online},
          {"offline", offline},
          {"with_model", with_model},
          {"settled", settled},
          {"unacknowledged", unacknowledged},
          {"paused", environment_.inference_paused},
          {"uptime_ms", duration_cast<milliseconds>(Clock::now() - started_).count()},
          {"processor_ms", 1000 * std::clock() / CLOCKS_PER_SEC},
          {"scenario_steps_left", scenario_.size() - scenario_next_},
          {"inferences", truth_.inferences()},
          {"inferences_failed", c.inferences_failed},
          {"phases", std::move(phases)},
          {"connects", c.connects},
          {"connects_refused", c.connects_refused},
          {"last_connect_error", c.last_connect_error},
          {"connections_lost", c.connections_lost},
          {"messages_out", c.messages_out},
          {"messages_in", c.messages_in},
          {"bytes_out", c.bytes_out},
          {"bytes_in", c.bytes_in},
          {"reboots", c.reboots},
          {"power_cuts", c.power_cuts},
          {"reports_swallowed", c.reports_swallowed},
          {"agents",
           {{"malformed", refused.malformed},
            {"too_large", refused.too_large},
            {"mac_invalid", refused.mac_invalid},
            {"goals_stale", refused.goals_stale},
            {"epoch_lower", refused.epoch_lower},
            {"nonce_mismatch", refused.nonce_mismatch},
            {"goals_accepted", refused.goals_accepted},
            {"chunks_bad", refused.chunks_bad},
            {"chunks_fetched", refused.chunks_fetched},
            {"chunks_copied", refused.chunks_copied},
            {"journal_errors", refused.journal_errors},
            {"bugs", refused.bugs}}}};
}

Simulator::Json Simulator::truth() const {
  Json json = truth_.summary();
  uint64_t unacknowledged = 0;
  for (const std::unique_ptr<Device>& device : devices_) {
    unacknowledged += device->unacknowledged();
  }
  json["unacknowledged"] = unacknowledged;
  return json;
}

Simulator::Json Simulator::slots() const {
  Json list = Json::array();
  for (const std::unique_ptr<Device>& device : devices_) list.push_back(device->slots());
  return {{"devices", std::move(list)}};
}

Result<Simulator::Json> Simulator::labels(const Json& request) {
  LabelQuery query;
  if (request.contains("fraction")) {
    if (!request["fraction"].is_string()) {
      return bad_argument("fraction", "must be text such as \"20%\"");
    }
    const Result<Ratio> fraction = parse_ratio(request["fraction"].get<std::string>());
    if (!fraction) return bad_argument("fraction", fraction.error().message);
    query.fraction = *fraction;
  }
  const Result<uint64_t> since = number_in(request, "since", 0);
  if (!since) return since.error();
  const Result<Millis> delay = duration_in(request, "delay", Millis(0));
  if (!delay) return delay.error();
  const Result<uint64_t> limit = number_in(request, "limit", query.limit);
  if (!limit) return limit.error();
  if (*limit == 0 || *limit > kLabelsMax) {
    return bad_argument("limit", fmt::format("must be 1 to {}", kLabelsMax));
  }
  query.since = *since;
  query.delay = *delay;
  query.limit = *limit;
  return truth_.labels(query, wall_ms());
}

Result<Simulator::Json> Simulator::step(const Json& request) {
  Json plain = request;
  plain.erase("command");
  Result<Step> parsed = parse_step(plain, "step");
  if (!parsed) return parsed.error();
  return Json{{"matched", apply(*parsed)}};
}

Result<Simulator::Json> Simulator::sabotage(const Json& request) {
  if (!request.contains("what") || !request["what"].is_string()) {
    return bad_argument("what", "must be none, reports or journal");
  }
  const Result<Sabotage> what = parse_sabotage(request["what"].get<std::string>());
  if (!what) return what.error();
  environment_.sabotage = *what;
  for (const std::unique_ptr<Device>& device : devices_) device->sabotage_changed();
  return Json::object();
}

void Simulator::set_paused(bool paused) {
  environment_.inference_paused = paused;
  for (const std::unique_ptr<Device>& device : devices_) device->inference_changed();
}

void Simulator::quiesce(const Json& request, ControlServer::Reply reply) {
  const Result<Millis> deadline = duration_in(request, "deadline", kQuiesceDeadline);
  if (!deadline) return reply(deadline.error());
  if (quiesce_reply_) return reply(precondition("BUSY", "another quiesce is waiting"));
  set_paused(true);
  for (const std::unique_ptr<Device>& device : devices_) device->flush();
  quiesce_reply_ = std::move(reply);
  quiesce_until_ = Clock::now() + *deadline;
  watch_quiesce();
}

// Devices that are offline keep their counts; they are reported apart and not waited for.
void Simulator::watch_quiesce() {
  if (ended_) return;
  Json waiting = Json::array();
  uint64_t held_offline = 0;
  for (const std::unique_ptr<Device>& device : devices_) {
    if (device->offline()) {
      held_offline += device->unacknowledged();
    } else if (!device->settled()) {
      waiting.push_back(device->spec().id);
    }
  }
  if (waiting.empty() || Clock::now() >= quiesce_until_) {
    const bool quiet = waiting.empty();
    ControlServer::Reply reply = std::move(quiesce_reply_);
    quiesce_reply_ = nullptr;
    return reply(Json{{"quiet", quiet},
                      {"waiting", std::move(waiting)},
                      {"unacknowledged_offline", held_offline},
                      {"inferences", truth_.inferences()}});
  }
  quiesce_timer_.expires_after(kQuiesceLook);
  quiesce_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) watch_quiesce();
  });
}

}  // namespace covey::simulator
