// SPDX-License-Identifier: Apache-2.0
// The engine as adapters see it: commands and reads go in from any thread, answers come back once
// what they show is durable.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "gateway/engine/commands.hpp"
#include "gateway/engine/engine.hpp"
#include "gateway/runtime/lag.hpp"
#include "storage/store.hpp"

namespace covey::runtime {

struct HealthCheck {
  std::string name;
  bool ok = false;
  std::string reason;  // why not, and what to do
};

class EnginePort {
 public:
  virtual ~EnginePort() = default;

  // Any thread. `done` runs on the runtime's thread after the command's transaction is durable, or
  // at once, on the caller's, with RESOURCE_EXHAUSTED when the control queue is full.
  virtual void submit(engine::CommandRequest request,
                      std::function<void(Result<engine::CommandReply>)> done) = 0;

  // Any thread. `look` runs on the engine thread, `durable` after what it saw is durable. False
  // when the queue is full or the runtime has stopped: neither is called.
  virtual bool read(std::function<void(const engine::Engine&)> look,
                    std::function<void()> durable) = 0;

  // Any thread. `changed` gets each newly durable revision on the runtime's thread; it must not
  // block.
  virtual uint64_t watch(std::function<void(uint64_t revision)> changed) = 0;
  virtual void unwatch(uint64_t id) = 0;

  // Any thread. Pages of history: both run on a reading thread of their own. False when too many
  // wait or the runtime has stopped: neither is called.
  virtual bool history(std::function<void(Reader&)> query, std::function<void()> done) = 0;

  // Any thread. How late the engine's ticks come.
  virtual LagFigures lag() const = 0;
  virtual std::vector<HealthCheck> health() const = 0;
  virtual std::map<std::string, std::string> endpoints() const = 0;
};

}  // namespace covey::runtime
