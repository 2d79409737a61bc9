// SPDX-License-Identifier: Apache-2.0
// One unary call between gRPC and the engine, without a gRPC type: handlers know these only. A Call
// owns its request and its answer, because the engine may complete it after the client has gone.
// Threading: a Call is used by one thread at a time (gRPC's, then the runtime's); finish() once.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "core/result.hpp"
#include "deploy/signing/keys.hpp"
#include "gateway/access/access.hpp"
#include "gateway/api/make_secret.hpp"
#include "gateway/api/tls_facts.hpp"
#include "gateway/runtime/engine_port.hpp"

namespace covey::api {

using access::Caller;
using access::Role;
using access::Via;

// What all calls share. Immutable; outlives the server with the calls that hold it.
struct Context {
  runtime::EnginePort& engine;
  std::string site;
  std::string version;
  std::string start_id;
  std::chrono::steady_clock::time_point started;
  TlsFacts tls;
  std::shared_ptr<const PrivateKey> audit_key;  // null: no head can be signed
  std::shared_ptr<access::Access> access;
  MakeSecret make_secret;  // null: the site's secret can't be rotated
};
using ContextPtr = std::shared_ptr<const Context>;

// Whether somebody still waits for an answer: what nobody waits for is not computed. Any thread.
class Interest {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  explicit Interest(Deadline deadline = Deadline::max()) : deadline_(deadline) {}
  void lose() { lost_ = true; }
  bool over() const { return lost_ || std::chrono::steady_clock::now() >= deadline_; }

 private:
  const Deadline deadline_;
  std::atomic<bool> lost_{false};
};
using InterestPtr = std::shared_ptr<Interest>;
// Null: somebody always waits.
inline runtime::EnginePort::Wanted wanted_by(InterestPtr interest) {
  if (!interest) return nullptr;
  return [interest = std::move(interest)] { return !interest->over(); };
}

template <typename Req, typename Resp>
struct Call {
  using Request = Req;
  using Response = Resp;

  ContextPtr context;
  Req request;
  Resp response;
  Caller caller;
  InterestPtr interest;  // null: somebody always waits
  std::function<void(Status)> finish;

  runtime::EnginePort::Wanted wanted() const { return wanted_by(interest); }
};
template <typename Req, typename Resp>
using CallPtr = std::shared_ptr<Call<Req, Resp>>;

using runtime::engine_busy;

// Answers from the state: `look(engine, call)` fills the response on the engine thread.
template <typename C, typename Look>
void answer(std::shared_ptr<C> call, Look look) {
  const auto status = std::make_shared<Status>();
  call->context->engine.read(
      [call, status, look = std::move(look)](const engine::Engine& engine) {
        *status = look(engine, *call);
      },
      [call, status](const Status& looked) { call->finish(looked ? *status : looked); },
      call->wanted());
}

// Looks in parts: `some(engine, call)` sees one on the engine thread, some milliseconds at most,
// and says whether it was the last one, or what is wrong. The state may change between two.
// `done(call)` then goes on, on the runtime's thread, where nothing was wrong.
template <typename C, typename Some, typename Done>
void look_by_parts(std::shared_ptr<C> call, Some some, Done done) {
  const auto wrong = std::make_shared<Status>();
  call->context->engine.walk(
      [call, wrong, some = std::move(some)](const engine::Engine& engine) mutable {
        const Result<bool> whole = some(engine, *call);
        if (!whole) *wrong = whole.error();
        return !whole || *whole;
      },
      [call, wrong, done = std::move(done)](const Status& looked) {
        if (!looked || !*wrong) return call->finish(looked ? *wrong : looked);
        done(call);
      },
      call->wanted());
}

// Answers from the state where that takes long: each part fills some of the response.
template <typename C, typename Some>
void answer_by_parts(std::shared_ptr<C> call, Some some) {
  look_by_parts(std::move(call), std::move(some),
                [](const std::shared_ptr<C>& whole) { whole->finish({}); });
}

// For what takes long and needs neither the state nor the store: `work(call)` runs on the history's
// thread, which others wait for only with pages of history.
template <typename C, typename Work>
void finish_apart(const std::shared_ptr<C>& call, Work work) {
  call->context->engine.history([call, work = std::move(work)](Reader&) mutable { work(*call); },
                                [call](const Status& worked) { call->finish(worked); },
                                call->wanted());
}

// Answers from the store: `query(reader)` gives a Result<Rows> on the history's thread, then
// `show(rows, call)` fills the response, or, where it needs their words from the state,
// `show(engine, rows, call)` on the engine thread.
template <typename C, typename Query, typename Show>
void answer_from_history(std::shared_ptr<C> call, Query query, Show show) {
  using Rows = std::decay_t<decltype(*query(std::declval<Reader&>()))>;
  const auto found = std::make_shared<Result<Rows>>(Rows());
  call->context->engine.history(
      [found, query = std::move(query)](Reader& reader) { *found = query(reader); },
      [call, found, show = std::move(show)](const Status& asked) {
        if (!asked) return call->finish(asked);
        if (!*found) return call->finish(found->error());
        if constexpr (std::is_invocable_v<const Show&, const engine::Engine&, Rows&, C&>) {
          answer(call, [found, show](const engine::Engine& engine, C& c) -> Status {
            return show(engine, **found, c);
          });
        } else {
          show(**found, *call);
          call->finish({});
        }
      },
      call->wanted());
}

// The same where the rows take long to be put into words: `page(rows)` gives what answers by parts.
template <typename C, typename Query, typename Page>
void page_from_history(std::shared_ptr<C> call, Query query, Page page) {
  using Rows = std::decay_t<decltype(*query(std::declval<Reader&>()))>;
  const auto found = std::make_shared<Result<Rows>>(Rows());
  call->context->engine.history(
      [found, query = std::move(query)](Reader& reader) { *found = query(reader); },
      [call, found, page = std::move(page)](const Status& asked) {
        if (!asked) return call->finish(asked);
        if (!*found) return call->finish(found->error());
        answer_by_parts(call, page(std::move(**found)));
      },
      call->wanted());
}

// What the engine is asked on behalf of `caller`: the only way from the API to a command.
inline engine::CommandRequest request_of(const Caller& caller, engine::Command command,
                                         std::string etag = "") {
  return {.command = std::move(command),
          .actor = access::audit_name(caller),
          .etag = std::move(etag),
          .origin = {.known = std::string(to_string(caller.known)),
                     .from = caller.from,
                     .request_id = caller.request_id},
          .own_only = caller.role == Role::kCi};
}

// Runs a command; `show(engine, reply, call)` then fills the response from the new state.
template <typename C, typename Show>
void execute(std::shared_ptr<C> call, engine::Command command, std::string etag, Show show) {
  const ContextPtr context = call->context;
  context->engine.submit(
      request_of(call->caller, std::move(command), std::move(etag)),
      [call, show = std::move(show)](const Result<engine::CommandReply>& reply) mutable {
        if (!reply) return call->finish(reply.error());
        answer(
            std::move(call),
            [reply = *reply, show = std::move(show)](const engine::Engine& engine, C& c) -> Status {
              return show(engine, reply, c);
            });
      });
}

// The same where the reply says it all: `show(reply, response)`.
template <typename C, typename Show>
void execute_only(std::shared_ptr<C> call, engine::Command command, Show show,
                  std::string etag = "") {
  const ContextPtr context = call->context;
  context->engine.submit(request_of(call->caller, std::move(command), std::move(etag)),
                         [call, show = std::move(show)](const Result<engine::CommandReply>& reply) {
                           if (!reply) return call->finish(reply.error());
                           show(*reply, call->response);
                           call->finish({});
                         });
}

}  // namespace covey::api
