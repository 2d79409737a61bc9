// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/router.hpp"

#include <array>
#include <utility>
#include <variant>

namespace covey::runtime {
namespace {

// No generic case: a new effect must say where it goes.
struct DestinationOf {
  using D = Destination;
  D operator()(const engine::PublishSite&) const { return D::kDevices; }
  D operator()(const engine::PublishGoal&) const { return D::kDevices; }
  D operator()(const engine::PublishAck&) const { return D::kDevices; }
  D operator()(const engine::PublishBlob&) const { return D::kDevices; }
  D operator()(const engine::PublishRoot&) const { return D::kDevices; }
  D operator()(const engine::PublishChunks&) const { return D::kDevices; }
  D operator()(const engine::PublishGrant&) const { return D::kDevices; }
  D operator()(const engine::PublishCertificate&) const { return D::kDevices; }
  D operator()(const engine::RevokeCertificates&) const { return D::kBroker; }
  D operator()(const engine::SetClaim&) const { return D::kBroker; }
  D operator()(const engine::TrustAuthorities&) const { return D::kDevices; }
  D operator()(const engine::ClearGoal&) const { return D::kDevices; }
  D operator()(const engine::SetCredential&) const { return D::kBroker; }
  D operator()(const engine::Reply&) const { return D::kCaller; }
  D operator()(const engine::LogLine&) const { return D::kLog; }
  D operator()(const engine::JudgeWindow&) const { return D::kJudge; }
};

}  // namespace

Destination destination_of(const engine::Effect& effect) {
  return std::visit(DestinationOf{}, effect);
}

Router::Router(Sinks sinks, size_t outbox_max, std::function<void(engine::WindowVerdict)> judged)
    : sinks_(std::move(sinks)),
      outbox_max_(outbox_max),
      judged_(std::move(judged)),
      outbox_lane_("covey-outbox", 1),
      judge_lane_("covey-judge", 1) {}

uint64_t Router::expect(Done done) {
  waits_.emplace(++ticket_, std::move(done));
  return ticket_;
}

void Router::route(std::vector<engine::Effect> effects) {
  std::vector<engine::Effect> out;
  for (engine::Effect& effect : effects) {
    switch (destination_of(effect)) {
      case Destination::kCaller:
        answer(std::get<engine::Reply>(std::move(effect)));
        break;
      case Destination::kJudge:
        judge_soon(std::get<engine::JudgeWindow>(std::move(effect)).window);
        break;
      case Destination::kBroker:
      case Destination::kDevices:
      case Destination::kLog:
        out.push_back(std::move(effect));
        break;
    }
  }
  if (out.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    for (engine::Effect& effect : out) {
      if (outbox_.size() >= outbox_max_ && destination_of(effect) != Destination::kBroker) {
        ++dropped_;
      } else {
        outbox_.push_back(std::move(effect));
      }
    }
  }
  (void)outbox_lane_.post([this] { hand_over(); });
}

void Router::stop(Millis deadline, const Error& error) {
  outbox_lane_.stop(deadline);
  judge_lane_.stop(Millis{0});
  for (auto& [ticket, done] : std::exchange(waits_, {})) done(error);
}

void Router::answer(engine::Reply reply) {
  const auto found = waits_.find(reply.ticket);
  if (found == waits_.end()) return;
  const Done done = std::move(found->second);
  waits_.erase(found);
  done(std::move(reply.result));
}

// The engine asks one question at a time: a second one replaces what nobody waits for any more.
void Router::judge_soon(std::shared_ptr<const engine::WindowSnapshot> window) {
  {
    const std::lock_guard lock(mutex_);
    window_ = std::move(window);
  }
  (void)judge_lane_.post([this] {
    std::shared_ptr<const engine::WindowSnapshot> next;
    {
      const std::lock_guard lock(mutex_);
      next.swap(window_);
    }
    if (next) judged_(engine::judge(*next));
  });
}

void Router::hand_over() {
  std::vector<engine::Effect> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.swap(outbox_);
  }
  const std::array<std::pair<Destination, const Sink&>, 3> sinks{
      {{Destination::kBroker, sinks_.broker},
       {Destination::kDevices, sinks_.devices},
       {Destination::kLog, sinks_.log}}};
  for (const auto& [destination, sink] : sinks) {
    std::vector<engine::Effect> own;
    for (engine::Effect& effect : waiting) {
      if (destination_of(effect) == destination) own.push_back(std::move(effect));
    }
    if (sink && !own.empty()) sink(own);
  }
}

}  // namespace covey::runtime
