// SPDX-License-Identifier: Apache-2.0
#include "core/ratio.hpp"

#include <fmt/format.h>

#include <charconv>

namespace covey {
namespace {
Error bad_ratio(std::string_view text) {
  return invalid("BAD_RATIO", fmt::format("'{}' is not a share: write for example 5%, 0.5%, 2pp or "
                                          "0.02 (0 to 100 %)",
                                          text.substr(0, 40)));
}
Error too_fine(std::string_view text) {
  return invalid(
      "BAD_RATIO",
      fmt::format("'{}' is finer than one part per million, the finest that a share can "
                  "be: at most four decimals of a percent, as 0.5%, or six of a fraction",
                  text.substr(0, 40)));
}
}  // namespace

Result<Ratio> parse_ratio(std::string_view text) {
  const std::string_view whole = text;
  int64_t scale = 1'000'000;
  if (text.ends_with("%")) {
    scale = 10'000;
    text.remove_suffix(1);
  } else if (text.ends_with("pp")) {
    scale = 10'000;
    text.remove_suffix(2);
  }
  int64_t integer = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), integer);
  if (status != std::errc{} || text.starts_with("-") || integer > 100) return bad_ratio(whole);
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  int64_t ppm = integer * scale;
  if (!text.empty()) {
    if (text.front() != '.' || text.size() < 2) return bad_ratio(whole);
    text.remove_prefix(1);
    int64_t place = scale;
    bool fine = false;
    for (const char c : text) {
      if (c < '0' || c > '9') return bad_ratio(whole);
      place /= 10;  // 0 below one part per million
      fine = fine || (place == 0 && c != '0');
      ppm += (c - '0') * place;
    }
    if (fine) return too_fine(whole);
  }
  if (ppm > 1'000'000) return bad_ratio(whole);
  return Ratio{static_cast<int32_t>(ppm)};
}

std::string to_string(Ratio ratio) {
  const int64_t magnitude = ratio.ppm < 0 ? -static_cast<int64_t>(ratio.ppm) : ratio.ppm;
  std::string text = fmt::format("{}{}", ratio.ppm < 0 ? "-" : "", magnitude / 10'000);
  int64_t rest = magnitude % 10'000;
  if (rest != 0) {
    text += '.';
    for (int64_t place = 1'000; rest != 0; place /= 10) {
      text += static_cast<char>('0' + rest / place);
      rest %= place;
    }
  }
  return text + "%";
}

bool exceeds(uint64_t part, uint64_t whole, Ratio limit) {
  using Wide = unsigned __int128;
  return whole != 0 && static_cast<Wide>(part) * 1'000'000 >
                           static_cast<Wide>(whole) * static_cast<Wide>(limit.ppm);
}

uint64_t ceil_share(uint64_t whole, Ratio ratio) {
  using Wide = unsigned __int128;
  return static_cast<uint64_t>((static_cast<Wide>(whole) * static_cast<Wide>(ratio.ppm) + 999'999) /
                               1'000'000);
}

}  // namespace covey
