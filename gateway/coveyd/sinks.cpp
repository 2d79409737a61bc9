// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/sinks.hpp"

#include "gateway/adapters/log/log.hpp"

namespace covey {

runtime::Sink broker_sink(broker::EmbeddedBroker& broker) {
  return [&broker](std::span<const engine::Effect> effects) {
    for (const engine::Effect& effect : effects) {
      const auto& credential = std::get<engine::SetCredential>(effect);
      if (credential.password.empty()) {
        broker.remove_credential(credential.device);
      } else {
        broker.set_credential(credential.device, credential.password);
      }
    }
  };
}

runtime::Sink log_sink() {
  return [](std::span<const engine::Effect> effects) {
    for (const engine::Effect& effect : effects) {
      const auto& line = std::get<engine::LogLine>(effect);
      const bool warns = line.level == engine::LogLine::Level::kWarning;
      log::log_event(warns ? log::Level::kWarn : log::Level::kInfo, line.event,
                     {{"subject", line.subject}, {"text", line.text}});
    }
  };
}

}  // namespace covey
