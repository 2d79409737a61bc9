// SPDX-License-Identifier: Apache-2.0
// Rollout plans between the API (covey.v1.RolloutSpec) and the domain (PlanDocument): the same
// texts, nothing interpreted. Both ways are exact. Fields go by their names (core/fields.hpp): one
// that the API has and the document has not is found by a test.
// Pure; any thread. Errors: BAD_PLAN (a gate without a kind, more than a plan may have).
#pragma once

#include "core/result.hpp"
#include "covey/v1/rollouts.pb.h"
#include "deploy/rollout/document/document.hpp"

namespace covey {

Result<PlanDocument> plan_from_proto(const v1::RolloutSpec& spec, const std::string& name);
v1::RolloutSpec plan_to_proto(const PlanDocument& document);

}  // namespace covey
