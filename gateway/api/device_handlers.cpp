// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <optional>

#include "gateway/api/handlers.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/api/names.hpp"
#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/queries/existence.hpp"
#include "gateway/engine/queries/questions.hpp"

namespace covey::api {
namespace {

Result<engine::DeviceSelection> selection_of(const auto& request, bool all) {
  engine::DeviceSelection selection;
  if (static_cast<size_t>(request.names_size()) > kNamesMax) {
    return invalid("TOO_MANY_NAMES", fmt::format("names: at most {}", kNamesMax));
  }
  for (int i = 0; i < request.names_size(); ++i) {
    Result<DeviceId> id = device_name(request.names(i), fmt::format("names[{}]", i));
    if (!id) return id.error();
    selection.ids.push_back(*std::move(id));
  }
  const Result<Filter> filter = Filter::parse(request.filter());
  if (!filter) return invalid(filter.error().reason, "filter: " + filter.error().message);
  selection.filter = request.filter();
  selection.all = all;
  if (selection.ids.empty() && selection.filter.empty() && !all) {
    return invalid("NO_DEVICES_NAMED", "names: name devices, or give a filter");
  }
  return selection;
}

template <typename C>
Status show_device(const engine::Engine& engine, const DeviceId& id, C& call) {
  if (Status known = engine::expect_device(engine.state(), id); !known) return known;
  fill(*call.response.mutable_device(), engine.state(), engine.state().fleet.devices.at(id));
  return {};
}

// A page of devices, and how many there are, a part of the fleet at a time. Where all are asked for
// the fleet knows how many, and nobody before or behind the page is looked at.
class DevicePage {
 public:
  DevicePage(size_t size, std::string after, Filter filter)
      : after_(std::move(after)), filter_(std::move(filter)), room_(size) {
    const Result<DeviceId> behind = DeviceId::parse(after_);
    if (filter_.matches_everything() && behind) cursor_ = engine::Cursor<DeviceId>(*behind);
  }

  template <typename C>
  Result<bool> operator()(const engine::Engine& engine, C& call) {
    const auto see = [&](const DeviceId& id, const Device& device) -> size_t {
      if (filter_.matches(engine::DeviceFields(engine.state(), device))) {
        ++total_;
        add(engine.state(), id, device, call.response);
      }
      return 1;
    };
    const auto& devices = engine.state().fleet.devices;
    const bool whole = cursor_.advance(devices, engine::kDevicesPerLook, see) ||
                       (filter_.matches_everything() && !call.response.next_page_token().empty());
    if (whole) {
      call.response.set_total_size(
          filter_.matches_everything() ? static_cast<int32_t>(devices.size()) : total_);
    }
    return whole;
  }

 private:
  void add(const engine::State& state, const DeviceId& id, const Device& device,
           v1::ListDevicesResponse& response) {
    if ((!after_.empty() && id.str() <= after_) || !response.next_page_token().empty()) return;
    if (!room_.has_room()) {
      response.set_next_page_token(page_token("devices", last_));
      return;
    }
    fill(*response.add_devices(), state, device);
    room_.take(*response.devices().rbegin());
    last_ = id.str();
  }

  std::string after_;
  Filter filter_;
  PageRoom room_;
  engine::Cursor<DeviceId> cursor_;
  std::string last_;
  int32_t total_ = 0;
};

template <typename Command, typename C>
void change_device(const std::shared_ptr<C>& call) {
  Result<DeviceId> id = device_name(call->request.name(), "name");
  if (!id) return call->finish(id.error());
  execute(call, Command{*id}, "",
          [id = *id](const engine::Engine& engine, const engine::CommandReply&, C& c) {
            return show_device(engine, id, c);
          });
}

}  // namespace

void list_devices(const CallPtr<v1::ListDevicesRequest, v1::ListDevicesResponse>& call) {
  const Result<size_t> size = page_size(call->request.page_size());
  if (!size) return call->finish(size.error());
  Result<std::string> after = read_page_token("devices", call->request.page_token());
  if (!after) return call->finish(after.error());
  Result<Filter> filter = Filter::parse(call->request.filter());
  if (!filter) {
    return call->finish(invalid(filter.error().reason, "filter: " + filter.error().message));
  }
  answer_by_parts(call, DevicePage{*size, *after, *std::move(filter)});
}

void add_refusals(v1::GetDeviceResponse& to, const engine::Engine& engine, const DeviceId& id) {
  const engine::FleetState& fleet = engine.state().fleet;
  const std::optional<engine::DeviceNumber> number = fleet.number_of(id);
  const engine::Refusals* const refusals = number ? fleet.budgets.refusals_of(*number) : nullptr;
  if (refusals == nullptr) return;
  for (size_t i = 0; i < engine::kSpends; ++i) {
    if (refusals->refused[i] == 0) continue;
    const auto kind = static_cast<engine::Spend>(i);
    v1::Refusal& refusal = *to.add_refusals();
    refusal.set_budget(std::string(engine::to_string(kind)));
    refusal.set_count(refusals->refused[i]);
    refusal.set_last_ms(refusals->last_wall.count());
    refusal.set_reason(engine::limit_of(kind, engine.config().allowances[i]));
  }
}

void get_device(const CallPtr<v1::GetDeviceRequest, v1::GetDeviceResponse>& call) {
  Result<DeviceId> id = device_name(call->request.name(), "name");
  if (!id) return call->finish(id.error());
  answer(call, [id = *id](const engine::Engine& engine, auto& c) -> Status {
    if (Status shown = show_device(engine, id, c); !shown) return shown;
    for (const auto& [release, record] : engine::count_inferences(engine.state(), id)) {
      v1::InferenceTotal& total = *c.response.add_totals();
      total.set_device(id.str());
      total.set_release(to_string(release));
      fill(total, record);
    }
    add_refusals(c.response, engine, id);
    return {};
  });
}

void accept_devices(const CallPtr<v1::AcceptDevicesRequest, v1::AcceptDevicesResponse>& call) {
  Result<engine::DeviceSelection> selection = selection_of(call->request, call->request.all());
  if (!selection) return call->finish(selection.error());
  Result<std::string> fingerprint =
      fingerprint_of(call->request.key_fingerprint(), "key_fingerprint");
  if (!fingerprint) return call->finish(fingerprint.error());
  execute_only(call, engine::AcceptDevices{*std::move(selection), *std::move(fingerprint)},
               [](const engine::CommandReply& reply, auto& response) {
                 response.set_accepted(static_cast<int32_t>(reply.changed));
               });
}

void reject_device(const CallPtr<v1::RejectDeviceRequest, v1::RejectDeviceResponse>& call) {
  change_device<engine::RejectDevice>(call);
}

void reenroll_device(const CallPtr<v1::ReenrollDeviceRequest, v1::ReenrollDeviceResponse>& call) {
  change_device<engine::ReenrollDevice>(call);
}

void remove_device(const CallPtr<v1::RemoveDeviceRequest, v1::RemoveDeviceResponse>& call) {
  Result<DeviceId> id = device_name(call->request.name(), "name");
  if (!id) return call->finish(id.error());
  execute_only(call, engine::RemoveDevice{*id}, [](const engine::CommandReply&, auto&) {});
}

void label_devices(const CallPtr<v1::LabelDevicesRequest, v1::LabelDevicesResponse>& call) {
  const v1::LabelDevicesRequest& request = call->request;
  Result<engine::DeviceSelection> selection = selection_of(request, false);
  if (!selection) return call->finish(selection.error());
  if (!request.etag().empty() && (selection->ids.size() != 1 || !selection->filter.empty())) {
    return call->finish(invalid("BAD_FIELD", "etag: only with exactly one of names"));
  }
  if (request.set().empty() && request.remove().empty()) {
    return call->finish(invalid("BAD_FIELD", "set: name labels to set or remove"));
  }
  engine::LabelDevices command{
      *std::move(selection),
      {request.set().begin(), request.set().end()},
      {request.remove().begin(), request.remove().end()},
  };
  execute_only(
      call, std::move(command),
      [](const engine::CommandReply& reply, auto& response) {
        response.set_changed(static_cast<int32_t>(reply.changed));
      },
      request.etag());
}

}  // namespace covey::api
