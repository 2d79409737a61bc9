// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/simulator.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <csignal>
#include <fstream>
#include <iterator>

#include "core/digest.hpp"
#include "covey/port_openssl.h"

namespace covey::simulator {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr milliseconds kTick{100};
constexpr milliseconds kProgressEvery{5000};
constexpr int64_t kJitterMsPerDevice = 5;
constexpr rlim_t kDescriptorsBesideDevices = 64;

Result<std::string> read_file(const std::string& path, size_t size_max) {
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in && !in.eof()) {
    return Error{Code::kUnavailable, "FILE", fmt::format("{}: cannot be read", path)};
  }
  if (text.size() > size_max) {
    return invalid("FILE", fmt::format("{}: more than {} bytes", path, size_max));
  }
  return text;
}

// Of a file with one line; nothing of no file.
Result<std::string> read_line(const std::string& path) {
  if (path.empty()) return std::string();
  Result<std::string> text = read_file(path, 256);
  if (!text) return text.error();
  while (!text->empty() && text->back() <= ' ') text->pop_back();
  return text;
}

Status raise_descriptor_limit(size_t devices) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t needed = devices + kDescriptorsBesideDevices;  // a socket each
  if (limit.rlim_cur < needed) {
    return Error{
        Code::kResourceExhausted, "FILE_DESCRIPTORS",
        fmt::format("{} devices need {} file descriptors, the limit is {}: raise ulimit -n "
                    "or start fewer",
                    devices, needed, limit.rlim_cur)};
  }
  return {};
}

}  // namespace

Simulator::Simulator(Options options)
    : options_(std::move(options)),
      random_(mix(options_.fleet.seed, 5)),
      environment_{.io = io_, .options = options_, .truth = truth_} {}

Simulator::~Simulator() = default;

Status Simulator::resolve(const HostPort& address, asio::ip::tcp::endpoint* endpoint) {
  boost::system::error_code error;
  asio::ip::tcp::resolver resolver(io_);
  const auto found = resolver.resolve(address.host, std::to_string(address.port), error);
  if (error || found.empty()) {
    return Error{Code::kUnavailable, "BAD_ADDRESS",
                 fmt::format("{}: {}", address.host, error.message())};
  }
  *endpoint = found.begin()->endpoint();
  return {};
}

Status Simulator::read_inputs() {
  for (const std::string& path : options_.trusted_keys) {
    Result<TrustedKey> key = read_trusted_key(path);
    if (!key) return key.error();
    trusted_.push_back(*std::move(key));
  }
  for (const TrustedKey& key : trusted_) {
    environment_.keys.push_back(
        covey_openssl_public_key(key.algorithm, key.raw.data(), key.raw.size()));
  }
  if (!options_.root_file.empty()) {
    Result<std::string> root = read_file(options_.root_file, COVEY_SIGNED_ROOT_BYTES_MAX);
    if (!root) return root.error();
    environment_.root = *std::move(root);
  }
  const bool claim = !options_.claim.empty();
  if (claim) environment_.enroll_user = options_.claim;
  Result<std::string> token =
      read_line(claim ? options_.claim_password_file : options_.enroll_token_file);
  if (!token) return token.error();
  environment_.enroll_token = *std::move(token);
  const Result<std::string> batch = read_line(options_.claim_secret_file);
  if (!batch) return batch.error();
  if (!batch->empty()) {
    const Result<Digest> secret = parse_digest(*batch);
    if (!secret) return invalid("CLAIM_SECRET", options_.claim_secret_file + ": 64 hex digits");
    environment_.claim_secret.assign(secret->bytes.begin(), secret->bytes.end());
  }
  if (!options_.manufacturer_file.empty()) {
    Result<std::unique_ptr<Manufacturer>> maker = Manufacturer::load(options_.manufacturer_file);
    if (!maker) return maker.error();
    environment_.manufacturer = *std::move(maker);
  }
  if (!options_.scenario_file.empty()) {
    const Result<std::string> yaml = read_file(options_.scenario_file, size_t{1} << 20);
    if (!yaml) return yaml.error();
    Result<std::vector<Step>> steps = parse_scenario(*yaml);
    if (!steps) return steps.error();
    scenario_ = *std::move(steps);
  }
  return {};
}

Status Simulator::build_fleet() {
  Result<std::vector<DeviceSpec>> fleet = assign_fleet(options_.fleet);
  if (!fleet) return fleet.error();
  fleet_ = *std::move(fleet);
  Status raised = raise_descriptor_limit(fleet_.size());
  if (!raised) return raised;
  Result<StateDirectory> state =
      StateDirectory::open(options_.state_dir, to_json(fleet_, options_.fleet.seed));
  if (!state) return state.error();
  state_ = *std::move(state);
  Result<Truth> truth = Truth::open(options_.truth_file);
  if (!truth) return truth.error();
  truth_ = *std::move(truth);
  if (options_.connect_jitter.count() == 0) {
    options_.connect_jitter = Millis(kJitterMsPerDevice * static_cast<int64_t>(fleet_.size()));
  }
  environment_.send_buffer.resize(COVEY_SEND_BYTES_MIN);
  environment_.sabotage = options_.sabotage;
  environment_.fail = [this](const Error& error) { fail(error); };
  for (const DeviceSpec& spec : fleet_) {
    Result<std::unique_ptr<Device>> device = Device::build(environment_, spec, state_.devices());
    if (!device) return device.error();
    devices_.push_back(*std::move(device));
  }
  return {};
}

Status Simulator::load_trust() {
  if (options_.tls_ca_file.empty()) return {};
  auto trust = TlsTrust::load(options_.tls_ca_file,
                              options_.tls_name.empty() ? options_.broker.host : options_.tls_name);
  if (!trust) return trust.error();
  environment_.trust = *std::move(trust);
  return {};
}

Status Simulator::listen() {
  if (options_.control_path.empty()) return {};
  Result<std::unique_ptr<ControlServer>> control = ControlServer::listen(
      io_, options_.control_path, [this](const Json& request, ControlServer::Reply reply) {
        command(request, std::move(reply));
      });
  if (!control) return control.error();
  control_ = *std::move(control);
  return {};
}

Status Simulator::start() {
  Status done = read_inputs();
  if (done.ok()) done = resolve(options_.broker, &environment_.broker);
  if (done.ok()) done = resolve(options_.enroll_broker, &environment_.enroll_broker);
  if (done.ok()) done = resolve(options_.certificate_broker, &environment_.certificate_broker);
  if (done.ok()) done = load_trust();
  if (done.ok()) done = build_fleet();
  if (!done) return done;
  const int64_t jitter = std::max<int64_t>(options_.connect_jitter.count(), 1);
  for (const std::unique_ptr<Device>& device : devices_) {
    const auto wait =
        milliseconds(static_cast<int64_t>(random_.below(static_cast<uint64_t>(jitter))));
    done = device->power_on(COVEY_START_POWER_ON, wait);
    if (!done) return done;
  }
  done = listen();
  if (!done) return done;
  started_ = Clock::now();
  progress_at_ = started_ + kProgressEvery;
  const FaultOptions& rates = options_.faults;
  faults_ = {{rates.disconnects_per_hour, &Device::disconnect},
             {rates.reboots_per_hour, &Device::reboot},
             {rates.power_cuts_per_hour, &Device::plan_power_cut}};
  for (Fault& fault : faults_) draw(fault, started_);
  boost::system::error_code ignored;
  signals_.add(SIGINT, ignored);
  signals_.add(SIGTERM, ignored);
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) shut_down();
  });
  tick();
  return {};
}

int Simulator::run() {
  io_.run();
  const Status flushed = truth_.flush();
  if (!flushed) fail(flushed.error());
  return exit_code_;
}

void Simulator::fail(const Error& error) {
  if (exit_code_ != 0) return;
  fmt::print(stderr, "covey-sim: {}: {}\n", error.reason, error.message);
  exit_code_ = 1;
  shut_down();
}

void Simulator::shut_down() {
  if (ended_) return;
  ended_ = true;
  // Later, because a device may be in the middle of a call.
  asio::post(io_, [this] {
    for (const std::unique_ptr<Device>& device : devices_) device->shut_down();
    if (quiesce_reply_) {
      quiesce_reply_(precondition("SHUTTING_DOWN", "covey-sim ends"));
      quiesce_reply_ = nullptr;
    }
    control_.reset();
    ticker_.cancel();
    quiesce_timer_.cancel();
    signals_.cancel();
    // A last reply may still have to be written.
    quiesce_timer_.expires_after(kTick);
    quiesce_timer_.async_wait([this](const boost::system::error_code&) { io_.stop(); });
  });
}

void Simulator::draw(Fault& fault, Clock::time_point now) {
  if (fault.per_device_hour <= 0) return;
  const double mean_ms =
      3'600'000.0 / (fault.per_device_hour * static_cast<double>(devices_.size()));
  fault.next = now + milliseconds(1 + static_cast<int64_t>(random_.exponential(mean_ms)));
}

void Simulator::play_faults(Clock::time_point now) {
  for (Fault& fault : faults_) {
    while (now >= fault.next) {
      Device& device = *devices_[random_.below(devices_.size())];
      (device.*fault.strike)();
      draw(fault, fault.next);
    }
  }
}

void Simulator::tick() {
  const Clock::time_point now = Clock::now();
  while (scenario_next_ < scenario_.size() && now - started_ >= scenario_[scenario_next_].at) {
    const size_t matched = apply(scenario_[scenario_next_]);
    if (!options_.quiet) {
      fmt::print(stderr, "covey-sim: scenario step {} applied to {} devices\n", scenario_next_,
                 matched);
    }
    scenario_next_++;
  }
  play_faults(now);
  report_progress(now);
  ticker_.expires_after(kTick);
  ticker_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !ended_) tick();
  });
}

size_t Simulator::apply(const Step& step) {
  size_t matched = 0;
  for (const std::unique_ptr<Device>& device : devices_) {
    if (!step.devices.matches(device->spec())) continue;
    device->apply(step.action);
    matched++;
  }
  return matched;
}

void Simulator::report_progress(Clock::time_point now) {
  if (options_.quiet || now < progress_at_) return;
  progress_at_ = now + kProgressEvery;
  const Json s = status();
  fmt::print(stderr,
             "covey-sim: {} devices, {} enrolled, {} online, {} offline, {} with a model, {} "
             "inferences\n",
             s["devices"].dump(), s["enrolled"].dump(), s["online"].dump(), s["offline"].dump(),
             s["with_model"].dump(), s["inferences"].dump());
  const std::string& why = environment_.counters.last_connect_error;
  if (s["online"] == 0 && !why.empty()) {
    fmt::print(stderr, "covey-sim: nobody is online; the last connection: {}\n", why);
  }
}

}  // namespace covey::simulator
