// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/guard.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "gateway/api/limits.hpp"

namespace covey::api {
namespace {

constexpr uint32_t kBlockFramesMax = 8;
constexpr uint32_t kBlockBytesMax = 64U << 10U;  // as sent; gRPC limits what they decode to
constexpr uint32_t kSmallDataBytes = 256;
constexpr uint32_t kEarnedMax = 1'000;
constexpr Millis kBlockTime{10'000};

void earn(uint32_t& earned, uint32_t count) { earned = std::min(earned + count, kEarnedMax); }

bool was_earned(uint32_t& earned) {
  if (earned == 0) return false;
  --earned;
  return true;
}

}  // namespace

std::string_view to_string(Offence offence) {
  static constexpr std::array<std::string_view, kOffences> kWords = {
      "none",       "not_http2",    "resets",  "settings",     "pings",
      "empty_data", "header_block", "streams", "stalled_call", "stalled_reader",
      "silent",     "handshake",    "evicted"};
  return kWords[static_cast<size_t>(offence)];
}

void Allowance::take(double count, Time now) {
  if (at_ != Time{} && now > at_) {
    const double seconds = std::chrono::duration<double>(now - at_).count();
    left_ = std::min(most_, left_ + seconds * per_second_);
  }
  at_ = now;
  left_ -= count;
}

Millis Allowance::wait() const {
  if (left_ >= 0) return Millis{0};
  return Millis{static_cast<int64_t>(std::ceil(-left_ / per_second_ * 1000))};
}

Guard::Verdict Guard::from_client(std::span<const uint8_t> bytes, Time now) {
  now_ = now;
  while (preface_ < kHttp2Preface.size() && !bytes.empty()) {
    if (bytes.front() != static_cast<uint8_t>(kHttp2Preface[preface_])) {
      return {Offence::kNotHttp2, Millis{0}};
    }
    ++preface_;
    bytes = bytes.subspan(1);
  }
  client_.read(bytes, [this](const Frame& frame) {
    if (offence_ == Offence::kNone) client_frame(frame);
  });
  const Millis wait = std::max(std::max(small_data_.wait(), control_.wait()),
                               std::max(streams_begun_.wait(), header_bytes_.wait()));
  return {offence_, wait};
}

Guard::Verdict Guard::from_server(std::span<const uint8_t> bytes, Time now) {
  now_ = now;
  server_.read(bytes, [this](const Frame& frame) { server_frame(frame); });
  return {offence_, Millis{0}};
}

Offence Guard::look(Time now) const {
  if (in_block_ && now - block_since_ > kBlockTime) return Offence::kHeaderBlock;
  for (const Stream& stream : streams_) {
    if (!stream.requested && now - stream.heard > kRequestSilenceMax) return Offence::kStalledCall;
  }
  return Offence::kNone;
}

void Guard::client_frame(const Frame& frame) {
  switch (frame.type) {
    case FrameType::kData:
      return client_data(frame);
    case FrameType::kHeaders:
      return client_headers(frame);
    case FrameType::kContinuation:
      return header_bytes(frame);
    case FrameType::kResetStream:
      close_stream(frame.stream);
      return spend(resets_, 1, Offence::kResets);
    case FrameType::kSettings:
      if (frame.has(Frame::kAck) && was_earned(acks_earned_)) return;
      return spend(settings_, 1, Offence::kSettings);
    case FrameType::kPing:
      if (was_earned(pings_earned_)) return;
      return spend(pings_, 1, Offence::kPings);
    case FrameType::kWindowUpdate:
      if (was_earned(updates_earned_)) return;
      break;
    case FrameType::kPriority:
    case FrameType::kPushPromise:
    case FrameType::kGoAway:
      break;
  }
  control_.take(1, now_);
}

void Guard::client_headers(const Frame& frame) {
  block_frames_ = 0;
  block_bytes_ = 0;
  block_since_ = now_;
  block_ends_stream_ = frame.has(Frame::kEndStream);
  if (frame.stream > last_stream_) {
    last_stream_ = frame.stream;
    streams_begun_.take(1, now_);
    if (streams_.size() >= kStreamsOpenMax) return offend(Offence::kStreams);
    streams_.push_back({frame.stream, false, now_});
  } else {
    control_.take(1, now_);  // trailers, or a stream that is no more
  }
  if (Stream* stream = find(frame.stream)) {
    stream->heard = now_;
    stream->requested = stream->requested || block_ends_stream_;
  }
  header_bytes(frame);
}

void Guard::client_data(const Frame& frame) {
  const bool last = frame.has(Frame::kEndStream);
  if (Stream* stream = find(frame.stream)) {
    stream->heard = now_;
    stream->requested = stream->requested || last;
    if (last) return;
  } else if (last) {
    return control_.take(1, now_);  // of a call that ended meanwhile
  }
  if (frame.payload_bytes == 0) return spend(empty_data_, 1, Offence::kEmptyData);
  if (frame.payload_bytes < kSmallDataBytes) small_data_.take(1, now_);
}

void Guard::header_bytes(const Frame& frame) {
  in_block_ = !frame.has(Frame::kEndHeaders);
  header_bytes_.take(frame.payload_bytes, now_);
  block_bytes_ += frame.payload_bytes;
  if (++block_frames_ > kBlockFramesMax || block_bytes_ > kBlockBytesMax) {
    offend(Offence::kHeaderBlock);
  }
}

void Guard::server_frame(const Frame& frame) {
  switch (frame.type) {
    case FrameType::kData:
      earn(pings_earned_, 1);
      earn(updates_earned_, 3);  // of the stream, of the connection, and one to spare
      break;
    case FrameType::kHeaders:
      earn(pings_earned_, 1);
      earn(updates_earned_, 1);
      break;
    case FrameType::kPing:
      if (!frame.has(Frame::kAck)) earn(pings_earned_, 1);  // its acknowledgement
      return;
    case FrameType::kSettings:
      if (!frame.has(Frame::kAck)) earn(acks_earned_, 1);
      return;
    case FrameType::kResetStream:
      close_stream(frame.stream);
      // Without an error it only says that the rest of a request is not wanted.
      if (frame.error != 0) spend(resets_, 1, Offence::kResets);
      return;
    default:
      return;
  }
  if (frame.has(Frame::kEndStream)) close_stream(frame.stream);
}

Guard::Stream* Guard::find(uint32_t number) {
  const auto found =
      std::lower_bound(streams_.begin(), streams_.end(), number,
                       [](const Stream& stream, uint32_t at) { return stream.number < at; });
  return found != streams_.end() && found->number == number ? &*found : nullptr;
}

void Guard::close_stream(uint32_t number) {
  if (const Stream* stream = find(number))
    streams_.erase(streams_.begin() + (stream - &streams_[0]));
}

void Guard::offend(Offence offence) {
  if (offence_ == Offence::kNone) offence_ = offence;
}

void Guard::spend(Allowance& allowance, double count, Offence offence) {
  allowance.take(count, now_);
  if (allowance.exceeded()) offend(offence);
}

}  // namespace covey::api
