// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/show/device_view.hpp"
#include "covey/v1/devices.pb.h"

namespace covey::cli {
namespace {

// What a device has not told yet.
std::string or_unknown(const std::string& text) { return text.empty() ? "-" : text; }
std::string bytes_or_unknown(uint64_t bytes) {
  return bytes == 0 ? "unknown" : fmt::format("{} bytes", bytes);
}

std::string labels_of(const v1::Device& device) {
  const std::map<std::string, std::string> sorted(device.labels().begin(), device.labels().end());
  std::string out;
  for (const auto& [key, value] : sorted) out += (out.empty() ? "" : ",") + key + "=" + value;
  return out;
}

std::string devices_table(const Invocation& invocation, bool filtered,
                          const v1::ListDevicesResponse& list) {
  std::vector<std::string> head = {"DEVICE", "STATE", "ONLINE", "CLASS", "RELEASE", "SEEN"};
  if (invocation.wide()) {
    for (const char* name : {"PHASE", "FIRMWARE", "AGENT", "INFERENCES", "KEY"})
      head.emplace_back(name);
  }
  head.emplace_back("LABELS");
  Table table(head);
  for (const v1::Device& device : list.devices()) {
    std::string releases;
    std::string phases;
    for (const v1::DeviceModel& model : device.models()) {
      const std::string release =
          model.confirmed_release().empty() ? "-" : model.confirmed_release();
      releases += (releases.empty() ? "" : " ") + model.model() + "@" + release;
      phases += (phases.empty() ? "" : " ") + model.phase();
    }
    std::vector<std::string> row = {id_of(device.name()),
                                    word(v1::DeviceState_Name(device.state())),
                                    device.online() ? "yes" : "no",
                                    or_unknown(device.device_class()),
                                    releases.empty() ? "-" : releases,
                                    age(device.last_seen_ms())};
    if (invocation.wide()) {
      row.push_back(phases.empty() ? "-" : phases);
      row.push_back(or_unknown(device.firmware()));
      row.push_back(or_unknown(device.agent()));
      row.push_back(grouped(device.inferences()));
      row.push_back(or_unknown(device.key_fingerprint().substr(0, 16)));
    }
    row.push_back(labels_of(device));
    table.add(row);
  }
  if (table.empty()) {
    return filtered ? "No device matches the filter.\n"
                    : "No devices. They appear as PENDING when they enrol.\n";
  }
  return table.render(invocation.style) + fmt::format("{} devices\n", list.total_size());
}

// What the gateway sets, beside what firmware and release say.
std::string settings_of(const v1::Device& device) {
  return (device.report_interval_s() == 0
              ? "report interval of the firmware"
              : fmt::format("reports every {} s", device.report_interval_s())) +
         (device.sample_scale() == 0
              ? ", samples as released"
              : fmt::format(", {:.3g} % of the samples", device.sample_scale() / 655.36));
}

// What to compare before accepting: whoever has the token can ask under any id.
std::string enrolment_of(const v1::Device& device) {
  std::string text = "nonce " + device.enroll_nonce();
  if (device.enroll_changes() > 0) {
    text += fmt::format(", asked for with another one {} times, last {} UTC",
                        device.enroll_changes(), utc(device.enroll_changed_time_ms()));
    if (device.state() != v1::DEVICE_STATE_ACCEPTED) {
      text += ": compare it with the device before you accept it";
    }
  }
  return text;
}

// What the device's own tools show: openssl pkey -pubin -outform DER | sha256sum.
std::string key_of(const v1::Device& device) {
  if (device.key_fingerprint().empty()) return "none of its own";
  return "SHA-256 " + device.key_fingerprint() +
         (device.certificate_until_ms() == 0
              ? std::string()
              : fmt::format(", certificate until {} UTC", utc(device.certificate_until_ms())));
}

// What let it ask, and what it was registered with.
std::string way_of(const v1::Device& device) {
  std::string text;
  const auto add = [&](std::string_view what, const std::string& value) {
    if (!value.empty()) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what, value);
  };
  add("claim", device.claim());
  add("authority", device.authority());
  add("registered key", device.registered_key());
  add("registered certificate", device.registered_certificate());
  return text;
}

std::string device_page(const Invocation& invocation, const v1::Device& device) {
  std::string out;
  const auto line = [&](const char* name, const std::string& value) {
    out += fmt::format("{:<14}{}\n", name, value);
  };
  line("Device", id_of(device.name()));
  line("State", colored(word(v1::DeviceState_Name(device.state())), invocation.style) +
                    (device.online() ? ", online" : ", offline") +
                    (device.last_seen_ms() > 0
                         ? fmt::format(", last seen {} ago", age(device.last_seen_ms()))
                         : ", never seen"));
  line("Class", or_unknown(device.device_class()));
  line("Labels", labels_of(device));
  line("Firmware",
       fmt::format("{}, agent {}", or_unknown(device.firmware()), or_unknown(device.agent())));
  line("Memory",
       fmt::format("slot {}, arena {}, messages up to {}", bytes_or_unknown(device.slot_bytes()),
                   bytes_or_unknown(device.arena_bytes()),
                   bytes_or_unknown(device.message_bytes_max())));
  if (!device.enroll_nonce().empty()) line("Enrolment", enrolment_of(device));
  line("Key", key_of(device));
  if (const std::string way = way_of(device); !way.empty()) line("Came by", way);
  if (!device.successor().empty()) line("Replaced by", id_of(device.successor()));
  line("Boot", or_unknown(device.boot_id()));
  line("Inferences", grouped(device.inferences()));
  line("Settings", settings_of(device));
  for (const v1::DeviceModel& model : device.models()) {
    out += fmt::format("\n{}\n", model.model());
    line("  confirmed", model.confirmed_release().empty() ? "-" : model.confirmed_release());
    line("  active", model.active_release().empty() ? "-" : model.active_release());
    line("  goal", model.goal_release().empty() ? "-" : model.goal_release());
    line("  phase",
         or_unknown(model.phase()) + (model.reason().empty() ? "" : " (" + model.reason() + ")"));
    if (model.chunks_total() > 0 && model.chunks_have() < model.chunks_total()) {
      line("  transfer", bar(model.chunks_have(), model.chunks_total(), 24) +
                             fmt::format(" {}/{}", model.chunks_have(), model.chunks_total()));
    }
  }
  return out;
}

struct Selection {
  std::string device;
  std::vector<std::string> words;
  std::string filter;
  bool all = false;
  std::string key;
  std::vector<std::string> remove;
};

void add_device_list(CLI::App& device, Invocation& invocation,
                     const std::shared_ptr<Selection>& options) {
  CLI::App* list = device.add_subcommand("list", "List devices");
  list->add_option("--filter", options->filter, "AIP-160 filter");
  list->footer(
      "Examples:\n  covey device list --filter 'state = PENDING'\n"
      "  covey device list --filter 'labels.line = press AND class = m4f-256k' -o wide");
  on(list, invocation, [&invocation, options] {
    v1::ListDevicesRequest request;
    request.set_filter(options->filter);
    return list_and_print<v1::ListDevicesResponse>(invocation, request, [&](const auto& r) {
      return devices_table(invocation, !options->filter.empty(), r);
    });
  });
}

void add_device_get(CLI::App& device, Invocation& invocation,
                    const std::shared_ptr<Selection>& options) {
  CLI::App* get = device.add_subcommand("get", "Show one device");
  get->add_option("device", options->device, "Device id")->required();
  get->footer("Example:\n  covey device get press-07");
  on(get, invocation, [&invocation, options] {
    v1::GetDeviceRequest request;
    request.set_name(resource("devices", options->device));
    return call_and_print<v1::GetDeviceResponse>(invocation, request, [&](const auto& response) {
      std::string page = device_page(invocation, response.device());
      for (const v1::InferenceTotal& total : response.totals()) page += "\n" + device_total(total);
      for (const v1::Refusal& refusal : response.refusals()) page += "\n" + device_refusal(refusal);
      return page;
    });
  });
}

void add_device_accept(CLI::App& device, Invocation& invocation,
                       const std::shared_ptr<Selection>& options) {
  CLI::App* accept = device.add_subcommand("accept", "Accept devices that wait for it");
  accept->add_option("devices", options->words, "Device ids");
  accept->add_option("--filter", options->filter, "AIP-160 filter");
  accept->add_flag("--all", options->all, "Every PENDING device");
  accept->add_option("--key", options->key,
                     "SHA-256 of the one device's own key, which it must have asked with");
  accept->footer(
      "Examples:\n  covey device accept press-07 press-08\n  covey device accept --all\n"
      "  covey device accept press-07 --key 3f9a...   # what the installer has read off the "
      "device\n"
      "  covey device accept --filter 'class = m4f-256k'");
  on(accept, invocation, [&invocation, options] {
    v1::AcceptDevicesRequest request;
    for (const std::string& id : options->words) request.add_names(resource("devices", id));
    request.set_filter(options->filter);
    request.set_all(options->all);
    request.set_key_fingerprint(options->key);
    return call_and_print<v1::AcceptDevicesResponse>(invocation, request, [](const auto& r) {
      return fmt::format("Accepted {} devices.\n", r.accepted());
    });
  });
}

void add_device_reject_and_reenroll(CLI::App& device, Invocation& invocation,
                                    const std::shared_ptr<Selection>& options) {
  const auto add_one = [&](const char* name, const char* about, auto request, auto response) {
    using Request = decltype(request);
    using Response = decltype(response);
    CLI::App* command = device.add_subcommand(name, about);
    command->add_option("device", options->device, "Device id")->required();
    command->footer(fmt::format("Example:\n  covey device {} press-07", name));
    on(command, invocation, [&invocation, options] {
      Request r;
      r.set_name(resource("devices", options->device));
      return call_and_print<Response>(invocation, r, [&](const auto& answer) {
        return device_page(invocation, answer.device());
      });
    });
  };
  CLI::App* remove = device.add_subcommand(
      "remove", "Take a device out of lists, counts and rollouts; its keys are void");
  remove->add_option("device", options->device, "Device id")->required();
  remove->footer(
      "What comes back under its id is a new device that waits to be accepted.\n"
      "Example:\n  covey device remove press-07");
  on(remove, invocation, [&invocation, options] {
    v1::RemoveDeviceRequest request;
    request.set_name(resource("devices", options->device));
    return call_and_print<v1::RemoveDeviceResponse>(invocation, request, [&](const auto&) {
      return fmt::format("Removed {}.\n", escaped(id_of(options->device)));
    });
  });
  add_one("reject", "Refuse a device", v1::RejectDeviceRequest(), v1::RejectDeviceResponse());
  add_one("reenroll", "Forget a device's keys, so that it may enrol again",
          v1::ReenrollDeviceRequest(), v1::ReenrollDeviceResponse());
}

void add_device_label(CLI::App& device, Invocation& invocation,
                      const std::shared_ptr<Selection>& options) {
  CLI::App* label = device.add_subcommand("label", "Set and remove labels");
  label->add_option("words", options->words, "Device ids, then KEY=VALUE ...");
  label->add_option("--filter", options->filter, "AIP-160 filter: all devices that match");
  label->add_option("--remove", options->remove, "A label key to remove; may be repeated")
      ->allow_extra_args(false);
  label->footer(
      "Examples:\n  covey device label press-07 hall=b line=press\n"
      "  covey device label --filter 'labels.hall = b' shift=night\n"
      "  covey device label press-07 --remove shift");
  on(label, invocation, [&invocation, options] {
    v1::LabelDevicesRequest request;
    for (const std::string& text : options->words) {
      const size_t equals = text.find('=');
      if (equals == std::string::npos) {
        request.add_names(resource("devices", text));
      } else {
        (*request.mutable_set())[text.substr(0, equals)] = text.substr(equals + 1);
      }
    }
    request.set_filter(options->filter);
    for (const std::string& key : options->remove) request.add_remove(key);
    return call_and_print<v1::LabelDevicesResponse>(invocation, request, [](const auto& r) {
      return fmt::format("Changed {} devices.\n", r.changed());
    });
  });
}

}  // namespace

void add_device_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* device = app.add_subcommand("device", "Devices: enrolment, labels, what each runs");
  device->require_subcommand(1);
  const auto options = std::make_shared<Selection>();
  add_device_list(*device, invocation, options);
  add_device_get(*device, invocation, options);
  add_device_accept(*device, invocation, options);
  add_device_reject_and_reenroll(*device, invocation, options);
  add_device_label(*device, invocation, options);
  add_registration_commands(*device, invocation);
}

}  // namespace covey::cli
