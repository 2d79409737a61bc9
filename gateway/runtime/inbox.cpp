// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/inbox.hpp"

#include <algorithm>
#include <utility>

namespace covey::runtime {

std::string_view to_string(EventClass event_class) {
  switch (event_class) {
    case EventClass::kControl:
      return "control";
    case EventClass::kLifecycle:
      return "lifecycle";
    case EventClass::kTelemetry:
      return "telemetry";
  }
  return "unknown";
}

bool Inbox::push(EventClass event_class, engine::Event&& event) {
  switch (event_class) {
    case EventClass::kControl:
      return push(ControlItem(std::move(event)));
    case EventClass::kLifecycle:
      return lifecycle_.push(std::move(event));
    case EventClass::kTelemetry:
      return counted(event_class, telemetry_.try_push(std::move(event)));
  }
  return false;
}

bool Inbox::push(ControlItem&& item) {
  return counted(EventClass::kControl, control_.try_push(std::move(item)));
}

void Inbox::close() {
  control_.close();
  lifecycle_.close();
  telemetry_.close();
}

std::array<uint64_t, kEventClasses> Inbox::queued() const {
  return {control_.size(), lifecycle_.size(), telemetry_.size()};
}

std::array<uint64_t, kEventClasses> Inbox::refused() const {
  std::array<uint64_t, kEventClasses> refused{};
  for (size_t i = 0; i < kEventClasses; ++i) refused[i] = refused_[i];
  const auto drops = lifecycle_.drops();
  for (size_t i = static_cast<size_t>(LifecycleDrop::kShare); i < drops.size(); ++i) {
    refused[static_cast<size_t>(EventClass::kLifecycle)] += drops[i];
  }
  return refused;
}

engine::Backlog Inbox::backlog() const {
  const auto percent = [](size_t waiting, size_t most) {
    return static_cast<uint32_t>(100 * waiting / std::max<size_t>(most, 1));
  };
  return {.lifecycle_percent = percent(lifecycle_.size(), lifecycle_.capacity()),
          .telemetry_percent = percent(telemetry_.size(), telemetry_.capacity())};
}

bool Inbox::counted(EventClass event_class, bool taken) {
  if (!taken) ++refused_[static_cast<size_t>(event_class)];
  return taken;
}

}  // namespace covey::runtime
