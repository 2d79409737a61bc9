// SPDX-License-Identifier: Apache-2.0
// The sinks of a site beside its devices (device_link.hpp). Both run on the runtime's outbox
// thread.
#pragma once

#include "gateway/adapters/broker/broker.hpp"
#include "gateway/runtime/router.hpp"

namespace covey {

// Passwords of devices; the broker writes and reloads them in the background, by the batch.
runtime::Sink broker_sink(broker::EmbeddedBroker& broker);
runtime::Sink log_sink();

}  // namespace covey
