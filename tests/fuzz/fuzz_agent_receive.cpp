// SPDX-License-Identifier: Apache-2.0
// Everything that a broker can send to an agent, in any order and in pieces, some of it with a good
// MAC (the gateway itself may be taken over). The input is a list of {what u8, size u16, bytes}.
#include <cstdlib>
#include <cstring>

#include "tests/fuzz/same_random.hpp"
#include "tests/unit/agent/bench.hpp"

namespace {

using covey::agent_test::Bench;
using covey::agent_test::Bytes;
using covey::agent_test::Message;
using covey::agent_test::Release;

const Release& release() {
  static const Release made = covey::agent_test::make_release({.model_bytes = 1000});
  return made;
}

Message message_of(const Bench& bench, uint8_t what, const Bytes& payload) {
  const std::string own = "covey/v1/2a/press-07/down/";
  switch (what & 15U) {
    case 0:
      return {"covey/v1/site", payload};
    case 1:
      return bench.gateway.sealed("goal", payload);
    case 2:
      return bench.gateway.sealed("ack", payload);
    case 3:
      return {own + "chunk", payload};
    case 4:
      return {"covey/v1/m/" + covey::agent_test::hex(release().digest), payload};
    case 5:
      return {"covey/v1/m/" + covey::agent_test::hex(covey::agent_test::sha256(release().table)),
              payload};
    case 6:
      return {"covey/v1/m/" + covey::agent_test::hex(covey::agent_test::sha256(release().tables)),
              payload};
    case 7:
      return {own + "goal", payload};
    case 8:
      return {"covey/v1/enroll/press-07/down", payload};
    case 9: {  // the real chunk of this index
      covey::agent_test::wire::Chunk chunk;
      chunk.set_manifest(release().prefix());
      chunk.set_index(payload.empty() ? 0 : static_cast<uint8_t>(payload[0]) % 3);
      chunk.set_data(release().chunk(chunk.index()));
      return {own + "chunk", chunk.SerializeAsString()};
    }
    default:
      return {payload, payload};
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  covey::agent_test::DeviceOptions options;
  options.geometry.size_bytes = 32U << 10U;
  options.slot_bytes = 8U << 10U;
  Bench bench(options);
  uint8_t random = 1;
  bench.device.port.crypto.random = covey::fuzz::same_random;
  bench.device.port.crypto.ctx = &random;
  bench.gateway.add(release());
  bench.bring_up();
  bench.gateway.want({.candidate = &release()});
  bench.gateway.chunks_left = 1;
  bench.run(10);
  while (size >= 3) {
    const uint8_t what = bytes[0];
    const size_t length =
        std::min<size_t>(size - 3, bytes[1] | static_cast<size_t>(bytes[2]) << 8U);
    const Bytes payload(reinterpret_cast<const char*>(bytes + 3), length);
    bytes += 3 + length;
    size -= 3 + length;
    bench.device.options.piece_bytes = (what & 0x80U) != 0 ? 1 + what % 61 : 0;
    bench.device.deliver(message_of(bench, what, payload));
    bench.run((what & 0x40U) != 0 ? 10'000 : 1, 500);
  }
  if (bench.device.flash.misaligned != 0 || bench.device.flash.written_twice != 0 ||
      bench.device.counters().bugs != 0) {
    std::abort();
  }
  const std::string active = bench.device.active();
  if (!active.empty() && active != release().digest) std::abort();
  return 0;
}
