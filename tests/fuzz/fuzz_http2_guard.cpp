// SPDX-License-Identifier: Apache-2.0
// The guard reads what any client sends, and what gRPC answers. Whatever comes, however it is cut:
// its table of streams stays within its bound, waits are finite, and the verdict about a direction
// is the same for the whole and for its bytes one by one.
//
// Input: pieces of a byte (its highest bit: from the server; the rest: how many bytes follow).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/assert.hpp"
#include "gateway/adapters/grpc/guard.hpp"
#include "gateway/api/limits.hpp"

namespace {

using covey::api::Guard;
using covey::api::Offence;

struct Played {
  Guard guard{Guard::Time(std::chrono::hours(1))};
  Guard::Time now{std::chrono::hours(1)};
  Offence offence = Offence::kNone;

  void play(bool server, std::span<const uint8_t> bytes) {
    if (offence != Offence::kNone) return;
    const Guard::Verdict verdict =
        server ? guard.from_server(bytes, now) : guard.from_client(bytes, now);
    COVEY_ASSERT(verdict.wait.count() >= 0 && verdict.wait < std::chrono::hours(24));
    COVEY_ASSERT(guard.open_streams() <= covey::kStreamsOpenMax);
    offence = verdict.offence;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::span<const uint8_t> rest(data, size);
  Played whole;
  Played bytewise;
  while (!rest.empty()) {
    const bool server = (rest[0] & 0x80U) != 0;
    const size_t count = std::min<size_t>(rest[0] & 0x7FU, rest.size() - 1);
    const auto piece = rest.subspan(1, count);
    whole.play(server, piece);
    for (const uint8_t& byte : piece) bytewise.play(server, {&byte, 1});
    COVEY_ASSERT(whole.offence == bytewise.offence);
    rest = rest.subspan(1 + count);
  }
  (void)whole.guard.look(whole.now + std::chrono::hours(1));
  return 0;
}
