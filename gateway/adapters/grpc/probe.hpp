// SPDX-License-Identifier: Apache-2.0
// Asks our own server whether it still takes connections: gRPC does not recover from running out of
// descriptors. Over the Unix socket where there is one: strangers on TCP do not make a site
// unready. Own thread; the functions from any.
#pragma once

#include <grpcpp/client_context.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "core/time.hpp"

namespace covey::api {

// "ipv4:127.0.0.1:7070", as gRPC has it.
std::string tcp_target(const std::string& host, int port);

class Probe {
 public:
  // Asks at once, then every `interval`; an answer may take `timeout`.
  Probe(std::string target, bool tls, Millis interval, Millis timeout);
  ~Probe() { stop(); }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  // One thread; asks nothing any more.
  void stop();
  // Why the last question was not answered; empty: it was, or the first is still on its way.
  std::string failure() const;

 private:
  void run();
  std::string ask();

  const std::string target_;
  const bool tls_;
  const Millis interval_;
  const Millis timeout_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable wake_;
  bool stopping_ = false;
  grpc::ClientContext* asking_ = nullptr;
  std::string failure_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace covey::api
