// SPDX-License-Identifier: Apache-2.0
// Filters of any text: bounded, never a crash; matching works; NOT is an exact negation; what the
// canonical form says is read as the same.
#include <cstdint>
#include <string>

#include "core/assert.hpp"
#include "deploy/rollout/filter/filter.hpp"

namespace {

// Half of the fields are there, with values that look like anything.
struct Subject : covey::FilterSubject {
  std::optional<std::string> find(std::string_view field) const override {
    size_t sum = 0;
    for (const char c : field) sum = sum * 31 + static_cast<unsigned char>(c);
    switch (sum % 6) {
      case 0:
        return "a";
      case 1:
        return "1.10.0";
      case 2:
        return "20.5";
      default:
        return std::nullopt;
    }
  }
};

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for this name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const covey::Result<covey::Filter> filter = covey::Filter::parse(text);
  if (!filter) {
    COVEY_ASSERT(filter.error().reason == "BAD_FILTER");
    return 0;
  }
  const Subject subject;
  const bool answer = filter->matches(subject);
  const covey::Result<covey::Filter> canonical = covey::Filter::parse(filter->canonical());
  if (canonical) {  // escapes may make it longer than the limit
    COVEY_ASSERT(canonical->canonical() == filter->canonical());
    COVEY_ASSERT(canonical->matches(subject) == answer);
    COVEY_ASSERT(canonical->fields() == filter->fields());
  } else {
    const bool longer = filter->canonical().size() > covey::kFilterBytesMax;
    const bool deeper = canonical.error().message.find("levels") != std::string::npos;
    COVEY_ASSERT(longer || deeper);
  }
  if (!filter->matches_everything()) {
    const covey::Result<covey::Filter> negated = covey::Filter::parse("NOT (" + text + ")");
    if (negated) COVEY_ASSERT(negated->matches(subject) != answer);
  }
  return 0;
}
