// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/frames.hpp"

#include <algorithm>

namespace covey::api {
namespace {

uint32_t big_endian(std::span<const uint8_t> bytes) {
  uint32_t value = 0;
  for (const uint8_t byte : bytes) value = value << 8U | byte;
  return value;
}

}  // namespace

bool FrameReader::skip(std::span<const uint8_t>& bytes) {
  if (left_ == 0) return false;
  const size_t count = std::min<size_t>(left_, bytes.size());
  left_ -= static_cast<uint32_t>(count);
  bytes = bytes.subspan(count);
  return true;
}

bool FrameReader::gather(std::span<const uint8_t>& bytes) {
  const auto head = std::span<const uint8_t>(head_);
  size_t wanted = kHeaderBytes;
  // A reset of any other length than four is a broken one: counted, with no code.
  const auto has_code = [&] {
    return head_[3] == static_cast<uint8_t>(FrameType::kResetStream) &&
           big_endian(head.first(3)) == kErrorBytes;
  };
  if (held_ >= kHeaderBytes) wanted += kErrorBytes;
  const size_t count = std::min(wanted - held_, bytes.size());
  std::copy_n(bytes.begin(), count, head_.begin() + static_cast<std::ptrdiff_t>(held_));
  held_ += count;
  bytes = bytes.subspan(count);
  if (held_ < wanted || (held_ == kHeaderBytes && has_code())) return false;
  frame_ = {.payload_bytes = big_endian(head.first(3)),
            .type = static_cast<FrameType>(head_[3]),
            .flags = head_[4],
            .stream = big_endian(head.subspan(5, 4)) & 0x7FFF'FFFFU,
            .error = held_ > kHeaderBytes ? big_endian(head.subspan(kHeaderBytes)) : 0};
  left_ = held_ > kHeaderBytes ? 0 : frame_.payload_bytes;
  held_ = 0;
  return true;
}

}  // namespace covey::api
