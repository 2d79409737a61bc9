// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/peers.hpp"

#include <utility>

namespace covey::api {

void Peers::add(const std::string& name, PeerPtr peer) {
  const std::lock_guard lock(mutex_);
  peers_.insert_or_assign(name, std::move(peer));
}

void Peers::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  peers_.erase(name);
}

PeerPtr Peers::find(std::string_view peer) const {
  const size_t colon = peer.find(':');
  if (colon == std::string_view::npos) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto found = peers_.find(peer.substr(colon + 1));
  return found == peers_.end() ? nullptr : found->second;
}

}  // namespace covey::api
