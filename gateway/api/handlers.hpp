// SPDX-License-Identifier: Apache-2.0
// One function per unary RPC of rpcs.hpp: checks the request by hand, asks the engine, fills the
// answer. They return at once; the call finishes later. No gRPC type here. Any thread. Those of
// devices are in device_handlers.cpp, and so on.
#pragma once

#include "covey/v1/admin.pb.h"
#include "covey/v1/devices.pb.h"
#include "covey/v1/models.pb.h"
#include "covey/v1/monitoring.pb.h"
#include "covey/v1/rollouts.pb.h"
#include "gateway/api/call.hpp"
#include "gateway/api/rpcs.hpp"

namespace covey::api {

#define COVEY_DECLARE(Method, handler, role, effect) \
  void handler(const CallPtr<v1::Method##Request, v1::Method##Response>& call);
#define COVEY_NOT_UNARY(...)  // a stream is its adapter's

COVEY_RPCS(COVEY_DECLARE, COVEY_NOT_UNARY)

#undef COVEY_DECLARE
#undef COVEY_NOT_UNARY

}  // namespace covey::api
