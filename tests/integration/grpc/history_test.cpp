// SPDX-License-Identifier: Apache-2.0
// Pages of history, straight from the handlers.
#include <gtest/gtest.h>

#include <future>

#include "covey/v1/rollouts.pb.h"
#include "gateway/api/handlers.hpp"
#include "tests/integration/grpc/local_engine.hpp"

namespace covey {
namespace {

using Events = api::Call<v1::ListRolloutEventsRequest, v1::ListRolloutEventsResponse>;

TEST(History, page_one_has_a_rollouts_first_events_however_many_follow) {
  Snapshot snapshot;
  snapshot.secrets = {{.number = 1, .sealed = Bytes(32, 1), .create_wall = Millis{0}}};
  RolloutPlan plan;
  plan.name = RolloutName("first");
  RolloutProgress progress;
  progress.state = RolloutState::kSucceeded;
  progress.settled = true;
  snapshot.rollouts.push_back({std::make_shared<const RolloutPlan>(std::move(plan)), progress});
  test::LocalEngine engine(std::move(snapshot));
  constexpr uint64_t kEvents = 100'010;
  engine.add_events(RolloutName("first"), kEvents);
  const auto call = std::make_shared<Events>();
  call->context = std::make_shared<const api::Context>(api::Context{.engine = engine});
  call->request.set_parent("rollouts/first");
  call->request.set_page_size(2);
  std::promise<Status> finished;
  call->finish = [&finished](Status status) { finished.set_value(std::move(status)); };
  api::list_rollout_events(call);
  const Status status = finished.get_future().get();
  ASSERT_TRUE(status) << status.error().message;
  ASSERT_EQ(call->response.events_size(), 2);
  EXPECT_EQ(call->response.events(0).sequence(), 1U);
  EXPECT_EQ(call->response.events(1).sequence(), 2U);
  EXPECT_FALSE(call->response.next_page_token().empty());
  EXPECT_LE(engine.rows_read(), 3U) << "a page costs what it shows";
}

}  // namespace
}  // namespace covey
