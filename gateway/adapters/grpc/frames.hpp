// SPDX-License-Identifier: Apache-2.0
// The frames of one direction of an HTTP/2 connection (RFC 9113, section 4.1), told by their
// nine-byte headers: payloads are skipped, but for the error code of a reset. Bytes come in pieces
// of any size. Pure, allocates nothing; one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace covey::api {

inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kResetStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

struct Frame {
  static constexpr uint8_t kEndStream = 1;  // of DATA and HEADERS
  static constexpr uint8_t kAck = 1;        // of SETTINGS and PING
  static constexpr uint8_t kEndHeaders = 4;

  uint32_t payload_bytes = 0;
  FrameType type = FrameType::kData;  // perhaps one that has no name
  uint8_t flags = 0;
  uint32_t stream = 0;
  uint32_t error = 0;  // of kResetStream

  bool has(uint8_t flag) const { return (flags & flag) != 0; }
};

class FrameReader {
 public:
  // Calls `seen(const Frame&)` for each frame as soon as it is known: at its header, a reset once
  // its error code has come, too.
  template <typename Seen>
  void read(std::span<const uint8_t> bytes, const Seen& seen) {
    while (!bytes.empty()) {
      if (skip(bytes)) continue;
      if (gather(bytes)) seen(frame_);
    }
  }
  // Nothing of a frame has come yet but whole ones.
  bool between_frames() const { return held_ == 0 && left_ == 0; }

 private:
  static constexpr size_t kHeaderBytes = 9;
  static constexpr size_t kErrorBytes = 4;

  bool skip(std::span<const uint8_t>& bytes);
  bool gather(std::span<const uint8_t>& bytes);

  std::array<uint8_t, kHeaderBytes + kErrorBytes> head_{};
  size_t held_ = 0;    // bytes of head_
  uint32_t left_ = 0;  // bytes of a payload to skip
  Frame frame_;
};

}  // namespace covey::api
