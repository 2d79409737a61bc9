// SPDX-License-Identifier: Apache-2.0
// The life of the embedded broker: crashes on either side, orphans, hangs, bad circumstances.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "gateway/adapters/broker/broker.hpp"
#include "gateway/adapters/broker/mqtt_probe.hpp"
#include "gateway/adapters/broker/pidfd.hpp"
#include "gateway/adapters/broker/sockets.hpp"
#include "tests/integration/broker/temporary_folder.hpp"

namespace covey::broker {
namespace {

// Polls a condition that some process brings about; the limit is patience, not timing.
bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < until) {
    if (condition()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return condition();
}

bool ended(const Descriptor& process) {
  pollfd entry{process.get(), POLLIN, 0};
  return ::poll(&entry, 1, 20'000) == 1;
}

class BrokerLife : public ::testing::Test {
 protected:
  BrokerOptions options() const {
    BrokerOptions options;
    options.data_dir = folder_.path();
    options.backoff_min = 10ms;
    return options;
  }
  static bool answers(const BrokerEndpoints& at) {
    return probe_mqtt({at.host, at.service_port, at.username, at.password}, 2s).ok();
  }
  testing::TemporaryFolder folder_;
};

TEST_F(BrokerLife, AKilledBrokerComesBackOnItsPorts) {
  EmbeddedBroker broker(options());
  const Result<BrokerEndpoints> at = broker.start();
  ASSERT_TRUE(at.ok()) << at.error().message;
  const pid_t first = broker.state().pid;
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  ASSERT_TRUE(eventually([&] {
    const BrokerState state = broker.state();
    return state.restarts == 1 && state.ready();
  })) << broker.state().reason;
  EXPECT_NE(broker.state().pid, first);
  EXPECT_TRUE(answers(*at));
}

TEST_F(BrokerLife, CredentialsGivenWhileItIsDownAreInForceWhenItIsBack) {
  BrokerOptions slow = options();
  slow.backoff_min = 300ms;
  EmbeddedBroker broker(slow);
  const Result<BrokerEndpoints> at = broker.start();
  ASSERT_TRUE(at.ok()) << at.error().message;
  ASSERT_EQ(::kill(broker.state().pid, SIGKILL), 0);
  ASSERT_TRUE(eventually([&] { return !broker.state().ready(); }));
  broker.set_credential(DeviceId("d1"), "pw");
  ASSERT_TRUE(broker.flush(20s));
  ASSERT_TRUE(eventually([&] { return broker.state().ready(); }));
  EXPECT_TRUE(eventually([&] {
    return probe_mqtt({"127.0.0.1", at->device_port, "d1", "pw"}, 2s).ok();
  }));
}

TEST_F(BrokerLife, AHungBrokerIsReplaced) {
  BrokerOptions quick = options();
  quick.probe_interval = 20ms;
  quick.probe_timeout = 100ms;
  EmbeddedBroker broker(quick);
  ASSERT_TRUE(broker.start().ok());
  ASSERT_EQ(::kill(broker.state().pid, SIGSTOP), 0);
  EXPECT_TRUE(eventually([&] {
    const BrokerState state = broker.state();
    return state.restarts >= 1 && state.ready();
  }));
}

TEST_F(BrokerLife, TheBrokerDiesWithItsSupervisor) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t supervisor = ::fork();
  ASSERT_GE(supervisor, 0);
  if (supervisor == 0) {
    EmbeddedBroker broker(options());
    const bool ready = broker.start().ok();
    const pid_t pid = ready ? broker.state().pid : -1;
    if (::write(ends[1], &pid, sizeof pid) != sizeof pid) ::_exit(1);
    for (;;) ::pause();
  }
  const Descriptor read_end(ends[0]);
  ::close(ends[1]);
  pid_t pid = -1;
  ASSERT_EQ(::read(read_end.get(), &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  ASSERT_GT(pid, 0);
  const Descriptor process(::pidfd_open(pid, 0));
  ASSERT_GE(process.get(), 0);
  ASSERT_EQ(::kill(supervisor, SIGKILL), 0);
  ASSERT_EQ(::waitpid(supervisor, nullptr, 0), supervisor);
  EXPECT_TRUE(ended(process));
}

TEST_F(BrokerLife, AnOrphanIsEndedAtTheNextStart) {
  {
    EmbeddedBroker broker(options());
    ASSERT_TRUE(broker.start().ok());
    broker.stop(5s);
  }
  const std::string configuration = folder_.path() + "/broker/mosquitto.conf";
  const pid_t orphan = ::fork();
  ASSERT_GE(orphan, 0);
  if (orphan == 0) {
    const int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, STDERR_FILENO);
    ::execlp("/usr/sbin/mosquitto", "mosquitto", "-c", configuration.c_str(), nullptr);
    ::_exit(127);
  }
  // Recognisable once its command line is the broker's.
  ASSERT_TRUE(eventually([&] {
    std::ifstream file("/proc/" + std::to_string(orphan) + "/cmdline");
    std::string line;
    std::getline(file, line);
    return line.find("mosquitto.conf") != std::string::npos;
  }));
  EmbeddedBroker broker(options());
  const Result<BrokerEndpoints> at = broker.start();
  int status = 0;
  EXPECT_EQ(::waitpid(orphan, &status, 0), orphan);
  EXPECT_TRUE(WIFSIGNALED(status));
  ASSERT_TRUE(at.ok()) << at.error().message;
  EXPECT_EQ(broker.state().orphans_ended, 1u);
  EXPECT_TRUE(answers(*at));
}

TEST_F(BrokerLife, StopIsBoundedEvenWhenTheBrokerHangs) {
  EmbeddedBroker broker(options());
  ASSERT_TRUE(broker.start().ok());
  const pid_t pid = broker.state().pid;
  const Descriptor process(::pidfd_open(pid, 0));
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  broker.stop(100ms);
  EXPECT_TRUE(ended(process));
  EXPECT_EQ(broker.state().phase, BrokerPhase::kStopped);
}

TEST_F(BrokerLife, ErrorsSayWhatToDo) {
  BrokerOptions missing = options();
  missing.binary = "no-such-broker";
  EXPECT_EQ(EmbeddedBroker(missing).start().error().reason, "BROKER_BINARY");

  BrokerOptions wrong = options();
  wrong.binary = "/bin/false";
  const Result<BrokerEndpoints> failed = EmbeddedBroker(wrong).start();
  EXPECT_EQ(failed.error().reason, "BROKER_NOT_READY");
  EXPECT_NE(failed.error().message.find("exit code 1"), std::string::npos);

  ReservedPort taken = reserve_port("127.0.0.1", 0);
  ASSERT_EQ(::listen(taken.fd.get(), 1), 0);
  BrokerOptions busy = options();
  busy.device_port = taken.port;
  const Result<BrokerEndpoints> refused = EmbeddedBroker(busy).start();
  EXPECT_EQ(refused.error().reason, "BROKER_NOT_READY");
  EXPECT_NE(refused.error().message.find("mqtt.embedded.port"), std::string::npos);

  std::ofstream(folder_.path() + "/enroll.token") << "short\n";
  EXPECT_EQ(EmbeddedBroker(options()).start().error().reason, "BROKER_FILES");
}

TEST_F(BrokerLife, TheEnrolmentTokenSurvivesRestarts) {
  const auto token = [&] {
    EmbeddedBroker broker(options());
    const Result<BrokerEndpoints> at = broker.start();
    std::string text;
    if (at.ok()) std::ifstream(at->enroll_token_file) >> text;
    return text;
  };
  const std::string first = token();
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(token(), first);
}

TEST_F(BrokerLife, MoreConnectionsThanDescriptorsAreANote) {
  BrokerOptions many = options();
  many.max_connections = 1'000'000;
  EmbeddedBroker broker(many);
  ASSERT_TRUE(broker.start().ok());
  ASSERT_EQ(broker.state().notes.size(), 1u);
  EXPECT_NE(broker.state().notes[0].find("file descriptors"), std::string::npos);
}

}  // namespace
}  // namespace covey::broker
