// SPDX-License-Identifier: Apache-2.0
// The fleet: builds the devices, plays scenario and faults, answers the control channel.
//
// Owner thread: the one that calls run(). Errors: start() names what is wrong with files, addresses
// or limits; failures while running end run() with exit code 1.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "device_agent/simulator/control.hpp"
#include "device_agent/simulator/device.hpp"
#include "device_agent/simulator/environment.hpp"
#include "device_agent/simulator/keys/trusted_key.hpp"
#include "device_agent/simulator/options.hpp"
#include "device_agent/simulator/scenario.hpp"
#include "device_agent/simulator/state_directory.hpp"

namespace covey::simulator {

class Simulator {
 public:
  explicit Simulator(Options options);
  ~Simulator();

  Status start();
  int run();  // the exit code

 private:
  using Clock = std::chrono::steady_clock;
  using Json = nlohmann::json;

  // A Poisson process over the whole fleet.
  struct Fault {
    double per_device_hour = 0;
    void (Device::*strike)() = nullptr;
    Clock::time_point next = Clock::time_point::max();
  };

  Status build_fleet();
  Status read_inputs();
  Status resolve(const HostPort& address, boost::asio::ip::tcp::endpoint* endpoint);
  Status load_trust();
  Status listen();
  void fail(const Error& error);
  void shut_down();

  void tick();
  void play_faults(Clock::time_point now);
  void draw(Fault& fault, Clock::time_point now);
  void report_progress(Clock::time_point now);
  size_t apply(const Step& step);

  void command(const Json& request, ControlServer::Reply reply);
  Json status() const;
  Json truth() const;
  Json slots() const;
  Result<Json> labels(const Json& request);
  Result<Json> step(const Json& request);
  Result<Json> sabotage(const Json& request);
  void quiesce(const Json& request, ControlServer::Reply reply);
  void watch_quiesce();
  void set_paused(bool paused);

  Options options_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_{io_};
  boost::asio::steady_timer ticker_{io_};
  boost::asio::steady_timer quiesce_timer_{io_};
  StateDirectory state_;
  Truth truth_;
  std::vector<TrustedKey> trusted_;
  std::vector<DeviceSpec> fleet_;
  std::vector<Step> scenario_;
  size_t scenario_next_ = 0;
  std::vector<Fault> faults_;
  Random random_;
  Environment environment_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::unique_ptr<ControlServer> control_;
  ControlServer::Reply quiesce_reply_;
  Clock::time_point quiesce_until_{};
  Clock::time_point started_{};
  Clock::time_point progress_at_{};
  int exit_code_ = 0;
  bool ended_ = false;
};

}  // namespace covey::simulator
