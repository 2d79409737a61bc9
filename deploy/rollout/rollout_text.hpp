// SPDX-License-Identifier: Apache-2.0
// What the end of a rollout says, for people: true of the devices, or it counts those of which it
// isn't. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "deploy/rollout/rollout.hpp"

namespace covey::rollout {

std::string devices(uint64_t count);  // "1 device", "3 devices"
// Adds to a text, with "; " between what is said.
void say(std::string& text, const std::string& more);

std::string nothing_to_do_text(const RolloutPlan& plan);
std::string success_text(const RolloutPlan& plan, const StageFacts& facts);
std::string rollback_text(const RolloutPlan& plan, const RollbackFacts& facts);

}  // namespace covey::rollout
