// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/document/document.hpp"

#include <gtest/gtest.h>

#include <set>

namespace covey {
namespace {

// A document with something in every field: each list has one entry, each gate is there.
struct Filler {
  int count = 0;
  void operator()(const char* name, std::string& value) { value = name + std::to_string(++count); }
  void operator()(const char*, uint32_t& value) { value = static_cast<uint32_t>(++count); }
  template <typename T>
  void operator()(const char* name, std::optional<T>& value) {
    (*this)(name, value.emplace());
  }
  template <typename T>
  void operator()(const char* name, std::vector<T>& values) {
    (*this)(name, values.emplace_back());
  }
  template <typename T>
  void operator()(const char*, T& document) {
    fields(*this, document);
  }
};

// Changes the field with the given number, and no other.
struct Changer {
  int left;
  void operator()(const char*, std::string& value) {
    if (left-- == 0) value += "!";
  }
  void operator()(const char*, uint32_t& value) {
    if (left-- == 0) ++value;
  }
  template <typename T>
  void operator()(const char* name, std::optional<T>& value) {
    (*this)(name, *value);
  }
  template <typename T>
  void operator()(const char* name, std::vector<T>& values) {
    (*this)(name, values.front());
  }
  template <typename T>
  void operator()(const char*, T& document) {
    fields(*this, document);
  }
};

TEST(PlanDocument, EveryFieldCountsForEqualityAndDigest) {
  PlanDocument document;
  Filler filler;
  fields(filler, document);
  EXPECT_EQ(filler.count, 12 + 8 + 2 * 15);  // the plan's own, the stage's, the gates' of both
  std::set<std::string> digests = {to_hex(digest_of(document))};
  for (int i = 0; i < filler.count; ++i) {
    PlanDocument other = document;
    Changer changer{i};
    fields(changer, other);
    EXPECT_NE(other, document) << i;
    EXPECT_TRUE(digests.insert(to_hex(digest_of(other))).second) << i;
  }
}

TEST(PlanDocument, AbsentIsNotZero) {
  PlanDocument absent;
  PlanDocument none;
  none.attempt.retries = 0;
  EXPECT_NE(absent, none);
  EXPECT_NE(digest_of(absent), digest_of(none));
}

}  // namespace
}  // namespace covey
