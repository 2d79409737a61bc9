// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/session.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace covey::api {
namespace {

size_t index_of(Via via) { return via == Via::kUnixSocket ? 1 : 0; }

}  // namespace

std::shared_ptr<const void> Session::begin_question(const std::shared_ptr<Session>& session,
                                                    Via via) {
  if (via == Via::kUnixSocket) return session;
  if (session->questions_over_tcp_.fetch_add(1) >= session->options.questions_over_tcp_max) {
    session->questions_over_tcp_.fetch_sub(1);
    return nullptr;
  }
  return {session.get(), [session](const Session*) { session->questions_over_tcp_.fetch_sub(1); }};
}

Result<Caller> Session::admit(const PeerPtr& peer, const grpc::CallbackServerContext& call,
                              const access::Rule& rule) const {
  if (!peer) return connection_gone();
  std::vector<std::string_view> authorization;
  const auto [first, last] = call.client_metadata().equal_range("authorization");
  for (auto field = first; field != last; ++field) {
    authorization.emplace_back(field->second.data(), field->second.size());
  }
  return access->admit(peer->caller, authorization, rule);
}

bool Session::begin_upload(Via via) {
  const std::lock_guard lock(mutex_);
  const int all = uploads_[0] + uploads_[1];
  if (all >= kUploadsMax) return false;
  if (via != Via::kUnixSocket && uploads_[index_of(via)] >= kUploadsOverTcpMax) return false;
  ++uploads_[index_of(via)];
  return true;
}

void Session::end_upload(Via via) {
  const std::lock_guard lock(mutex_);
  --uploads_[index_of(via)];
}

uint64_t Session::on_shutdown(std::function<void()> end) {
  {
    const std::lock_guard lock(mutex_);
    if (!down_) {
      ends_.emplace(next_, std::move(end));
      return next_++;
    }
  }
  end();
  return 0;
}

void Session::forget(uint64_t id) {
  const std::lock_guard lock(mutex_);
  ends_.erase(id);
}

void Session::shut_down() {
  std::map<uint64_t, std::function<void()>> ends;
  {
    const std::lock_guard lock(mutex_);
    down_ = true;
    ends.swap(ends_);
  }
  for (const auto& [id, end] : ends) end();
}

bool Session::wait_for_calls(Millis longest) {
  std::unique_lock lock(mutex_);
  return ended_.wait_for(lock, longest, [this] { return calls_ == 0; });
}

InFlight::InFlight(std::shared_ptr<Session> session, PeerPtr peer)
    : session_(std::move(session)), peer_(std::move(peer)) {
  const std::lock_guard lock(session_->mutex_);
  ++session_->calls_;
}

Status InFlight::hold(size_t bytes) {
  if (bytes > kAnswerBytesMax) {
    return Error{
        Code::kResourceExhausted, "ANSWER_TOO_LARGE",
        fmt::format("the answer has {} bytes, at most {} are sent: ask for a smaller page, "
                    "or for less with a filter",
                    bytes, kAnswerBytesMax)};
  }
  if (!peer_) return connection_gone();
  std::atomic<uint64_t>& all = session_->unread_bytes_[index_of(peer_->caller.via)];
  const uint64_t mine = peer_->unread_bytes.fetch_add(bytes) + bytes;
  const uint64_t together = all.fetch_add(bytes) + bytes;
  held_ = bytes;
  if (mine <= kUnreadPerCallerMax && together <= kUnreadBytesMax) return {};
  taken();
  return Error{
      Code::kResourceExhausted, "ANSWERS_UNREAD",
      fmt::format("{} bytes of earlier answers have not been read yet, at most {} wait for "
                  "one connection and {} for all: read them, then ask again",
                  mine - bytes, kUnreadPerCallerMax, kUnreadBytesMax)};
}

void InFlight::taken() {
  const uint64_t bytes = held_.exchange(0);
  if (bytes == 0) return;
  session_->unread_bytes_[index_of(peer_->caller.via)].fetch_sub(bytes);
  peer_->unread_bytes.fetch_sub(bytes);
  peer_->taken_bytes.fetch_add(bytes);
}

void InFlight::end() {
  if (!session_) return;
  taken();
  const std::shared_ptr<Session> session = std::exchange(session_, nullptr);
  const std::lock_guard lock(session->mutex_);
  if (--session->calls_ == 0) session->ended_.notify_all();
}

grpc::Status to_grpc(const Status& status, grpc::CallbackServerContext& context) {
  if (status) return grpc::Status::OK;
  const Error& error = status.error();
  context.AddTrailingMetadata("covey-reason", error.reason);
  // Messages may quote what was sent, and gRPC's status text must be valid UTF-8.
  std::string message;
  for (const char c : error.message) {
    const bool plain = c == '\n' || c == '\t' || (c >= ' ' && c <= '~');
    message += plain ? c : '?';
  }
  return {static_cast<grpc::StatusCode>(error.code), message};
}

}  // namespace covey::api
