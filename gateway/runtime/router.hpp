// SPDX-License-Identifier: Apache-2.0
// Where an effect goes once it is durable:
//
//   kCaller   whoever waits for the reply to a command (engine thread, at once)
//   kJudge    the thread that does the statistics of a window; its answer is an event
//   kBroker   who may connect to the broker     \  sinks, on the outbox thread: each is given
//   kDevices  what devices are told              > its own effects of a batch, in their order;
//   kLog      what an operator should read      /  within a batch the broker's come first
//
// A new effect is a compile error in destination_of(); a new sink (a webhook, say) is a Destination
// and a member of Sinks. A sink may take its time for a batch, not for a slow peer: then it has a
// Lane of its own.
//
// Nothing here is kept over a restart, and nothing has to be. What devices are told is derived from
// durable rows again and again: goals at each hello and until they are shown, grants and
// acknowledgements when a device repeats itself, chunks when it asks; passwords at each session
// with the broker. So a full outbox may drop what is for devices and the log (counted); passwords
// it never drops, because one that is withdrawn would stand until coveyd starts again.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "core/result.hpp"
#include "gateway/engine/events.hpp"
#include "gateway/runtime/lane.hpp"

namespace covey::runtime {

enum class Destination : uint8_t { kCaller, kJudge, kBroker, kDevices, kLog };
Destination destination_of(const engine::Effect& effect);

// Outbox thread; never called with nothing. Empty: nobody wants them.
using Sink = std::function<void(std::span<const engine::Effect>)>;
struct Sinks {
  Sink broker;
  Sink devices;
  Sink log;
};

class Router {
 public:
  using Done = std::function<void(Result<engine::CommandReply>)>;
  // `judged` runs on the judge's thread. At most `outbox_max` effects wait for their sinks.
  Router(Sinks sinks, size_t outbox_max, std::function<void(engine::WindowVerdict)> judged);

  // Engine thread. The number that the Reply to `done` will carry.
  uint64_t expect(Done done);
  // Engine thread. What is durable now, in order.
  void route(std::vector<engine::Effect> effects);
  // When the engine has stopped: hands over what waits, until `deadline` from now; then everybody
  // who still waits for a reply is told `error`.
  void stop(Millis deadline, const Error& error);
  // Any thread: effects that a full outbox did not take.
  uint64_t dropped() const { return dropped_; }

 private:
  void answer(engine::Reply reply);
  void judge_soon(std::shared_ptr<const engine::WindowSnapshot> window);
  void hand_over();

  const Sinks sinks_;
  const size_t outbox_max_;
  const std::function<void(engine::WindowVerdict)> judged_;

  uint64_t ticket_ = 0;             // engine thread
  std::map<uint64_t, Done> waits_;  // engine thread
  std::atomic<uint64_t> dropped_{0};

  std::mutex mutex_;
  std::vector<engine::Effect> outbox_;                    // guarded by mutex_
  std::shared_ptr<const engine::WindowSnapshot> window_;  // guarded by mutex_: to judge next

  // Last: they use what is above. A job takes all that waits, so one that waits is enough.
  Lane outbox_lane_;
  Lane judge_lane_;
};

}  // namespace covey::runtime
