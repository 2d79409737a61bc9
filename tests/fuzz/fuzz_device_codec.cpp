// SPDX-License-Identifier: Apache-2.0
// Whatever a device (or somebody with its credentials) sends: the first byte chooses the message.
#include <array>
#include <string_view>

#include "core/assert.hpp"
#include "gateway/codec/device_codec.hpp"
#include "gateway/codec/report_decoder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  constexpr std::array<std::string_view, 6> kKinds{"hello", "status", "report",
                                                   "fetch", "bye",    "enroll"};
  if (size == 0) return 0;
  const std::string_view kind = kKinds[bytes[0] % kKinds.size()];
  const covey::ByteView payload(bytes + 1, size - 1);
  if (kind == "enroll") {
    const auto message = covey::codec::decode_enroll(payload);
    if (message) COVEY_ASSERT(message->nonce != 0 && message->models.size() <= 8);
    return 0;
  }
  if (kind == "report") {
    // Used again by one input after the other, as the engine does.
    static covey::codec::ReportDecoder decoder;
    static covey::engine::ReportMessage report;
    const covey::Status read = decoder.read(payload, report);
    if (!read) {
      COVEY_ASSERT(!read.error().reason.empty() && !read.error().message.empty());
      return 0;
    }
    COVEY_ASSERT(report.samples.size() <= 256 && report.counts.features.size() <= 16);
    COVEY_ASSERT(report.counts.joint.size() <= 16 && report.counts.energy.size() <= 16);
    covey::engine::ReportMessage fresh;
    COVEY_ASSERT(decoder.read(payload, fresh) && fresh == report);
    return 0;
  }
  const auto message = covey::codec::decode_device_message(kind, payload);
  if (!message) {
    COVEY_ASSERT(!message.error().reason.empty() && !message.error().message.empty());
  } else if (const auto* hello = std::get_if<covey::engine::HelloMessage>(&*message)) {
    COVEY_ASSERT(hello->models.size() <= 8 && !hello->facts.device_class.empty());
  }
  return 0;
}
