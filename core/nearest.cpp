// SPDX-License-Identifier: Apache-2.0
#include "core/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace covey {
namespace {

constexpr size_t kTextBytesMax = 64;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before;
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    std::vector<size_t> next(b.size() + 1);
    next[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = row[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      next[j] = std::min({next[j - 1] + 1, row[j] + 1, substituted});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) next[j] = std::min(next[j], before[j - 2] + 1);
    }
    before = std::move(row);
    row = std::move(next);
  }
  return row[b.size()];
}

std::string nearest(std::string_view text, std::span<const std::string> words) {
  if (text.empty() || text.size() > kTextBytesMax) return {};
  std::string found;
  size_t least = text.size() / 3 + 2;
  for (const std::string& word : words) {
    if (word.size() > kTextBytesMax) continue;
    const size_t distance = edit_distance(lower(text), lower(word));
    // All of it different is no typing error.
    if (distance >= least || distance >= word.size()) continue;
    least = distance;
    found = word;
  }
  return found;
}

std::string did_you_mean(std::string_view text, std::span<const std::string> words) {
  const std::string word = nearest(text, words);
  return word.empty() ? "" : fmt::format("; did you mean {}?", word);
}

}  // namespace covey
