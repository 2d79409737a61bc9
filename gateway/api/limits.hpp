// SPDX-License-Identifier: Apache-2.0
// What callers of the API and their connections may take, beside core/limits.hpp, in which are the
// limits of one message. Sizes in bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/limits.hpp"
#include "core/time.hpp"

namespace covey {

// ---- Answers.
inline constexpr size_t kPageBytesMax = 512U << 10U;  // a page of a list ends here, however few
// One that is larger is an error: clients take no more unless they are told to (gRPC's default).
inline constexpr size_t kAnswerBytesMax = 4U << 20U;
// Of all over TCP; as much over the socket. What an answer is made of stays until it is read, and
// takes six times these bytes.
inline constexpr size_t kUnreadBytesMax = 8U << 20U;
inline constexpr size_t kUnreadPerCallerMax = kUnreadBytesMax;  // of a connection
inline constexpr Millis kAnswerTakenWithin{60'000};             // or the connection is closed

inline constexpr size_t kExclusionsShown = 100;  // of a rollout, at a time
inline constexpr size_t kPlanNamesMax = 1'000;   // of each list of a plan

// ---- Uploads: of kUploadsMax.
inline constexpr int kUploadsOverTcpMax = 3;                   // one is kept for the Unix socket
inline constexpr uint64_t kUploadBytesPerSecond = 64U << 10U;  // slower ones end
inline constexpr Millis kUploadFirst{60'000};                  // and this beside

inline constexpr size_t kWatchesMax = 4'096;  // over TCP; as many over the Unix socket

// ---- Connections.
inline constexpr int kStreamsPerConnection = 64;     // calls at a time, as clients are told
inline constexpr size_t kStreamsOpenMax = 128;       // what is borne of clients that don't listen
inline constexpr Millis kRequestSilenceMax{60'000};  // of a request that has begun
inline constexpr Millis kReaderSilenceMax{30'000};   // of a client that has 16 KiB to read

static_assert(kPageBytesMax < kAnswerBytesMax && kAnswerBytesMax <= kUnreadBytesMax);
static_assert(kUploadsOverTcpMax < kUploadsMax);
static_assert(kStreamsPerConnection < static_cast<int>(kStreamsOpenMax));

}  // namespace covey
