// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/hardware.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

namespace covey::simulator {

void Hardware::AlignedDelete::operator()(uint8_t* bytes) const {
  ::operator delete[](bytes, std::align_val_t{COVEY_ARENA_ALIGN});
}

Result<std::unique_ptr<Hardware>> Hardware::build(const DeviceSpec& spec,
                                                  const std::string& directory) {
  const auto failed = [&](std::string_view what) {
    return Error{Code::kUnavailable, "DEVICE_STATE",
                 fmt::format("{} of {} in {}: {}; remove it, or start with the same --classes and "
                             "--small as before",
                             what, spec.id, directory, std::strerror(errno))};
  };
  auto hardware = std::make_unique<Hardware>();
  covey_host_geometry_t geometry{};
  geometry.size_bytes = kJournalBytes + 2 * spec.slot_bytes;
  geometry.erase_unit_bytes = kEraseUnitBytes;
  geometry.write_align_bytes = 8;
  geometry.erased_value = 0x00;
  if (directory.empty()) {
    if (covey_host_flash_memory(&hardware->flash, &geometry, false) != 0) return failed("flash");
    covey_host_store_memory(&hardware->store);
  } else {
    const std::string flash_path = fmt::format("{}/{}.flash", directory, spec.id);
    const std::string store_path = fmt::format("{}/{}.identity", directory, spec.id);
    if (covey_host_flash_file(&hardware->flash, &geometry, flash_path.c_str()) != 0) {
      return failed("flash");
    }
    if (covey_host_store_file(&hardware->store, store_path.c_str()) != 0) return failed("identity");
    hardware->places.resize(kOutboxPlaces);
    for (size_t i = 0; i < hardware->places.size(); ++i) {
      covey_host_store_t& place = hardware->places[i];
      const std::string path = fmt::format("{}/{}.outbox-{}", directory, spec.id, i);
      if (covey_host_store_file(&place, path.c_str()) != 0) return failed("outbox");
      hardware->outbox.push_back(covey_host_store_port(&place));
    }
  }
  // Not touched before a model needs it, so that large arenas cost address space only.
  hardware->arena_.reset(static_cast<uint8_t*>(
      ::operator new[](spec.arena_bytes, std::align_val_t{COVEY_ARENA_ALIGN})));
  covey_model_config_t& model = hardware->model;
  model.slots[0] = {kJournalBytes, spec.slot_bytes};
  model.slots[1] = {kJournalBytes + spec.slot_bytes, spec.slot_bytes};
  model.slot_count = 2;
  model.runtime = &hardware->runtime;
  model.arena = hardware->arena_.get();
  model.arena_bytes = spec.arena_bytes;
  model.telemetry = &hardware->telemetry;
  hardware->clear_ram(true);
  return hardware;
}

Hardware::~Hardware() {
  lose_journal_writes();
  covey_host_flash_close(&flash);
}

void Hardware::clear_ram(bool power_lost) {
  covey_reference_init(&reference);
  runtime = covey_reference_runtime(&reference);
  telemetry = {};
  if (power_lost) retained = {};
}

void Hardware::start_losing_journal() {
  if (kept_journal_.empty()) kept_journal_.assign(flash.bytes, flash.bytes + kJournalBytes);
}

void Hardware::stop_losing_journal() { kept_journal_.clear(); }

void Hardware::lose_journal_writes() {
  std::copy(kept_journal_.begin(), kept_journal_.end(), flash.bytes);
}

}  // namespace covey::simulator
