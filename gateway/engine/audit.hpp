// SPDX-License-Identifier: Apache-2.0
// What the audit log says of a command: which devices, labels and values, the reason that was
// given, why it was refused. Pure; engine thread.
#pragma once

#include <string>

#include "gateway/engine/commands.hpp"
#include "gateway/engine/state.hpp"

namespace covey::engine {

std::string action_of(const Command& command);  // "ACCEPT_DEVICES"
// Of one that was done.
std::string subject_of(const Command& command, const CommandReply& reply);
std::string detail_of(const Command& command, const CommandReply& reply);
// Of one that was refused.
std::string subject_of(const Command& command);
std::string detail_of(const Error& refusal);
// What the subject is now, to be asked before and after: a state and what else can be changed.
// "": it is not there, or there are many.
std::string standing_of(const State& state, const Command& command);

// The log is no place for long texts: cut to a length that is easy to read.
std::string bounded(std::string text);

}  // namespace covey::engine
