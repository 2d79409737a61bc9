// SPDX-License-Identifier: Apache-2.0
// A rollout on paper: its page, why it is where it is, a progress view that redraws in place, and
// the exit code it ends with. Pure text.
#pragma once

#include <optional>
#include <string>

#include "cli/show/output.hpp"
#include "covey/v1/rollouts.pb.h"

namespace covey::cli {

std::string rollout_page(const v1::Rollout& rollout, const Style& style);
// Gates with what they measured, exclusions by reason, deployments that did not succeed.
std::string rollout_explanation(const v1::Rollout& rollout,
                                const v1::ListDeploymentsResponse& deployments, const Style& style);
// A bar per stage.
std::string rollout_progress(const v1::Rollout& rollout, const Style& style);
// One line of a log.
std::string rollout_summary(const v1::Rollout& rollout);
// Changes when something worth such a line did: a state, a reason, the first failure, and each
// quarter of a large stage.
std::string rollout_milestone(const v1::Rollout& rollout);
// Of a rollout that ended or paused; nullopt while it goes on.
std::optional<int> rollout_exit_code(const v1::Rollout& rollout);

}  // namespace covey::cli
