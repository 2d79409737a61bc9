// SPDX-License-Identifier: Apache-2.0
// Which model the request of a `ci` is about, for those that are limited to some. A unary RPC whose
// least role is ci has an overload here, or does not compile (gateway/adapters/grpc/services.cpp);
// the model of an upload is known when its header was read. Pure.
#pragma once

#include <concepts>
#include <optional>
#include <string_view>

#include "covey/v1/monitoring.pb.h"
#include "covey/v1/rollouts.pb.h"

namespace covey::api {

using ModelScope = std::optional<std::string_view>;  // none: of no model by itself

inline ModelScope scope_of(const v1::SubmitLabelsRequest& request) {
  constexpr std::string_view kPrefix = "models/";
  std::string_view model = request.model();
  if (model.starts_with(kPrefix)) model.remove_prefix(kPrefix.size());
  return model;
}
inline ModelScope scope_of(const v1::CreateRolloutRequest& request) {
  const std::string_view release = request.spec().release();
  return release.substr(0, release.find('@'));
}
// Of what the caller created himself: the engine looks (CommandRequest::own_only).
inline ModelScope scope_of(const v1::PauseRolloutRequest&) { return std::nullopt; }
inline ModelScope scope_of(const v1::ResumeRolloutRequest&) { return std::nullopt; }
inline ModelScope scope_of(const v1::AbortRolloutRequest&) { return std::nullopt; }

template <typename Request>
concept Scoped = requires(const Request& request) {
  { scope_of(request) } -> std::same_as<ModelScope>;
};

}  // namespace covey::api
