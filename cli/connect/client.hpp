// SPDX-License-Identifier: Apache-2.0
// The API as the commands use it: blocking calls with a deadline, errors as Covey's own. The only
// file pair of the CLI that knows gRPC. One thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/connect/credentials.hpp"
#include "core/digest.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "covey/v1/models.pb.h"
#include "covey/v1/rollouts.pb.h"

namespace google::protobuf {
class Message;
}

namespace covey::cli {

class Client {
 public:
  // "unix:/path", "/path" or "host:port". Connects at the first call. A token goes to nobody over a
  // network without TLS (TOKEN_IN_CLEAR).
  Client(const std::string& address, Millis timeout, const Credentials& credentials = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The method is the one of the request's file that takes this request.
  Status call(const google::protobuf::Message& request, google::protobuf::Message& response);
  template <typename Response>
  Result<Response> call(const google::protobuf::Message& request) {
    Response response;
    if (Status done = call(request, response); !done) return done.error();
    return response;
  }

  // Calls `seen` with each state; ends when the rollout has, when `seen` returns false, or after
  // `longest` (DEADLINE_EXCEEDED; 0: no end). A connection that breaks is taken up again after the
  // last revision seen, however long that takes; `connection` hears when it breaks (false) and when
  // it is back (true).
  Status watch_rollout(
      const std::string& name, Millis longest, const std::function<bool(const v1::Rollout&)>& seen,
      const std::function<void(bool up)>& connection = [](bool) {});

  Result<v1::CreateReleaseResponse> create_release(
      const v1::ReleaseHeader& header, const std::vector<Bytes>& images,
      const std::function<void(uint64_t sent, uint64_t total)>& progress);

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace covey::cli
