// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/sinks.hpp"

#include <algorithm>

#include "gateway/adapters/log/log.hpp"

namespace covey {

void Revocations::add(const Bytes& serial) {
  tls::Serial kept{};
  std::copy_n(serial.begin(), std::min(serial.size(), kept.size()), kept.begin());
  serials_.push_back(kept);
}

Result<std::string> Revocations::next_list() {
  return authority_.revocation_list(serials_, ++number_);
}

runtime::Sink broker_sink(broker::EmbeddedBroker& broker,
                          std::shared_ptr<Revocations> revocations) {
  return [&broker, revocations](std::span<const engine::Effect> effects) {
    bool revoked = false;
    for (const engine::Effect& effect : effects) {
      const auto* taken_back = std::get_if<engine::RevokeCertificates>(&effect);
      if (taken_back == nullptr || !revocations) continue;
      for (const Bytes& serial : taken_back->serials) revocations->add(serial);
      revoked = true;
    }
    // Before anybody is thrown out, who would come back with it.
    if (revoked) {
      Result<std::string> list = revocations->next_list();
      if (list) {
        broker.set_revocations(*std::move(list));
      } else {
        log::log_event(log::Level::kError, "not_revoked", {{"reason", list.error().message}});
      }
    }
    for (const engine::Effect& effect : effects) {
      if (const auto* claim = std::get_if<engine::SetClaim>(&effect)) {
        broker.set_claim(claim->claim, claim->password);
      }
      if (!std::holds_alternative<engine::SetCredential>(effect)) continue;
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
