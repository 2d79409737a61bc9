// printf into a string, for explanations of one line.
#pragma once

#include <string>

namespace covey::monitoring {

[[gnu::format(printf, 1, 2)]] std::string printed(const char* format, ...);

}  // namespace covey::monitoring
