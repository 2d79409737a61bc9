// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "core/id.hpp"
#include "device_agent/simulator/random.hpp"

namespace covey::simulator {
namespace {

constexpr uint32_t kKib = 1024;
// A chunk of 2 KiB with its overhead.
constexpr uint32_t kMessageBytesMax = 2304;

struct BuiltInClass {
  std::string_view name;
  uint32_t slot_kib;
  uint32_t arena_kib;
};
// The size in a name is what the two slots take together.
constexpr BuiltInClass kBuiltIn[] = {
    {"m4f-256k", 128, 64},
    {"m4f-512k", 256, 128},
    {"m0-64k", 32, 8},
    {"m7-1m", 512, 256},
};

Error bad_classes(std::string_view item, std::string_view why) {
  return invalid("BAD_CLASSES", fmt::format("--classes: '{}': {}; write name:count[:slot_KiB:arena_"
                                            "KiB], e.g. m4f-256k:50,m0-64k:10",
                                            item, why));
}

bool parse_number(std::string_view text, uint32_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc{} && end == text.data() + text.size();
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

Result<ClassSpec> parse_class(std::string_view item) {
  const std::vector<std::string_view> parts = split(item, ':');
  if (parts.size() != 2 && parts.size() != 4) return bad_classes(item, "wrong number of parts");
  const Result<DeviceClass> name = DeviceClass::parse(parts[0]);
  if (!name) return bad_classes(item, name.error().message);
  ClassSpec spec;
  spec.name = name->str();
  spec.message_bytes_max = kMessageBytesMax;
  if (!parse_number(parts[1], &spec.count) || spec.count == 0 || spec.count > kFleetMax) {
    return bad_classes(item, fmt::format("the count must be 1 to {}", kFleetMax));
  }
  if (parts.size() == 4) {
    uint32_t slot_kib = 0;
    uint32_t arena_kib = 0;
    if (!parse_number(parts[2], &slot_kib) || slot_kib < 12 || slot_kib > 4096 ||
        slot_kib % 4 != 0) {
      return bad_classes(item, "the slot must be 12 to 4096 KiB, a multiple of 4");
    }
    if (!parse_number(parts[3], &arena_kib) || arena_kib < 1 || arena_kib > 4096) {
      return bad_classes(item, "the arena must be 1 to 4096 KiB");
    }
    spec.slot_bytes = slot_kib * kKib;
    spec.arena_bytes = arena_kib * kKib;
    return spec;
  }
  for (const BuiltInClass& known : kBuiltIn) {
    if (known.name == spec.name) {
      spec.slot_bytes = known.slot_kib * kKib;
      spec.arena_bytes = known.arena_kib * kKib;
      return spec;
    }
  }
  return bad_classes(item,
                     "not a built-in class (m4f-256k, m4f-512k, m0-64k, m7-1m): give its "
                     "slot and arena sizes");
}

// `count` of the devices that are still free, by hash order.
void choose(std::vector<DeviceSpec>& fleet, uint32_t count, uint64_t salt, bool DeviceSpec::*flag) {
  std::vector<DeviceSpec*> order;
  for (DeviceSpec& device : fleet) {
    if (!device.small && !device.offline) order.push_back(&device);
  }
  std::sort(order.begin(), order.end(), [&](const DeviceSpec* a, const DeviceSpec* b) {
    return mix(a->seed, salt) < mix(b->seed, salt);
  });
  for (size_t i = 0; i < count; i++) order[i]->*flag = true;
}

}  // namespace

Result<std::vector<ClassSpec>> parse_classes(std::string_view text) {
  std::vector<ClassSpec> classes;
  std::set<std::string> names;
  for (const std::string_view item : split(text, ',')) {
    Result<ClassSpec> parsed = parse_class(item);
    if (!parsed) return parsed.error();
    if (!names.insert(parsed->name).second) return bad_classes(item, "named twice");
    classes.push_back(*std::move(parsed));
  }
  return classes;
}

Result<std::vector<DeviceSpec>> assign_fleet(const FleetOptions& options) {
  constexpr std::string_view kMachines[] = {"pump", "fan", "press"};
  uint64_t total = 0;
  for (const ClassSpec& spec : options.classes) total += spec.count;
  if (total == 0 || total > kFleetMax) {
    return invalid("BAD_FLEET", fmt::format("{} devices: a fleet has 1 to {}", total, kFleetMax));
  }
  if (uint64_t{options.small} + options.offline > total) {
    return invalid("BAD_FLEET", fmt::format("--small {} and --offline {} are more than the {} "
                                            "devices there are",
                                            options.small, options.offline, total));
  }
  // Halls and machine types are crossed evenly within each class, so that every hall has every
  // machine type; the seed only turns the wheel.
  const uint64_t turn = mix(options.seed, 1) % 12;
  std::vector<DeviceSpec> fleet;
  for (const ClassSpec& spec : options.classes) {
    for (uint32_t i = 0; i < spec.count; i++) {
      DeviceSpec device;
      device.index = static_cast<uint32_t>(fleet.size());
      device.id = fmt::format("{}{:04}", options.id_prefix, device.index + 1);
      const Result<DeviceId> id = DeviceId::parse(device.id);
      if (!id) return id.error();
      device.device_class = spec.name;
      device.hall = fmt::format("hall-{}", (device.index + turn) % 4 + 1);
      device.machine_type = kMachines[(device.index / 4 + turn) % 3];
      device.slot_bytes = spec.slot_bytes;
      device.arena_bytes = spec.arena_bytes;
      device.message_bytes_max = spec.message_bytes_max;
      device.seed = mix(options.seed, 1000 + device.index);
      fleet.push_back(std::move(device));
    }
  }
  choose(fleet, options.small, 2, &DeviceSpec::small);
  choose(fleet, options.offline, 3, &DeviceSpec::offline);
  for (DeviceSpec& device : fleet) {
    if (device.small) device.slot_bytes = kSlotBytesSmall;
  }
  return fleet;
}

nlohmann::json to_json(const std::vector<DeviceSpec>& fleet, uint64_t seed) {
  nlohmann::json devices = nlohmann::json::array();
  for (const DeviceSpec& device : fleet) {
    devices.push_back({{"id", device.id},
                       {"class", device.device_class},
                       {"hall", device.hall},
                       {"machine_type", device.machine_type},
                       {"slot_bytes", device.slot_bytes},
                       {"arena_bytes", device.arena_bytes},
                       {"small", device.small},
                       {"offline", device.offline}});
  }
  return {{"seed", seed}, {"devices", std::move(devices)}};
}

}  // namespace covey::simulator
