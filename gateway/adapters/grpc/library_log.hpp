// SPDX-License-Identifier: Apache-2.0
// What gRPC and protobuf have to say by themselves, for the whole process; before either is used.
// Any thread calls `said`: it must not block.
#pragma once

#include <string>

namespace covey {

enum class LibraryLevel { kDebug, kInfo, kError };

void log_grpc_to(void (*said)(LibraryLevel level, const char* library, const std::string& text));

}  // namespace covey
