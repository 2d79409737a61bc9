// SPDX-License-Identifier: Apache-2.0
// Supervises the embedded mosquitto of a site: writes its configuration into DATA/broker, starts
// it, proves readiness by a real MQTT connect, restarts it with back-off, ends it in bounded time.
//
// Listeners, those of devices on loopback or with TLS 1.2 or 1.3, each with its own users and
// access list (per_listener_settings):
// * device: user = device id = client id; writes covey/v1/{00 to 3f}/{id}/up/{hello, status,
//   report, fetch, bye} and reads covey/v1/+/{id}/down/+, covey/v1/site and covey/v1/m/+.
// * enrolment: user `enroll`, password DATA/enroll.token, client id = device id; writes
//   covey/v1/enroll/{id}/up and reads covey/v1/enroll/{id}/down. Users of claims: the same at
//   covey/v1/c/{user}/{id}.
// * certificate, where devices speak TLS: the same rights as `device`, for whoever shows a
//   certificate of `device_ca_file` that is not revoked; its name (CN) is user and client id.
// * service: the gateway alone, with a password of this start; covey/#. A port of its own, so that
// devices can neither use up its connections nor take over its session.
//
// What devices have it keep (mosquitto has no right for the retain flag) is deleted at each probe.
//
// The broker dies with coveyd: PR_SET_PDEATHSIG, which follows the *thread* that forked, so one
// thread of this class forks and lives until stop(). What survives even so (a coveyd killed between
// fork and prctl) is found at the next start by its command line in /proc, and ended: the data
// directory is locked by coveyd, so a mosquitto with our configuration path can only be an orphan.
//
// Thread safety: every method from any thread. `happened` is called on the supervisor's thread; it
// must not block.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/id.hpp"
#include "core/result.hpp"
#include "core/time.hpp"

namespace covey::broker {

// Something that an operator wants to find in the log. `said` is what the broker printed last.
struct BrokerNews {
  enum class Kind : uint8_t { kEnded, kBack, kNote } kind = Kind::kNote;
  std::string text;
  std::string said;
};

struct BrokerOptions {
  std::string data_dir;
  std::string binary = "mosquitto";  // a path, or a name: PATH, /usr/sbin, /usr/local/sbin
  std::string listen = "127.0.0.1";  // of the listeners for devices; the gateway's is on loopback
  std::string certificate_file;  // key and certificates (PEM): they speak TLS; empty: they don't
  uint16_t device_port = 0;      // 0: a free one
  uint16_t enroll_port = 0;
  uint16_t certificate_port = 0;
  std::string device_ca_file;  // PEM: who issues certificates of devices; empty: no such listener
  std::string revocations;     // PEM: of that authority, a list that may be empty
  std::string enroll_token_file;  // empty: DATA/enroll.token, which is made
  uint32_t max_connections = 20'000;
  uint32_t max_packet_bytes = 65'536;
  uint32_t max_queued_messages = 20'000;
  uint64_t max_queued_bytes = 64ULL << 20;
  uint64_t memory_limit_bytes = 1ULL << 30;
  Millis ready_timeout{10s};  // for one start, from fork to a real CONNACK
  Millis backoff_min{200};
  Millis backoff_max{10s};
  Millis probe_interval{5s};  // of a ready broker; five failures in a row: killed, restarted
  Millis probe_timeout{2s};
  Millis credentials_delay{20};  // changes within this span are one write and one SIGHUP
  std::function<void(const BrokerNews&)> happened;  // empty: nobody wants to know
};

struct BrokerEndpoints {
  std::string host;                        // of devices
  std::string service_host = "127.0.0.1";  // of the gateway, wherever devices connect
  uint16_t device_port = 0;
  uint16_t enroll_port = 0;
  uint16_t certificate_port = 0;  // 0: there is none
  uint16_t service_port = 0;
  std::string username;
  std::string password;  // new at every start of coveyd, the same over broker restarts
  std::string enroll_token_file;
};

enum class BrokerPhase : uint8_t { kStopped, kStarting, kReady, kBackingOff, kStopping };
std::string_view to_string(BrokerPhase phase);

struct BrokerState {
  BrokerPhase phase = BrokerPhase::kStopped;
  pid_t pid = 0;
  uint32_t restarts = 0;
  uint32_t orphans_ended = 0;
  std::string reason;              // why it is not ready, for /readyz
  std::vector<std::string> notes;  // e.g. too few file descriptors for max_connections
  std::string log_tail;            // last lines of the broker's own log

  uint64_t retained_deleted = 0;  // messages that devices had it keep
  uint64_t resident_bytes = 0;    // of its memory, now; 0: it does not run
  uint64_t credentials = 0;       // passwords that it was given

  bool ready() const { return phase == BrokerPhase::kReady; }
};

class EmbeddedBroker {
 public:
  explicit EmbeddedBroker(BrokerOptions options);
  ~EmbeddedBroker();  // stop(2s) if needed
  EmbeddedBroker(const EmbeddedBroker&) = delete;
  EmbeddedBroker& operator=(const EmbeddedBroker&) = delete;

  // Writes the files, ends an orphan, forks, waits until ready. Errors: BROKER_BINARY,
  // BROKER_FILES, BROKER_NOT_READY (with the broker's own words), BROKER_ORPHAN.
  Result<BrokerEndpoints> start();
  // SIGTERM, then SIGKILL after `deadline`.
  void stop(Millis deadline);

  BrokerState state() const;

  // Passwords of devices: add or change one; remove one (which disconnects it).
  // Written and signalled in the background, batched; flush() waits until the broker was told of
  // everything so far (false: time ran out). Before start() they go into the first password file.
  void set_credential(const DeviceId& device, std::string password);
  void remove_credential(const DeviceId& device);
  // Whoever may ask on the enrolment listener beside `enroll`; "": no more.
  void set_claim(const ClaimName& claim, const std::string& password);
  bool flush(Millis timeout);
  // The certificates that nobody may come in with. Whoever is in with one is thrown out by
  // remove_credential().
  void set_revocations(std::string list);
  // The certificate's file has changed: connections that are there stay, new ones get the new one.
  void certificate_changed();

 private:
  class Supervisor;
  std::unique_ptr<Supervisor> supervisor_;
};

// Errors: BROKER_BINARY, saying how to install it.
Status check_binary(const std::string& name);

// mosquitto's "$7$iterations$salt$hash" (PBKDF2-HMAC-SHA-512). One iteration: our passwords have
// 128 random bits, which stretching cannot improve, and the broker's only thread hashes again at
// every connect and, for *all* connected clients, at every SIGHUP.
std::string hash_password(std::string_view password);
// 32 hex digits from the system's random source.
std::string random_password();

}  // namespace covey::broker
