// SPDX-License-Identifier: Apache-2.0
// A report's bytes (proto/covey/device/v1/device.proto) to the engine's message. The message of the
// wire and its vectors are used again: with reports of one shape nothing is allocated. Bounds as in
// device_codec.hpp. Errors: PAYLOAD_TOO_LARGE, MALFORMED, FIELD_INVALID with the field's name.
// Threading: one thread at a time.
#pragma once

#include <memory>

#include "gateway/engine/report_reader.hpp"

namespace covey::codec {

class ReportDecoder final : public engine::ReportReader {
 public:
  ReportDecoder();
  ~ReportDecoder() override;
  Status read(ByteView payload, engine::ReportMessage& into) override;

 private:
  struct Wire;
  std::unique_ptr<Wire> wire_;
};

}  // namespace covey::codec
