// SPDX-License-Identifier: Apache-2.0
// Keeps a site's server certificate in its time: looks every `interval`, tells whoever shows it
// that there is a new one, and logs what cannot be done. Own thread; made and stopped on one other,
// state() on any.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "core/time.hpp"
#include "gateway/adapters/tls/site_identity.hpp"

namespace covey::tls {

class Renewal {
 public:
  struct Options {
    std::function<Millis()> wall;   // since 1970
    std::function<void()> renewed;  // there is a new certificate; on the thread of this
    Millis interval{10'000};
    Millis warn_before{24h * 21};  // of its end: something does not renew it
  };
  struct State {
    CertificateFacts server;
    std::string failure;  // why the last look failed; empty: it did not
    uint64_t renewals = 0;
  };

  Renewal(SiteIdentity identity, Options options);
  ~Renewal() { stop(); }
  Renewal(const Renewal&) = delete;
  Renewal& operator=(const Renewal&) = delete;

  void start();
  void stop();
  State state() const;

 private:
  void run();
  void look();
  void warn_of_end(Millis now);

  SiteIdentity identity_;  // the thread's
  const Options options_;
  Millis warned_{0};  // the thread's: when its end was last said
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  State state_;            // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;     // last: it uses the others
};

}  // namespace covey::tls
