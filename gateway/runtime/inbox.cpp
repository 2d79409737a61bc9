// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/inbox.hpp"

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
      return counted(event_class, lifecycle_.try_push(std::move(event)));
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
  return refused;
}

bool Inbox::counted(EventClass event_class, bool taken) {
  if (!taken) ++refused_[static_cast<size_t>(event_class)];
  return taken;
}

}  // namespace covey::runtime
