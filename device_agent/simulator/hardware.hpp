// SPDX-License-Identifier: Apache-2.0
// What a simulated device is made of besides its agent: flash and store (in files or in memory),
// the arena, the runtime. It outlives power cuts. Not thread-safe.
//
// Flash: two 4 KiB journal halves, then two slots. It erases to 0x00, as some real parts do, so
// that memory which was never written costs nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "covey/agent.h"
#include "covey/port_host.h"
#include "device_agent/runtimes/reference/reference_runtime.h"
#include "device_agent/simulator/fleet.hpp"
#include "device_agent/simulator/keys/own_key.hpp"

namespace covey::simulator {

constexpr uint32_t kEraseUnitBytes = 4096;
constexpr uint32_t kJournalBytes = 2 * kEraseUnitBytes;

// What one boot of an outage takes.
constexpr uint32_t kOutboxPlaces = COVEY_WINDOWS_IN_FLIGHT + 1;

class Hardware {
 public:
  // An empty directory: in memory. Errors: DEVICE_STATE when files cannot be opened or are of a
  // device with other sizes.
  static Result<std::unique_ptr<Hardware>> build(const DeviceSpec& spec,
                                                 const std::string& directory);
  Hardware() = default;  // call build() instead
  ~Hardware();
  Hardware(const Hardware&) = delete;
  Hardware& operator=(const Hardware&) = delete;

  // What is in volatile memory is as after power-on; `retained` survives only a reset.
  void clear_ram(bool power_lost);

  // --break journal: what is written from now on is gone after the next restart, as behind a write
  // cache that lies.
  void start_losing_journal();
  void stop_losing_journal();
  void lose_journal_writes();

  covey_host_flash_t flash{};
  covey_host_store_t store{};
  // The port's outbox: none in memory, which dies with the process as RAM does.
  std::vector<covey_host_store_t> places;
  std::vector<covey_store_t> outbox;
  covey_reference_t reference{};
  covey_runtime_t runtime{};
  covey_retained_t retained{};
  covey_telemetry_t telemetry{};
  covey_model_config_t model{};     // its arena is ours
  std::unique_ptr<OwnKey> own_key;  // null: the device has none

 private:
  struct AlignedDelete {
    void operator()(uint8_t* bytes) const;
  };
  std::unique_ptr<uint8_t[], AlignedDelete> arena_;
  std::vector<uint8_t> kept_journal_;  // empty: journal writes are kept
};

}  // namespace covey::simulator
