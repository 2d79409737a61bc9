// SPDX-License-Identifier: Apache-2.0
// Devices that are known before they come, and those that go for good.
#include <fmt/format.h>

#include "core/limits.hpp"
#include "gateway/api/handlers.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/api/names.hpp"
#include "gateway/engine/fleet/registration_faults.hpp"

namespace covey::api {
namespace {

// Names each row that can't be read, as the engine does those that can't be taken.
class ImportRows {
 public:
  explicit ImportRows(const v1::ImportDevicesRequest& request) {
    for (int i = 0; i < request.devices_size(); ++i) add(i, request.devices(i));
  }
  Status status() const { return faults_.status(); }
  std::vector<engine::Registration>& rows() { return rows_; }

 private:
  void complain(int row, std::string_view field, std::string_view text) {
    faults_.add(static_cast<size_t>(row), field, text);
  }
  Bytes digest(int row, std::string_view field, const std::string& text) {
    const Result<std::string> plain = fingerprint_of(text, field);
    if (!plain) {
      complain(row, field, "64 hex digits");
      return {};
    }
    if (plain->empty()) return {};
    const Digest digest = *parse_digest(*plain);
    return {digest.bytes.begin(), digest.bytes.end()};
  }
  void add(int row, const v1::Registration& from) {
    const Result<DeviceId> id = DeviceId::parse(from.device_id());
    if (!id) return complain(row, "device_id", id.error().message);
    engine::Registration to{
        .device = *id,
        .device_class = {},
        .labels = {from.labels().begin(), from.labels().end()},
        .key = digest(row, "key_fingerprint", from.key_fingerprint()),
        .certificate = digest(row, "certificate_fingerprint", from.certificate_fingerprint())};
    if (!from.device_class().empty()) {
      const Result<DeviceClass> device_class = DeviceClass::parse(from.device_class());
      if (!device_class) return complain(row, "device_class", device_class.error().message);
      to.device_class = *device_class;
    }
    rows_.push_back(std::move(to));
  }

  std::vector<engine::Registration> rows_;
  engine::RegistrationFaults faults_;
};

}  // namespace

void import_devices(const CallPtr<v1::ImportDevicesRequest, v1::ImportDevicesResponse>& call) {
  const auto devices = static_cast<size_t>(call->request.devices_size());
  if (devices > kRegisteredAtOnceMax) {
    return call->finish(invalid("TOO_MANY_DEVICES", fmt::format("devices: {}, at most {} at once",
                                                                devices, kRegisteredAtOnceMax)));
  }
  ImportRows rows(call->request);
  if (Status good = rows.status(); !good) return call->finish(good);
  execute_only(call, engine::ImportDevices{std::move(rows.rows()), call->request.validate_only()},
               [](const engine::CommandReply& reply, auto& response) {
                 response.set_registered(static_cast<int32_t>(reply.registered));
                 response.set_changed(static_cast<int32_t>(reply.changed));
                 response.set_known(static_cast<int32_t>(reply.known));
               });
}

void decommission_device(
    const CallPtr<v1::DecommissionDeviceRequest, v1::DecommissionDeviceResponse>& call) {
  Result<DeviceId> id = device_name(call->request.name(), "name");
  if (!id) return call->finish(id.error());
  execute(call, engine::DecommissionDevice{*id}, "",
          [id = *id](const engine::Engine& engine, const engine::CommandReply&, auto& c) -> Status {
            fill(*c.response.mutable_device(), engine.state(), engine.state().fleet.devices.at(id));
            return {};
          });
}

void replace_device(const CallPtr<v1::ReplaceDeviceRequest, v1::ReplaceDeviceResponse>& call) {
  Result<DeviceId> id = device_name(call->request.name(), "name");
  if (!id) return call->finish(id.error());
  Result<DeviceId> successor = device_name(call->request.successor(), "successor");
  if (!successor) return call->finish(successor.error());
  Result<std::string> key = fingerprint_of(call->request.key_fingerprint(), "key_fingerprint");
  if (!key) return call->finish(key.error());
  execute(call, engine::ReplaceDevice{*id, *successor, *std::move(key)}, "",
          [id = *successor](const engine::Engine& engine, const engine::CommandReply&,
                            auto& c) -> Status {
            fill(*c.response.mutable_device(), engine.state(), engine.state().fleet.devices.at(id));
            return {};
          });
}

}  // namespace covey::api
