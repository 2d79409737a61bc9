// SPDX-License-Identifier: Apache-2.0
// What one HTTP/2 connection may ask of gRPC, which has no defence of its own against rapid reset
// and its relatives (docs/adr/0030): resets, settings, pings, empty and small frames, header blocks
// and streams are counted in both directions, by their frames' headers. Whoever exceeds what no
// honest client needs is closed; whoever is merely fast has to wait. Pure: time is passed in; one
// thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/time.hpp"
#include "gateway/adapters/grpc/frames.hpp"

namespace covey::api {

// Why a connection is closed; the words are those of logs and metrics.
enum class Offence : uint8_t {
  kNone,
  kNotHttp2,       // it does not begin as HTTP/2 does
  kResets,         // streams reset, by the client or because of it
  kSettings,       // SETTINGS
  kPings,          // PING without anything to measure
  kEmptyData,      // DATA without a byte, streams that go on
  kHeaderBlock,    // one block in too many frames or bytes, or that does not end
  kStreams,        // more open at a time than the server said
  kStalledCall,    // a call whose request does not go on
  kStalledReader,  // it does not read
  kSilent,         // it connects and does not say the preface in time
  kHandshake,      // of TLS: refused, by whom and why the log says
  kEvicted,        // no offence: it was idle longest when somebody else needed the place
};
inline constexpr size_t kOffences = 13;
std::string_view to_string(Offence offence);

// So many per second, and `most` at once.
class Allowance {
 public:
  using Time = std::chrono::steady_clock::time_point;

  constexpr Allowance(double per_second, double most, double first)
      : per_second_(per_second), most_(most), left_(first) {}
  // Takes `count`, below zero too.
  void take(double count, Time now);
  bool exceeded() const { return left_ < 0; }
  // Until nothing is owed any more.
  Millis wait() const;

 private:
  double per_second_;
  double most_;
  double left_;
  Time at_{};
};

class Guard {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Verdict {
    Offence offence = Offence::kNone;  // none: pass the bytes on, all of them; else: none of them
    Millis wait{0};                    // before more is read
  };

  explicit Guard(Time now) : now_(now), block_since_(now) {}

  // Bytes as they come from the client; the preface first.
  Verdict from_client(std::span<const uint8_t> bytes, Time now);
  // Bytes of gRPC that go to the client.
  Verdict from_server(std::span<const uint8_t> bytes, Time now);
  // What stands still; to be asked every second or so.
  Offence look(Time now) const;

  // The preface has come.
  bool greeted() const { return preface_ == kHttp2Preface.size(); }
  size_t open_streams() const { return streams_.size(); }
  uint32_t last_stream() const { return last_stream_; }
  bool between_server_frames() const { return server_.between_frames(); }

 private:
  struct Stream {
    uint32_t number = 0;
    bool requested = false;  // the client has said all
    Time heard;              // of its request
  };

  void client_frame(const Frame& frame);
  void client_headers(const Frame& frame);
  void client_data(const Frame& frame);
  void header_bytes(const Frame& frame);
  void server_frame(const Frame& frame);
  void close_stream(uint32_t number);
  Stream* find(uint32_t number);
  void offend(Offence offence);
  void spend(Allowance& allowance, double count, Offence offence);

  Time now_;  // of the bytes that are looked at
  size_t preface_ = 0;
  FrameReader client_;
  FrameReader server_;
  std::vector<Stream> streams_;  // open ones, in the order of their numbers
  uint32_t last_stream_ = 0;
  Offence offence_ = Offence::kNone;

  // The header block that is open.
  bool in_block_ = false;
  bool block_ends_stream_ = false;
  uint32_t block_frames_ = 0;
  uint32_t block_bytes_ = 0;
  Time block_since_;

  // What the server's frames make good for: a PING that measures, an ACK, a WINDOW_UPDATE.
  uint32_t pings_earned_ = 0;
  uint32_t acks_earned_ = 0;
  uint32_t updates_earned_ = 0;

  Allowance resets_{50, 200, 100};
  Allowance settings_{20, 100, 100};
  Allowance pings_{5, 50, 50};
  Allowance empty_data_{20, 100, 100};
  // These make it wait.
  Allowance small_data_{500, 1'000, 1'000};
  Allowance control_{500, 1'000, 1'000};
  Allowance streams_begun_{1'500, 3'000, 3'000};
  Allowance header_bytes_{1 << 20, 2 << 20, 1 << 20};
};

}  // namespace covey::api
