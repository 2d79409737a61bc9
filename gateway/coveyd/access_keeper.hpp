// SPDX-License-Identifier: Apache-2.0
// Keeps who is let in up to date: access.file and what it names are read again when they change,
// and so are the certificates of servers and of what vouches for callers; what lasts ends when the
// time of its caller is over. Own thread; made, started and stopped on one other. Errors:
// ACCESS_FILE.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "gateway/access/access.hpp"
#include "gateway/adapters/tls/server_contexts.hpp"
#include "gateway/runtime/engine_port.hpp"

namespace covey {

class AccessKeeper {
 public:
  struct Options {
    std::string file;                          // access.file; empty: none
    std::shared_ptr<tls::ServerContexts> tls;  // null: no server speaks TLS
    Millis interval{1'000};
    Millis note_interval{60'000};
  };
  AccessKeeper(access::Access& access, Options options);
  ~AccessKeeper() { stop(); }
  AccessKeeper(const AccessKeeper&) = delete;
  AccessKeeper& operator=(const AccessKeeper&) = delete;

  // Reads everything once: what is wrong is an error here, and later leaves what was.
  Status read() { return read_rules(); }
  // Tells `engine`, which outlives this, now and then which tokens were used.
  void start(runtime::EnginePort& engine);
  void stop();

 private:
  void run();
  void note_uses();
  Status read_rules();
  void say_once(std::string& said, const Status& status, const char* event);

  std::string content_now(const std::string& yaml) const;

  access::Access& access_;
  const Options options_;
  runtime::EnginePort* engine_ = nullptr;
  // The thread's.
  std::vector<std::string> named_;       // by access.file
  std::string taken_;                    // what it and these had
  std::map<std::string, Millis> noted_;  // uses of tokens
  Millis since_noted_{0};
  std::string rules_failure_;
  std::string tls_failure_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;     // last: it uses the others
};

}  // namespace covey
