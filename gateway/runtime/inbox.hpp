// SPDX-License-Identifier: Apache-2.0
// What waits for the engine, bounded by class: control (full: RESOURCE_EXHAUSTED), lifecycle (full:
// what is least useful goes, lifecycle_queue.hpp) and telemetry (full: not acknowledged, the agent
// keeps and resends). How full it is, the engine is told, and it tells devices to come later before
// anything has to go. Every refusal counts.
// Thread safety: every method from any thread; one thread takes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <string_view>
#include <variant>

#include "core/bounded_queue.hpp"
#include "gateway/engine/engine.hpp"
#include "gateway/runtime/engine_port.hpp"
#include "gateway/runtime/lifecycle_queue.hpp"

namespace covey::runtime {

enum class EventClass : uint8_t { kControl, kLifecycle, kTelemetry };
inline constexpr size_t kEventClasses = 3;
std::string_view to_string(EventClass event_class);  // control, lifecycle, telemetry

// Looks at the engine between two batches, part by part.
struct Walk {
  EnginePort::Some some;
  EnginePort::Done done;
  EnginePort::Wanted wanted;
};
// A command and who waits for its reply: one item, taken or refused as one.
struct CommandItem {
  engine::CommandRequest request;
  std::function<void(Result<engine::CommandReply>)> done;
};
using ControlItem = std::variant<engine::Event, Walk, CommandItem>;

class Inbox {
 public:
  Inbox(size_t control_max, size_t lifecycle_max, size_t telemetry_max)
      : control_(control_max), lifecycle_(lifecycle_max), telemetry_(telemetry_max) {}

  // False: full or closed, counted; the item is untouched.
  [[nodiscard]] bool push(EventClass event_class, engine::Event&& event);
  [[nodiscard]] bool push(ControlItem&& item);
  void close();

  // The oldest of each class, `limit` at most.
  std::deque<ControlItem> take_control(size_t limit) { return control_.pop_some(limit); }
  std::deque<engine::Event> take_lifecycle(size_t limit) { return lifecycle_.pop_some(limit); }
  std::deque<engine::Event> take_telemetry(size_t limit) { return telemetry_.pop_some(limit); }

  bool has_control() const { return control_.size() > 0; }
  bool has_lifecycle() const { return lifecycle_.size() > 0; }
  bool has_telemetry(size_t at_least = 1) const { return telemetry_.size() >= at_least; }
  // By EventClass. What was pushed out by something more useful is refused, too.
  std::array<uint64_t, kEventClasses> queued() const;
  std::array<uint64_t, kEventClasses> refused() const;
  // By LifecycleDrop.
  std::array<uint64_t, kLifecycleDrops> lifecycle_drops() const { return lifecycle_.drops(); }
  engine::Backlog backlog() const;

 private:
  bool counted(EventClass event_class, bool taken);

  BoundedQueue<ControlItem> control_;
  LifecycleQueue lifecycle_;
  BoundedQueue<engine::Event> telemetry_;
  std::array<std::atomic<uint64_t>, kEventClasses> refused_{};
};

}  // namespace covey::runtime
