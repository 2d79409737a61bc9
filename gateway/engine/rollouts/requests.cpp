// SPDX-License-Identifier: Apache-2.0
// Which request made what, so that a repeated one does nothing (AIP-155). The oldest are forgotten.
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {

void know_request(RolloutsState& rollouts, RequestRecord record) {
  rollouts.requests_by_age.emplace(record.sequence, record.request_id);
  rollouts.requests.insert_or_assign(record.request_id, std::move(record));
}

void note_request(Turn& turn, const std::string& request_id, const std::string& subject,
                  const Digest& content) {
  RolloutsState& rollouts = own_rollouts(turn);
  auto& by_age = rollouts.requests_by_age;
  if (by_age.size() >= kRequestsMax) {
    const std::string oldest = by_age.extract(by_age.begin()).mapped();
    rollouts.requests.erase(oldest);
    turn.write(RemoveRequest{oldest});
  }
  const uint64_t sequence = by_age.empty() ? 1 : by_age.rbegin()->first + 1;
  RequestRecord record{request_id, subject, content, sequence};
  turn.write(PutRequest{record});
  know_request(rollouts, std::move(record));
}

}  // namespace covey::engine
