// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>

#include "core/duration.hpp"
#include "gateway/api/handlers.hpp"
#include "gateway/api/limits.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/api/names.hpp"
#include "gateway/codec/plan_codec.hpp"
#include "gateway/engine/queries/existence.hpp"
#include "gateway/engine/queries/questions.hpp"

namespace covey::api {
namespace {

template <typename C>
Status show_rollout(const engine::Engine& engine, const RolloutName& name, C& call) {
  if (Status known = engine::expect_rollout(engine.state(), name); !known) return known;
  fill(*call.response.mutable_rollout(), engine.state(), engine.state().rollouts.by_name.at(name));
  return {};
}

void add_exclusions(const CallPtr<v1::GetRolloutRequest, v1::GetRolloutResponse>& call,
                    const RolloutName& name, const DeviceId& after) {
  const auto plan = std::make_shared<Result<std::optional<RolloutPlan>>>(std::nullopt);
  call->context->engine.history([plan, name](Reader& reader) { *plan = reader.rollout_plan(name); },
                                [call, plan, after](const Status& asked) {
                                  if (!asked) return call->finish(asked);
                                  if (!*plan) return call->finish(plan->error());
                                  if (**plan) {
                                    fill_exclusions(*call->response.mutable_rollout(),
                                                    (**plan)->excluded, after);
                                  }
                                  call->finish({});
                                },
                                call->wanted());
}

// `make` gives the engine's command for the rollout's name.
template <typename C, typename Make>
void change_rollout(const std::shared_ptr<C>& call, Make make) {
  Result<RolloutName> name = rollout_name(call->request.name(), "name");
  if (!name) return call->finish(name.error());
  execute(call, make(*name), call->request.etag(),
          [name = *name](const engine::Engine& engine, const engine::CommandReply&, C& c) {
            return show_rollout(engine, name, c);
          });
}

template <typename C>
Result<PlanDocument> document_of(const C& call) {
  if (!call.request.has_spec()) return invalid("BAD_PLAN", "spec: missing");
  const Result<RolloutName> name = rollout_name(call.request.rollout_id(), "rollout_id");
  if (!name) return name.error();
  return plan_from_proto(call.request.spec(), name->str());
}

// What a plan names of a long list.
auto first(const auto& list) {
  return std::span(list).first(std::min<size_t>(list.size(), kPlanNamesMax));
}

void show_preview(const Plan& plan, const engine::RolloutPreview& preview,
                  v1::PlanRolloutResponse& response) {
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    v1::PlannedStage& stage = *response.add_stages();
    stage.set_name(plan.stages[i].name);
    const auto added = preview.sets.added_by(i);
    stage.set_devices_new(static_cast<uint32_t>(added.size()));
    for (const DeviceId& id : first(added)) stage.add_devices(id.str());
    stage.set_devices_total(static_cast<uint32_t>(preview.sets.ends[i]));
    engine::StageForecast forecast = engine::forecast_stage(plan, preview, i);
    for (std::string& words : forecast.gates) stage.add_gates(std::move(words));
    for (std::string& words : forecast.warnings) stage.add_warnings(std::move(words));
  }
  const auto held_back = preview.sets.held_back();
  response.set_excluded_devices(static_cast<uint32_t>(preview.excluded.size()));
  response.set_holdback_devices(static_cast<uint32_t>(held_back.size()));
  response.set_offline_devices(static_cast<uint32_t>(preview.offline.size()));
  for (const Exclusion& exclusion : first(preview.excluded)) {
    fill(*response.add_excluded(), exclusion);
  }
  for (const DeviceId& id : first(preview.offline)) response.add_offline(id.str());
  for (const DeviceId& id : first(held_back)) response.add_holdback(id.str());
  response.set_matched(preview.matched);
}

class RolloutPage {
 public:
  RolloutPage(size_t size, std::string after) : last_(std::move(after)), room_(size) {}

  template <typename C>
  Result<bool> operator()(const engine::Engine& engine, C& call) {
    const auto& rollouts = engine.state().rollouts.by_name;
    auto next = last_.empty() ? rollouts.begin() : rollouts.upper_bound(RolloutName(last_));
    for (size_t shown = 0; next != rollouts.end(); ++next, ++shown) {
      if (!room_.has_room()) {
        call.response.set_next_page_token(page_token("rollouts", last_));
        return true;
      }
      if (shown == kRolloutsPerLook) return false;
      fill_summary(*call.response.add_rollouts(), engine.state(), next->second);
      room_.take(*call.response.rollouts().rbegin());
      last_ = next->first.str();
    }
    return true;
  }

 private:
  static constexpr size_t kRolloutsPerLook = 25;  // each has stages, and counts of each stage

  std::string last_;
  PageRoom room_;
};

}  // namespace

void plan_rollout(const CallPtr<v1::PlanRolloutRequest, v1::PlanRolloutResponse>& call) {
  Result<PlanDocument> document = document_of(*call);
  if (!document) return call->finish(document.error());
  Result<Plan> parsed = parse_plan(*document);
  if (!parsed) return call->finish(parsed.error());
  const auto plan = std::make_shared<const Plan>(*std::move(parsed));
  const auto question = std::make_shared<engine::PreviewQuestion>();
  look_by_parts(
      call,
      [plan, question](const engine::Engine& engine, auto&) {
        return question->look(engine.state(), *plan);
      },
      [plan, question](const auto& seen) {
        finish_apart(seen, [plan, question](auto& c) {
          show_preview(*plan, std::move(*question).arrange(*plan), c.response);
        });
      });
}

void create_rollout(const CallPtr<v1::CreateRolloutRequest, v1::CreateRolloutResponse>& call) {
  Result<PlanDocument> document = document_of(*call);
  if (!document) return call->finish(document.error());
  // The engine parses it again; here the pool of gRPC's threads pays for what is wrong.
  if (Result<Plan> plan = parse_plan(*document); !plan) return call->finish(plan.error());
  if (Status id = check_text(call->request.request_id(), "request_id", 64); !id) {
    return call->finish(id);
  }
  execute(call,
          engine::CreateRollout{*std::move(document), call->request.request_id(),
                                call->request.validate_only()},
          "",
          [](const engine::Engine& engine, const engine::CommandReply& reply, auto& c) -> Status {
            for (const std::string& words : reply.warnings) c.response.add_warnings(words);
            if (reply.validated) {
              v1::Rollout& rollout = *c.response.mutable_rollout();
              fill_summary(rollout, engine.state(), Rollout{reply.validated, {}});
              rollout.clear_etag();
              return {};
            }
            return show_rollout(engine, RolloutName(reply.subject), c);
          });
}

// A settled rollout's exclusions are history that the engine does not hold.
void get_rollout(const CallPtr<v1::GetRolloutRequest, v1::GetRolloutResponse>& call) {
  Result<RolloutName> name = rollout_name(call->request.name(), "name");
  if (!name) return call->finish(name.error());
  DeviceId after;
  if (!call->request.excluded_after().empty()) {
    Result<DeviceId> device = device_name(call->request.excluded_after(), "excluded_after");
    if (!device) return call->finish(device.error());
    after = *std::move(device);
  }
  const auto status = std::make_shared<Status>();
  const auto settled = std::make_shared<bool>(false);
  call->context->engine.read(
      [call, status, settled, name = *name, after](const engine::Engine& engine) {
        *status = show_rollout(engine, name, *call);
        if (!*status) return;
        const Rollout& rollout = engine.state().rollouts.by_name.at(name);
        *settled = rollout.progress.settled;
        fill_exclusions(*call->response.mutable_rollout(), rollout.plan->excluded, after);
      },
      [call, status, settled, name = *name, after](const Status& looked) {
        if (!looked || !*settled) return call->finish(looked ? *status : looked);
        add_exclusions(call, name, after);
      },
      call->wanted());
}

void list_rollouts(const CallPtr<v1::ListRolloutsRequest, v1::ListRolloutsResponse>& call) {
  const Result<size_t> size = page_size(call->request.page_size());
  if (!size) return call->finish(size.error());
  Result<std::string> after = read_page_token("rollouts", call->request.page_token());
  if (!after) return call->finish(after.error());
  answer_by_parts(call, RolloutPage(*size, *std::move(after)));
}

void pause_rollout(const CallPtr<v1::PauseRolloutRequest, v1::PauseRolloutResponse>& call) {
  if (Status text = check_text(call->request.reason(), "reason"); !text) return call->finish(text);
  change_rollout(call, [&](const RolloutName& name) {
    return engine::PauseRollout{name, call->request.reason()};
  });
}
void resume_rollout(const CallPtr<v1::ResumeRolloutRequest, v1::ResumeRolloutResponse>& call) {
  change_rollout(call, [](const RolloutName& name) { return engine::ResumeRollout{name}; });
}
void approve_rollout(const CallPtr<v1::ApproveRolloutRequest, v1::ApproveRolloutResponse>& call) {
  change_rollout(call, [](const RolloutName& name) { return engine::ApproveRollout{name}; });
}
void abort_rollout(const CallPtr<v1::AbortRolloutRequest, v1::AbortRolloutResponse>& call) {
  if (Status text = check_text(call->request.reason(), "reason"); !text) return call->finish(text);
  change_rollout(call, [&](const RolloutName& name) {
    return engine::AbortRollout{name, call->request.now(), call->request.reason()};
  });
}
void skip_device(const CallPtr<v1::SkipDeviceRequest, v1::SkipDeviceResponse>& call) {
  if (Status text = check_text(call->request.reason(), "reason"); !text) return call->finish(text);
  Result<DeviceId> device = device_name(call->request.device(), "device");
  if (!device) return call->finish(device.error());
  change_rollout(call, [&](const RolloutName& name) {
    return engine::SkipDevice{name, *device, call->request.reason()};
  });
}
void rollback_rollout(
    const CallPtr<v1::RollbackRolloutRequest, v1::RollbackRolloutResponse>& call) {
  if (Status text = check_text(call->request.reason(), "reason"); !text) return call->finish(text);
  change_rollout(call, [&](const RolloutName& name) {
    return engine::RollBackRollout{name, call->request.reason()};
  });
}

void list_deployments(
    const CallPtr<v1::ListDeploymentsRequest, v1::ListDeploymentsResponse>& call) {
  const Result<size_t> size = page_size(call->request.page_size());
  if (!size) return call->finish(size.error());
  Result<uint64_t> after = read_page_number("deployments", call->request.page_token());
  if (!after) return call->finish(after.error());
  Result<RolloutName> parent = rollout_name(call->request.parent(), "parent");
  if (!parent) return call->finish(parent.error());
  // Most are history that the engine does not hold.
  answer_from_history(
      call,
      [size = *size, after = *after, parent = *parent](Reader& reader) {
        return reader.deployments(parent, after, size + 1);
      },
      [size = *size, parent = *parent](const engine::Engine& engine,
                                       const std::vector<Deployment>& rows, auto& c) -> Status {
        if (Status known = engine::expect_rollout(engine.state(), parent); !known) return known;
        PageRoom room(size);
        size_t shown = 0;
        for (; shown < rows.size() && room.has_room(); ++shown) {
          fill(*c.response.add_deployments(), engine.state(), rows[shown]);
          room.take(*c.response.deployments().rbegin());
        }
        if (rows.size() > shown) {
          c.response.set_next_page_token(
              page_token("deployments", fmt::to_string(rows[shown - 1].number)));
        }
        return {};
      });
}

void list_rollout_events(
    const CallPtr<v1::ListRolloutEventsRequest, v1::ListRolloutEventsResponse>& call) {
  const Result<size_t> size = page_size(call->request.page_size());
  if (!size) return call->finish(size.error());
  Result<uint64_t> after = read_page_number("events", call->request.page_token());
  if (!after) return call->finish(after.error());
  Result<RolloutName> parent = rollout_name(call->request.parent(), "parent");
  if (!parent) return call->finish(parent.error());
  answer_from_history(
      call,
      [size = *size, after = *after, parent = *parent](Reader& reader) {
        return reader.events(parent,
                             {.limit = size + 1, .after = after, .order = PageOrder::kOldestFirst});
      },
      [size = *size, parent = *parent](const engine::Engine& engine,
                                       const std::vector<EventRecord>& events, auto& c) -> Status {
        if (Status known = engine::expect_rollout(engine.state(), parent); !known) return known;
        PageRoom room(size);
        size_t shown = 0;
        for (; shown < events.size() && room.has_room(); ++shown) {
          v1::RolloutEvent& event = *c.response.add_events();
          event.set_sequence(events[shown].sequence);
          event.set_time_ms(events[shown].wall.count());
          event.set_kind(events[shown].kind);
          event.set_subject(events[shown].subject);
          event.set_text(events[shown].text);
          room.take(event);
        }
        if (events.size() > shown) {
          c.response.set_next_page_token(
              page_token("events", fmt::to_string(events[shown - 1].sequence)));
        }
        return {};
      });
}

}  // namespace covey::api
