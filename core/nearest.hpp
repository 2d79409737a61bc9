// SPDX-License-Identifier: Apache-2.0
// What somebody who made a typing error may have meant. Pure; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace covey {

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`. The cost is
// the product of the lengths: for names, not for texts.
size_t edit_distance(std::string_view a, std::string_view b);

// The closest of `words`, small and capital letters alike; "" when none is near (more than a third
// of `text` and one away) or `text` has more than 64 bytes.
std::string nearest(std::string_view text, std::span<const std::string> words);
// "; did you mean X?", or "".
std::string did_you_mean(std::string_view text, std::span<const std::string> words);

}  // namespace covey
