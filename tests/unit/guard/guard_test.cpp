// SPDX-License-Identifier: Apache-2.0
// Frames are told apart however they are cut; who floods is named, who works is left alone.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/adapters/grpc/guard.hpp"
#include "gateway/api/limits.hpp"

namespace covey::api {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes frame(FrameType type, uint8_t flags, uint32_t stream, size_t payload = 0) {
  Bytes out;
  for (const int shift : {16, 8, 0}) out.push_back(static_cast<uint8_t>(payload >> shift));
  out.push_back(static_cast<uint8_t>(type));
  out.push_back(flags);
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<uint8_t>(stream >> shift));
  out.resize(out.size() + payload, 0x7F);
  return out;
}

struct Line {
  Line() {
    const Bytes hello(kHttp2Preface.begin(), kHttp2Preface.end());
    EXPECT_EQ(guard_.from_client(hello, now_).offence, Offence::kNone);
    EXPECT_TRUE(guard_.greeted());
    client(FrameType::kSettings, 0, 0);
    server(FrameType::kSettings, 0, 0);
    client(FrameType::kSettings, Frame::kAck, 0);
  }
  void say(Guard::Verdict verdict) {
    if (offence_ == Offence::kNone) offence_ = verdict.offence;
    wait_ = verdict.wait;
  }
  void client(FrameType type, uint8_t flags, uint32_t stream, size_t payload = 0) {
    say(guard_.from_client(frame(type, flags, stream, payload), now_));
  }
  void server(FrameType type, uint8_t flags, uint32_t stream, size_t payload = 0) {
    say(guard_.from_server(frame(type, flags, stream, payload), now_));
  }
  // A unary call and its answer.
  void call() {
    client(FrameType::kHeaders, Frame::kEndHeaders, stream_, 60);
    client(FrameType::kData, Frame::kEndStream, stream_, 20);
    server(FrameType::kHeaders, Frame::kEndHeaders, stream_, 30);
    server(FrameType::kData, 0, stream_, 200);
    server(FrameType::kHeaders, Frame::kEndHeaders | Frame::kEndStream, stream_, 30);
    stream_ += 2;
  }
  // How many of `step` until it is closed; `most`: it is not.
  template <typename Step>
  int until_closed(int most, const Step& step) {
    int times = 0;
    while (times < most && offence_ == Offence::kNone) {
      step();
      ++times;
    }
    return times;
  }

  Guard::Time now_{std::chrono::hours(1)};
  Guard guard_{now_};
  uint32_t stream_ = 1;
  Offence offence_ = Offence::kNone;
  Millis wait_{0};
};

class Guarded : public testing::Test, protected Line {};

TEST(Frames, AreTheSameHoweverTheyAreCut) {
  Bytes all;
  for (const Bytes& each :
       {frame(FrameType::kHeaders, Frame::kEndHeaders, 7, 300),
        frame(FrameType::kResetStream, 0, 7, 4), frame(FrameType::kResetStream, 0, 9, 5),
        frame(FrameType::kData, Frame::kEndStream, 11)}) {
    all.insert(all.end(), each.begin(), each.end());
  }
  for (size_t piece = 1; piece <= all.size(); ++piece) {
    FrameReader reader;
    std::vector<Frame> seen;
    for (size_t at = 0; at < all.size(); at += piece) {
      reader.read(std::span(all).subspan(at, std::min(piece, all.size() - at)),
                  [&](const Frame& each) { seen.push_back(each); });
    }
    ASSERT_EQ(seen.size(), 4U) << piece;
    EXPECT_EQ(seen[0].payload_bytes, 300U);
    EXPECT_EQ(seen[1].error, 0x7F7F7F7FU);
    EXPECT_EQ(seen[2].error, 0U);
    EXPECT_EQ(seen[3].stream, 11U);
    EXPECT_TRUE(reader.between_frames());
  }
}

TEST_F(Guarded, TenThousandCallsInARowAreOnlySlowedDown) {
  for (int i = 0; i < 10'000; ++i) {
    call();
    now_ += wait_ + Millis{1};
  }
  EXPECT_EQ(offence_, Offence::kNone);
  EXPECT_EQ(guard_.open_streams(), 0U);
}

TEST_F(Guarded, AThousandCallsAtOnceDoNotEvenWait) {
  for (int i = 0; i < 1'000; ++i) call();
  EXPECT_EQ(offence_, Offence::kNone);
  EXPECT_EQ(wait_, Millis{0});
}

TEST_F(Guarded, AnUploadOf16MegabytesDoesNotWait) {
  client(FrameType::kHeaders, Frame::kEndHeaders, 1, 80);
  for (int i = 0; i < 1'024; ++i) client(FrameType::kData, 0, 1, 16'384);
  client(FrameType::kData, Frame::kEndStream, 1);
  EXPECT_EQ(offence_, Offence::kNone);
  EXPECT_EQ(wait_, Millis{0});
}

TEST_F(Guarded, ADownloadWithItsUpdatesAndMeasuringPingsIsHonest) {
  client(FrameType::kHeaders, Frame::kEndHeaders | Frame::kEndStream, 1, 80);
  for (int i = 0; i < 5'000; ++i) {
    server(FrameType::kData, 0, 1, 16'384);
    client(FrameType::kWindowUpdate, 0, 0, 4);
    client(FrameType::kWindowUpdate, 0, 1, 4);
    client(FrameType::kPing, 0, 0, 8);
  }
  EXPECT_EQ(offence_, Offence::kNone);
  EXPECT_EQ(wait_, Millis{0});
}

TEST_F(Guarded, RapidResetIsClosed) {
  const int times = until_closed(10'000, [&] {
    client(FrameType::kHeaders, Frame::kEndHeaders, stream_, 60);
    client(FrameType::kResetStream, 0, stream_, 4);
    stream_ += 2;
  });
  EXPECT_EQ(offence_, Offence::kResets);
  EXPECT_LE(times, 101);
}

TEST_F(Guarded, ResetsThatTheServerIsMadeToSendCountAsWell) {
  const int times = until_closed(10'000, [&] {
    client(FrameType::kHeaders, Frame::kEndHeaders, stream_, 60);
    server(FrameType::kResetStream, 0, stream_, 4);
    stream_ += 2;
  });
  EXPECT_EQ(offence_, Offence::kResets);
  EXPECT_LE(times, 101);
}

TEST_F(Guarded, WhoCancelsNowAndThenIsHonest) {
  for (int i = 0; i < 2'000; ++i) {
    client(FrameType::kHeaders, Frame::kEndHeaders, stream_, 60);
    client(FrameType::kResetStream, 0, stream_, 4);
    stream_ += 2;
    now_ += Millis{25};
  }
  EXPECT_EQ(offence_, Offence::kNone);
}

TEST_F(Guarded, FloodsOfControlFramesAreClosedOrSlowedDown) {
  const auto flood = [](FrameType type, uint8_t flags, uint32_t stream, size_t payload) {
    Line fresh;
    return fresh.until_closed(2'000, [&] { fresh.client(type, flags, stream, payload); }) < 2'000
               ? fresh.offence_
               : (fresh.wait_.count() > 0 ? Offence::kEvicted : Offence::kNone);
  };
  EXPECT_EQ(flood(FrameType::kSettings, 0, 0, 0), Offence::kSettings);
  EXPECT_EQ(flood(FrameType::kSettings, Frame::kAck, 0, 0), Offence::kSettings);
  EXPECT_EQ(flood(FrameType::kPing, 0, 0, 8), Offence::kPings);
  EXPECT_EQ(flood(FrameType::kPing, Frame::kAck, 0, 8), Offence::kPings);
  EXPECT_EQ(flood(FrameType::kData, 0, 1, 0), Offence::kEmptyData);
  constexpr Offence kWaits = Offence::kEvicted;
  EXPECT_EQ(flood(FrameType::kData, 0, 1, 1), kWaits);
  EXPECT_EQ(flood(FrameType::kData, Frame::kEndStream, 1, 0), kWaits);
  EXPECT_EQ(flood(FrameType::kWindowUpdate, 0, 0, 4), kWaits);
  EXPECT_EQ(flood(FrameType::kPriority, 0, 1, 5), kWaits);
  EXPECT_EQ(flood(FrameType::kGoAway, 0, 0, 8), kWaits);
  EXPECT_EQ(flood(static_cast<FrameType>(77), 0, 1, 8), kWaits);
}

TEST_F(Guarded, AHeaderBlockInManyFramesOrBytesIsClosed) {
  client(FrameType::kHeaders, 0, 1, 10);
  until_closed(100, [&] { client(FrameType::kContinuation, 0, 1, 0); });
  EXPECT_EQ(offence_, Offence::kHeaderBlock);
  Line large;
  large.client(FrameType::kHeaders, Frame::kEndHeaders, 1, 100'000);
  EXPECT_EQ(large.offence_, Offence::kHeaderBlock);
  Line slow;
  slow.client(FrameType::kHeaders, 0, 1, 10);
  EXPECT_EQ(slow.guard_.look(slow.now_ + Millis{20'000}), Offence::kHeaderBlock);
}

TEST_F(Guarded, MoreStreamsAtATimeThanTheServerSaidAreClosed) {
  const int times = until_closed(1'000, [&] {
    client(FrameType::kHeaders, Frame::kEndHeaders | Frame::kEndStream, stream_, 60);
    stream_ += 2;
  });
  EXPECT_EQ(offence_, Offence::kStreams);
  EXPECT_EQ(times, static_cast<int>(kStreamsOpenMax) + 1);
}

TEST_F(Guarded, ARequestThatStandsStillIsClosedAndAWatchIsNot) {
  client(FrameType::kHeaders, Frame::kEndHeaders | Frame::kEndStream, 1, 60);  // a watch
  now_ += kRequestSilenceMax * 10;
  EXPECT_EQ(guard_.look(now_), Offence::kNone);
  client(FrameType::kHeaders, Frame::kEndHeaders, 3, 60);  // an upload
  now_ += kRequestSilenceMax;
  client(FrameType::kData, 0, 3, 1'000);
  EXPECT_EQ(guard_.look(now_ + Millis{1'000}), Offence::kNone);
  EXPECT_EQ(guard_.look(now_ + kRequestSilenceMax + Millis{1'000}), Offence::kStalledCall);
}

TEST_F(Guarded, WhatIsNotHttp2IsClosedAtItsFirstByte) {
  Guard fresh(now_);
  const std::string get = "GET / HTTP/1.1";
  EXPECT_EQ(
      fresh.from_client({reinterpret_cast<const uint8_t*>(get.data()), get.size()}, now_).offence,
      Offence::kNotHttp2);
}

}  // namespace
}  // namespace covey::api
