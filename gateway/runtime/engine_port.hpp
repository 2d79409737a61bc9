// SPDX-License-Identifier: Apache-2.0
// The engine as adapters see it: commands and reads go in from any thread, answers come back once
// what they show is durable.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "gateway/engine/commands.hpp"
#include "gateway/engine/engine.hpp"
#include "gateway/runtime/lag.hpp"
#include "storage/store.hpp"

namespace covey::runtime {

// Nobody was asked: the question did not fit, or coveyd is stopping. Never an empty answer.
inline Error engine_busy() {
  return {Code::kResourceExhausted, "ENGINE_BUSY",
          "the gateway has too much to do: try again in a second"};
}
inline Error shutting_down() {
  return {Code::kUnavailable, "SHUTTING_DOWN", "coveyd is stopping: try again in a moment"};
}
inline Error nobody_waits() {
  return {Code::kAborted, "CALLER_GONE", "whoever asked has gone before it was his turn"};
}

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

  // Called exactly once, whatever happens: with success after the work, else with why there was
  // none (ENGINE_BUSY, SHUTTING_DOWN, CALLER_GONE), at once on the caller's thread where it was
  // refused.
  using Done = std::function<void(const Status&)>;
  // Asked on the thread that is about to work for somebody: false when he waits no more (his call
  // was cancelled, its deadline is over). Empty: he waits.
  using Wanted = std::function<bool()>;
  // A part of a look at the engine. True: it was the last one.
  using Some = std::function<bool(const engine::Engine&)>;

  // Any thread. `some` runs on the engine thread, again and again until it says that it has seen
  // all; what is long does at most some milliseconds each time. Ticks, devices and other callers
  // get their turns in between, so the state may change: a walk goes on behind the last key that it
  // saw. `done` succeeds once what the last part saw is durable.
  virtual void walk(Some some, Done done, Wanted wanted) = 0;

  // A walk in one part.
  void read(std::function<void(const engine::Engine&)> look, Done done, Wanted wanted = nullptr) {
    walk(
        [look = std::move(look)](const engine::Engine& engine) {
          look(engine);
          return true;
        },
        std::move(done), std::move(wanted));
  }

  // Any thread. `changed` gets each newly durable revision on the runtime's thread; it must not
  // block.
  virtual uint64_t watch(std::function<void(uint64_t revision)> changed) = 0;
  virtual void unwatch(uint64_t id) = 0;

  // Any thread. Pages of history: `query` runs on a reading thread of their own, and `done` then.
  virtual void history(std::function<void(Reader&)> query, Done done, Wanted wanted) = 0;

  // Any thread. How late the engine's ticks come.
  virtual LagFigures lag() const = 0;
  virtual std::vector<HealthCheck> health() const = 0;
  virtual std::map<std::string, std::string> endpoints() const = 0;
};

}  // namespace covey::runtime
