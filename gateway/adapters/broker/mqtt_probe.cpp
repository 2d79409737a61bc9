// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/broker/mqtt_probe.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace covey::broker {

Status probe_mqtt(const MqttAccess& access, Millis timeout) {
  Result<MqttConnection> connection =
      MqttConnection::open(access, fmt::format("svc-probe-{}", ::getpid()), timeout);
  if (!connection) return connection.error();
  connection->disconnect();
  return {};
}

}  // namespace covey::broker
