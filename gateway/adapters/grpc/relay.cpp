// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/relay.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "gateway/adapters/grpc/line.hpp"
#include "gateway/adapters/log/log.hpp"
#include "gateway/adapters/tls/peer_certificate.hpp"

namespace covey::api {
namespace {

constexpr size_t kThreads = 2;
constexpr Millis kLookInterval{1'000};
constexpr Millis kCloseTime{1'000};     // the loops' threads never wait for anything
constexpr Millis kLogInterval{10'000};  // a line for each reason at most; the rest is counted

}  // namespace

std::string_view to_string(Refusal refusal) {
  static constexpr std::array<std::string_view, kRefusals> kWords = {"full", "full_of_address",
                                                                     "stranger", "no_descriptors"};
  return kWords[static_cast<size_t>(refusal)];
}

class Relay::Impl final : public LineOwner, public std::enable_shared_from_this<Relay::Impl> {
 public:
  Impl(const RelayOptions& options, std::shared_ptr<Peers> peers,
       std::shared_ptr<const access::Access> access, HandOver hand_over)
      : options_(options),
        peers_(std::move(peers)),
        access_(std::move(access)),
        hand_over_(std::move(hand_over)) {}

  void start() {
    for (Loop& loop : loops_) {
      loop.thread = std::thread([&loop] {
        pthread_setname_np(pthread_self(), "covey-relay");
        const auto work = boost::asio::make_work_guard(loop.io);
        loop.io.run();
      });
      look_later(loop);
    }
  }

  void stop(Millis flush) {
    if (stopping_.exchange(true)) return;
    std::unique_lock lock(mutex_);
    gone_.wait_for(lock, flush, [this] {
      return std::all_of(lines_.begin(), lines_.end(),
                         [](const auto& entry) { return entry.second->said_all(); });
    });
    for (const auto& [number, line] : lines_) line->close_soon();
    gone_.wait_for(lock, kCloseTime, [this] { return lines_.empty(); });
    lock.unlock();
    for (Loop& loop : loops_) {
      loop.io.stop();
      if (loop.thread.joinable()) loop.thread.join();
    }
  }

  void take(Descriptor connection, Caller transport) {
    std::shared_ptr<Line> evicted;
    tls::ContextPtr context;
    if (options_.tls && transport.via == Via::kTcp) {
      context = options_.tls->of(tls::Protocol::kHttp2);
    }
    {
      const std::lock_guard lock(mutex_);
      if (!find_place(transport, evicted)) return;
      Loop& loop = loops_[next_++ % kThreads];
      const auto line =
          std::make_shared<Line>(loop.io, std::move(connection), std::move(transport),
                                 std::move(context), next_, options_.handshake_timeout, *this);
      lines_.emplace(next_, line);
      line->start();
    }
    if (evicted) evicted->end_soon(Offence::kEvicted);
  }

  void count(Refusal refusal) { ++refused_[static_cast<size_t>(refusal)]; }

  RelayCounters counters() const {
    RelayCounters now;
    std::copy(refused_.begin(), refused_.end(), now.refused.begin());
    std::copy(closed_.begin(), closed_.end(), now.closed.begin());
    const std::lock_guard lock(mutex_);
    for (const auto& [number, line] : lines_) {
      ++(line->transport().via == Via::kUnixSocket ? now.open_unix : now.open_tcp);
    }
    return now;
  }

  // ---- What lines ask of us, on their threads.

  std::shared_ptr<Peers> peers() override { return peers_; }
  void hand_over(int fd) override { hand_over_(fd); }
  void no_descriptors() override { count(Refusal::kNoDescriptors); }
  Caller known_by(ssl_st* connection, const Caller& transport) override {
    const Result<std::optional<tls::PeerCertificate>> certificate =
        tls::peer_certificate(connection);
    if (!certificate) return access_->tls_peer(transport.from, certificate.error().message);
    if (!*certificate) return access_->tls_peer(transport.from, "");
    return access_->certificate_peer(transport.from, (*certificate)->name,
                                     (*certificate)->not_after);
  }
  void ended(Offence offence, const Caller& caller, std::string_view detail) override {
    const auto index = static_cast<size_t>(offence);
    const uint64_t total = ++closed_[index];
    if (offence == Offence::kEvicted) return;
    const auto now = std::chrono::steady_clock::now();
    {
      const std::lock_guard lock(mutex_);
      if (logged_[index] != Time{} && now - logged_[index] < kLogInterval) return;
      logged_[index] = now;
    }
    log::log_event(log::Level::kWarn, "api_connection_closed",
                   {{"reason", to_string(offence)},
                    {"detail", detail},
                    {"caller", access::audit_name(caller)},
                    {"times_so_far", total}});
  }
  void gone(uint64_t number) override {
    std::shared_ptr<Line> line;  // goes outside the lock
    const std::lock_guard lock(mutex_);
    const auto found = lines_.find(number);
    if (found == lines_.end()) return;
    line = std::move(found->second);
    lines_.erase(found);
    gone_.notify_all();
  }
  void said_all() override {
    const std::lock_guard lock(mutex_);
    gone_.notify_all();
  }

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Loop {
    boost::asio::io_context io{1};
    boost::asio::steady_timer timer{io};
    std::thread thread;
  };

  // Under the lock. Makes room where it can: who is idle longest goes, those first that have not
  // shaken hands, so that half-open connections crowd out each other.
  bool find_place(const Caller& transport, std::shared_ptr<Line>& evicted) {
    const bool local = transport.via == Via::kUnixSocket;
    size_t all = 0;
    size_t same = 0;
    std::shared_ptr<Line> idle;
    std::shared_ptr<Line> idle_same;
    const auto consider = [](std::shared_ptr<Line>& oldest, const std::shared_ptr<Line>& line) {
      if (!line->idle()) return;
      const auto rank = [](const Line& one) { return std::pair(one.greeted(), one.idle_since()); };
      if (!oldest || rank(*line) < rank(*oldest)) oldest = line;
    };
    for (const auto& [number, line] : lines_) {
      if (line->leaving() || (line->transport().via == Via::kUnixSocket) != local) continue;
      ++all;
      consider(idle, line);
      if (line->transport().from != transport.from) continue;
      ++same;
      consider(idle_same, line);
    }
    const bool full_of_address = !local && same >= options_.per_address_max;
    const bool full = all >= (local ? options_.unix_max : options_.tcp_max);
    if (!full && !full_of_address) return true;
    evicted = full_of_address ? idle_same : idle;
    if (evicted) {
      evicted->leave();
      return true;
    }
    count(full_of_address ? Refusal::kFullOfAddress : Refusal::kFull);
    return false;
  }

  void look_later(Loop& loop) {
    loop.timer.expires_after(kLookInterval);
    loop.timer.async_wait([this, &loop](const boost::system::error_code& error) {
      if (error) return;
      std::vector<std::shared_ptr<Line>> lines;
      {
        const std::lock_guard lock(mutex_);
        for (const auto& [number, line] : lines_) {
          if (line->runs_on(loop.io)) lines.push_back(line);
        }
      }
      for (const auto& line : lines) line->look();
      look_later(loop);
    });
  }

  const RelayOptions options_;
  const std::shared_ptr<Peers> peers_;
  const std::shared_ptr<const access::Access> access_;
  const HandOver hand_over_;
  std::atomic<bool> stopping_{false};
  std::array<std::atomic<uint64_t>, kRefusals> refused_{};
  std::array<std::atomic<uint64_t>, kOffences> closed_{};
  uint64_t next_ = 0;  // acceptor's thread

  mutable std::mutex mutex_;
  std::condition_variable gone_;
  std::array<Time, kOffences> logged_{};  // guarded by mutex_

  std::array<Loop, kThreads> loops_;                 // lines below use them
  std::map<uint64_t, std::shared_ptr<Line>> lines_;  // guarded by mutex_
};

Relay::Relay(const RelayOptions& options, std::shared_ptr<Peers> peers,
             std::shared_ptr<const access::Access> access, HandOver hand_over)
    : impl_(std::make_shared<Impl>(options, std::move(peers), std::move(access),
                                   std::move(hand_over))) {}
Relay::~Relay() { impl_->stop(Millis{0}); }

void Relay::start() { impl_->start(); }
void Relay::stop(Millis flush) { impl_->stop(flush); }
void Relay::take(Descriptor connection, Caller transport) {
  impl_->take(std::move(connection), std::move(transport));
}
void Relay::count(Refusal refusal) { impl_->count(refusal); }
RelayCounters Relay::counters() const { return impl_->counters(); }

}  // namespace covey::api
