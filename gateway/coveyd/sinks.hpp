// SPDX-License-Identifier: Apache-2.0
// The sinks of a site beside its devices (device_link.hpp). Both run on the runtime's outbox
// thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/adapters/broker/broker.hpp"
#include "gateway/adapters/tls/device_certificates.hpp"
#include "gateway/runtime/router.hpp"

namespace covey {

// The list of all that was revoked. One thread at a time.
class Revocations {
 public:
  explicit Revocations(tls::DeviceAuthority authority) : authority_(std::move(authority)) {}

  void add(const Bytes& serial);
  // PEM; counts for more than those before it. Errors: CERTIFICATE_INVALID.
  Result<std::string> next_list();

 private:
  tls::DeviceAuthority authority_;
  std::vector<tls::Serial> serials_;
  uint32_t number_ = 0;
};

// Passwords and revoked certificates of devices; the broker writes and reloads them in the
// background, by the batch. `revocations` may be null: then there are no certificates.
runtime::Sink broker_sink(broker::EmbeddedBroker& broker, std::shared_ptr<Revocations> revocations);
runtime::Sink log_sink();

}  // namespace covey
