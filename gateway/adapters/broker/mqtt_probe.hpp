// SPDX-License-Identifier: Apache-2.0
// Proof that a broker serves: one MQTT 3.1.1 CONNECT, its CONNACK, and DISCONNECT, over a socket of
// our own (Paho's threads and retries would hide what is measured).
//
// Thread safety: pure but for the network; blocks at most `timeout`.
#pragma once

#include "core/result.hpp"
#include "core/time.hpp"
#include "gateway/adapters/broker/mqtt_connection.hpp"

namespace covey::broker {

// Errors: BROKER_UNREACHABLE, BROKER_SILENT, BROKER_REFUSED.
Status probe_mqtt(const MqttAccess& access, Millis timeout);

}  // namespace covey::broker
