// SPDX-License-Identifier: Apache-2.0
// An operator who knows the truth of some inferences and says it: sometimes twice, sometimes
// another one later, and again when no answer came. What was answered is the ledger that the
// gateway's counts are held against. Single-threaded.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "tests/sim/gateway.hpp"

namespace covey::sim {

class Labels {
 public:
  Labels(Schedule& schedule, Random& random, Gateway& gateway)
      : schedule_(schedule), random_(random), gateway_(gateway) {}

  void inferred(const DeviceId& device, uint64_t boot_id, uint64_t inference,
                const Digest& manifest, uint32_t predicted);
  // Labels some inferences, unless a batch waits for its answer.
  void say_some();
  // Says the batch again whose answer is overdue.
  void repeat();
  bool answered() const { return batch_.empty(); }
  uint64_t labelled() const { return ledger_.size(); }
  // What the gateway should have counted and has not; to be asked while all is answered and
  // durable.
  std::optional<std::string> difference() const;

 private:
  using Key = std::tuple<DeviceId, uint64_t, uint64_t>;  // device, boot id, inference
  struct Inference {
    Digest manifest;
    uint32_t predicted = 0;
  };
  void submit();

  Schedule& schedule_;
  Random& random_;
  Gateway& gateway_;
  std::map<Key, Inference> made_;
  std::vector<Key> lately_;
  std::map<Key, uint32_t> ledger_;               // the truth that was answered last
  std::vector<std::pair<Key, uint32_t>> batch_;  // waits for its answer
  uint64_t number_ = 0;                          // of the batch
  Millis said_{0};
};

}  // namespace covey::sim
