// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/load.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <fstream>

namespace covey::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kConnectingMax = 100;
constexpr double kConnectLimitS = 120;
constexpr double kDrainLimitS = 15;
constexpr double kResendAfterS = 3;
constexpr uint32_t kBurstMax = 32;  // reports in one system call
enum : uint8_t { kConnack = 2, kPublish = 3, kSuback = 9 };

struct Sender {
  const PremadeDevice* device = nullptr;
  LoadConnection connection;
  bool said_connect = false;
  uint32_t subscribed = 0;
  double hello_at = 0;  // the last one; 0: none yet
  bool ready = false;
  uint32_t sent = 0;           // highest sequence that went out
  uint32_t base = 1;           // lowest one not acknowledged
  double resend_at = 0;        // unless something is acknowledged before
  double wait_until = 0;       // the gateway asked for it
  std::vector<float> sent_at;  // seconds, by sequence - 1; negative: acknowledged
};

// User and system time so far, without children.
double processor_seconds(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  unsigned long long user = 0;
  unsigned long long system = 0;
  const int found =
      std::sscanf(text.c_str() + name_end + 1,
                  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
  return found == 2
             ? static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK))
             : 0;
}

double own_processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Load {
 public:
  Load(const LoadOptions& options, const std::vector<std::unique_ptr<PremadeDevice>>& devices)
      : options_(options), senders_(devices.size()) {
    for (size_t i = 0; i < devices.size(); ++i) {
      senders_[i].device = devices[i].get();
      senders_[i].sent_at.resize(devices[i]->reports());
      total_ += devices[i]->reports();
    }
    figures_.latencies_ms.reserve(total_);
  }
  ~Load() {
    if (epoll_ >= 0) ::close(epoll_);
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  Result<LoadFigures> run() {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    Status done = connect_all();
    if (!done) return done.error();
    done = measure();
    if (!done) return done.error();
    return std::move(figures_);
  }

 private:
  double now() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

  Error failed(const Sender& sender) const {
    return {Code::kUnavailable, "LOAD",
            fmt::format("{}: {}", sender.device->id(), sender.connection.why())};
  }

  Status connect_all() {
    size_t opened = 0;
    while (ready_ < senders_.size()) {
      while (opened < senders_.size() && opened - ready_ < kConnectingMax) {
        Sender& sender = senders_[opened];
        if (!sender.connection.open(epoll_, opened++, options_.host, options_.port, options_.tls)) {
          return failed(sender);
        }
      }
      Status done = take_events(100);
      if (done) done = repeat_hellos(opened);
      if (!done) return done;
      if (now() > kConnectLimitS) {
        return Error{Code::kDeadlineExceeded, "LOAD",
                     fmt::format("{} of {} devices were answered within {} s", ready_,
                                 senders_.size(), kConnectLimitS)};
      }
    }
    return {};
  }

  Status measure() {
    begin_ = now();
    next_resend_look_ = begin_ + 1;
    const double measured_from = begin_ + options_.warm_up_s;
    const double measured_until = measured_from + options_.seconds;
    // Something must have been acknowledged, however busy the machine is.
    const auto goes_on = [&] {
      return now() < measured_until ||
             (figures_.acknowledged == 0 && now() < measured_until + kDrainLimitS);
    };
    while (goes_on() && anything_left()) {
      if (!measuring_ && now() >= measured_from) begin_measuring();
      Status done = turn();
      if (!done) return done;
    }
    // All was sent within the warm-up: there is nothing to say.
    if (measuring_) end_measuring();
    sending_ = false;
    const double until = now() + kDrainLimitS;
    while (outstanding_ > 0 && now() < until) {
      Status done = turn();
      if (!done) return done;
    }
    figures_.unacknowledged = outstanding_;
    return {};
  }

  bool anything_left() const { return outstanding_ > 0 || said_ < total_; }

  void begin_measuring() {
    measuring_ = true;
    measured_at_ = now();
    processor_ = processor_times();
  }
  void end_measuring() {
    measuring_ = false;
    figures_.seconds = now() - measured_at_;
    figures_.processor_s = processor_times();
    for (size_t i = 0; i < processor_.size(); ++i) {
      figures_.processor_s[i].second -= processor_[i].second;
    }
  }
  std::vector<std::pair<std::string, double>> processor_times() const {
    std::vector<std::pair<std::string, double>> times;
    for (const auto& [name, pid] : options_.watched)
      times.emplace_back(name, processor_seconds(pid));
    times.emplace_back("generator", own_processor_seconds());
    return times;
  }

  // What is due goes out, what is there comes in.
  Status turn() {
    if (sending_ && options_.rate > 0) {
      Status done = send_due();
      if (!done) return done;
    } else if (sending_ && next_ == 0) {
      for (Sender& sender : senders_) {
        if (!send_more(sender)) return failed(sender);
      }
      next_ = total_;
    }
    if (now() >= next_resend_look_) {
      next_resend_look_ = now() + 1;
      Status done = resend();
      if (!done) return done;
    }
    return take_events(wait_ms());
  }

  // All devices in turn, evenly spread.
  double due_at(uint64_t number) const {
    return begin_ +
           static_cast<double>(number) / (options_.rate * static_cast<double>(senders_.size()));
  }
  int wait_ms() const {
    if (!sending_ || options_.rate <= 0 || next_ >= total_) return 20;
    // Rather some reports at once than a turn for each.
    return std::clamp(static_cast<int>((due_at(next_) - now()) * 1e3), 2, 20);
  }
  Status send_due() {
    const double until = now();
    for (; next_ < total_ && due_at(next_) <= until; ++next_) {
      Sender& sender = senders_[next_ % senders_.size()];
      const double late_ms = (until - due_at(next_)) * 1e3;
      if (measuring_) figures_.late_max_ms = std::max(figures_.late_max_ms, late_ms);
      // A device that still holds bytes, or that was asked to wait, says it with the next one.
      if (!send_up_to(sender, static_cast<uint32_t>(next_ / senders_.size()) + 1, due_at(next_))) {
        return failed(sender);
      }
    }
    return {};
  }

  bool send_up_to(Sender& sender, uint32_t last, double at) {
    const uint32_t first = sender.sent + 1;
    if (first > last || sender.connection.holds() || sender.wait_until > at) return true;
    std::fill(sender.sent_at.begin() + first - 1, sender.sent_at.begin() + last,
              static_cast<float>(at - begin_));
    sender.sent = last;
    said_ += last - first + 1;
    outstanding_ += last - first + 1;
    if (measuring_) figures_.sent += last - first + 1;
    if (sender.resend_at <= 0) sender.resend_at = at + kResendAfterS;
    return sender.connection.send(sender.device->reports(first, last));
  }
  bool send_more(Sender& sender) {
    while (!sender.connection.holds()) {
      const auto all = static_cast<uint32_t>(sender.sent_at.size());
      const uint32_t last =
          std::min({all, sender.base - 1 + options_.outstanding, sender.sent + kBurstMax});
      if (last <= sender.sent || sender.wait_until > now()) return true;
      if (!send_up_to(sender, last, now())) return false;
    }
    return true;
  }

  // QoS 0 may lose a report; a device says it again.
  Status resend() {
    for (Sender& sender : senders_) {
      // Nobody wakes one that was asked to wait.
      if (sending_ && options_.rate <= 0 && !send_more(sender)) return failed(sender);
      if (sender.base > sender.sent || now() < sender.resend_at || sender.connection.holds()) {
        continue;
      }
      sender.resend_at = now() + kResendAfterS;
      const uint32_t last = std::min(sender.sent, sender.base + kBurstMax - 1);
      figures_.resent += last - sender.base + 1;
      if (!sender.connection.send(sender.device->reports(sender.base, last))) return failed(sender);
    }
    return {};
  }

  Status take_events(int wait_ms) {
    std::array<epoll_event, 256> events{};
    const int count = ::epoll_wait(epoll_, events.data(), events.size(), wait_ms);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      Sender& sender = senders_[event.data.u64];
      if (!take_event(sender, event.events)) return failed(sender);
      if (!refused_.empty()) {
        return Error{Code::kUnavailable, "LOAD",
                     fmt::format("{}: {}", sender.device->id(), refused_)};
      }
    }
    return {};
  }
  bool take_event(Sender& sender, uint32_t events) {
    if ((events & EPOLLOUT) != 0 && !take_writable(sender)) return false;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return true;
    const bool read =
        sender.connection.read([&](uint8_t type, std::string_view topic, ByteView payload) {
          return take_packet(sender, type, topic, payload);
        });
    return (read || !refused_.empty()) &&
           (!sending_ || options_.rate > 0 || begin_ == 0 || send_more(sender));
  }
  bool take_writable(Sender& sender) {
    if (!sender.said_connect) {
      sender.said_connect = true;
      if (!sender.connection.send(sender.device->connect())) return false;
    }
    return sender.connection.on_writable();
  }

  bool refuse(std::string why) {
    refused_ = std::move(why);
    return false;
  }
  bool say_hello(Sender& sender) {
    sender.hello_at = now();
    return sender.connection.send(sender.device->hello());
  }
  // The broker may know a device before it knows the gateway: what nobody heard is said again.
  Status repeat_hellos(size_t opened) {
    for (size_t i = 0; i < opened; ++i) {
      Sender& sender = senders_[i];
      if (sender.ready || sender.hello_at == 0 || now() < sender.hello_at + kResendAfterS) continue;
      if (!say_hello(sender)) return failed(sender);
    }
    return {};
  }
  void ready(Sender& sender) {
    if (!sender.ready) ++ready_;
    sender.ready = true;
  }
  bool take_packet(Sender& sender, uint8_t type, std::string_view topic, ByteView payload) {
    switch (type) {
      case kConnack:
        if (payload.size() != 2 || payload[1] != 0) return refuse("the broker refuses it");
        return sender.connection.send(sender.device->subscribe());
      case kSuback:
        if (++sender.subscribed < sender.device->subscriptions()) return true;
        if (!options_.gateway) ready(sender);
        return !options_.gateway || say_hello(sender);
      case kPublish:
        return !topic.ends_with("/down/ack") || take_ack(sender, payload);
      default:
        return true;
    }
  }

  bool take_ack(Sender& sender, ByteView payload) {
    const Result<Acknowledgement> read = sender.device->read_ack(payload, options_.gateway);
    if (!read) return refuse("an acknowledgement: " + read.error().message);
    const double at = now();
    if (read->answers_hello) ready(sender);
    if (read->backoff_ms != 0) sender.wait_until = at + read->backoff_ms / 1e3;
    if (!read->of_stream) return true;
    if (read->cumulative > sender.sent) return refuse("acknowledged before it was sent");
    if (measuring_) ++figures_.acks;
    sender.resend_at = at + kResendAfterS;
    for (uint32_t n = sender.base; n <= sender.sent && n <= read->cumulative + 64; ++n) {
      float& sent_at = sender.sent_at[n - 1];
      if (sent_at < 0 || !read->covers(n)) continue;
      if (measuring_) {
        figures_.latencies_ms.push_back(
            static_cast<float>((at - begin_ - static_cast<double>(sent_at)) * 1e3));
        ++figures_.acknowledged;
      }
      sent_at = -1;
      --outstanding_;
    }
    while (sender.base <= sender.sent && sender.sent_at[sender.base - 1] < 0) ++sender.base;
    return true;
  }

  const LoadOptions& options_;
  const Clock::time_point started_ = Clock::now();
  std::deque<Sender> senders_;
  uint64_t total_ = 0;  // reports; every device has as many
  int epoll_ = -1;
  size_t ready_ = 0;
  double begin_ = 0;  // of sending; 0: not yet
  bool sending_ = true;
  uint64_t next_ = 0;  // report of all devices in turn
  uint64_t said_ = 0;
  uint64_t outstanding_ = 0;
  double next_resend_look_ = 0;
  bool measuring_ = false;
  double measured_at_ = 0;
  std::vector<std::pair<std::string, double>> processor_;
  std::string refused_;
  LoadFigures figures_;
};

}  // namespace

Result<LoadFigures> run_load(const LoadOptions& options,
                             const std::vector<std::unique_ptr<PremadeDevice>>& devices) {
  Load load(options, devices);
  Result<LoadFigures> figures = load.run();
  if (!figures) return figures;
  for (const auto& device : devices) {
    if (device->reports() > 0) {
      figures.value().payload_bytes += device->reports(1, device->reports()).size();
    }
  }
  return figures;
}

}  // namespace covey::bench
