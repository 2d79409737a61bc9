#include "monitoring/statistics/text.hpp"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

namespace covey::monitoring {

std::string printed(const char* format, ...) {
  std::array<char, 512> line{};
  std::va_list arguments;
  va_start(arguments, format);
  // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): started just above
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  va_end(arguments);
  return {line.data(), static_cast<size_t>(std::clamp(length, 0, 511))};
}

}  // namespace covey::monitoring
