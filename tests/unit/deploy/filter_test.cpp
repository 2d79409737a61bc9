// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/filter/filter.hpp"

#include <gtest/gtest.h>

#include <map>

namespace covey {
namespace {

struct Subject : FilterSubject {
  std::map<std::string, std::string, std::less<>> values;

  std::optional<std::string> find(std::string_view field) const override {
    const auto found = values.find(field);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  }
};

Subject press() {
  Subject subject;
  subject.values = {
      {"id", "press-07"},      {"class", "m4f-256k"},    {"firmware", "1.10.0"},
      {"state", "ACCEPTED"},   {"labels.line", "press"}, {"labels.hall", "Hall A"},
      {"labels.load", "20.5"}, {"labels.star", "a*b"},   {"releases.bearing-vibration", "1.10.0"}};
  return subject;
}

bool matches(std::string_view text) {
  const Result<Filter> filter = Filter::parse(text);
  EXPECT_TRUE(filter) << text << ": " << (filter ? "" : filter.error().message);
  return filter && filter->matches(press());
}

std::string canonical(std::string_view text) {
  const Result<Filter> filter = Filter::parse(text);
  return filter ? filter->canonical() : filter.error().message;
}

// As firmware writes versions; what is none has no order.
TEST(Filter, a_mistyped_field_or_value_has_a_nearest_one) {
  EXPECT_NE(Filter::parse("sate = PENDING").error().message.find("did you mean state?"),
            std::string::npos);
  EXPECT_NE(Filter::parse("state = PENDIGN").error().message.find("did you mean PENDING?"),
            std::string::npos);
}

TEST(Filter, OrdersVersionsAsSemVerDoes) {
  const auto firmware = [](const char* actual, const char* text) {
    Subject subject;
    subject.values = {{"firmware", actual}};
    const Result<Filter> filter = Filter::parse(text);
    EXPECT_TRUE(filter) << text;
    return filter && filter->matches(subject);
  };
  for (const char* newer : {"1.10.0-rc1", "1.10.0+b5", "1.10.0.1.2", "v1.10.0", "1.10", "22.04"}) {
    EXPECT_TRUE(firmware(newer, "firmware >= 1.9.0")) << newer;
    EXPECT_TRUE(firmware(newer, "firmware >= v1.9.0")) << newer;
    EXPECT_FALSE(firmware(newer, "firmware < 1.9.0")) << newer;
  }
  for (const char* none : {"r123", "", "1.x", "1.", "1..2", "1.0-", "1.0+"}) {
    EXPECT_FALSE(firmware(none, "firmware >= 1.9.0")) << none;
    EXPECT_FALSE(firmware(none, "firmware < 1.9.0")) << none;
  }
  for (const char* same : {"1.10", "1.10.0", "1.10.0+b5", "v1.10.0", "1.10.0.0", "01.10.0"}) {
    EXPECT_TRUE(firmware(same, "firmware = 1.10.0")) << same;
    EXPECT_FALSE(firmware(same, "firmware != 1.10.0")) << same;
  }
  EXPECT_FALSE(firmware("1.10.0-rc1", "firmware = 1.10.0"));
  EXPECT_TRUE(firmware("1.10.0-rc1", "firmware < 1.10.0"));
  EXPECT_TRUE(firmware("1.10.0-rc.2", "firmware < 1.10.0-rc.10"));
  EXPECT_TRUE(firmware("1.10.0-2", "firmware < 1.10.0-rc"));
  EXPECT_TRUE(firmware("1.10.0-rc", "firmware < 1.10.0-rc.1"));
  EXPECT_TRUE(firmware("1.10.0+b5", "firmware = 1.10.0+b5"));
  EXPECT_FALSE(firmware("1.10.0+b5", "firmware = 1.10.0+b6"));
  EXPECT_TRUE(firmware("99999999999999999999999.0", "firmware > 9999999999999999999999.0"));
  const Result<Filter> refused = Filter::parse("firmware >= r123");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "position 13: expected a version such as 1.10.0, found 'r123'");
}

TEST(Filter, ANumberIsComparedWithNumbersOnly) {
  EXPECT_FALSE(matches("labels.line >= 5"));
  EXPECT_FALSE(matches("labels.line < 5"));
  EXPECT_FALSE(matches("labels.line >= 1.2.3"));
  EXPECT_TRUE(matches("labels.line >= a"));
}

TEST(Filter, FieldsWithFewValuesKnowThem) {
  EXPECT_TRUE(matches("state = accepted"));
  EXPECT_FALSE(matches("state != Accepted"));
  EXPECT_EQ(canonical("online = no"), "online = \"false\"");
  EXPECT_EQ(canonical("state = waiting"),
            "position 9: expected one of PENDING, ACCEPTED, REJECTED, found 'waiting'");
}

TEST(Filter, Matches) {
  for (const char* text : {"",
                           "  ",
                           "id = press-07",
                           "id=press-07",
                           "labels.line = \"press\" AND class = \"m4f-256k\"",
                           "labels.hall = 'Hall A'",
                           "labels.hall != \"Hall B\"",
                           "NOT labels.hall = \"Hall B\"",
                           "-labels.hall = B*",
                           "-(class = x OR class = y)",
                           "class = m4f* AND class = *256k",
                           "class = *4f*",
                           "class = \"*\"",
                           "id:press",
                           "labels.line:*",
                           "labels:line",
                           "NOT labels:site",
                           "labels.site != a",
                           "firmware > 1.9.0",
                           "firmware >= 1.10.0",
                           "firmware < 2",
                           "firmware > 1.9",
                           "labels.load > 20.45",
                           "labels.load < 100",
                           "releases.bearing-vibration = \"1.10.0\"",
                           "releases.bearing-vibration >= 1.2.0",
                           "releases.motor != 1.0.0",
                           "labels.star = \"a\\*b\"",
                           "((((id = press-07))))",
                           "class = a OR class = m4f-256k AND id = press-07"}) {
    EXPECT_TRUE(matches(text)) << text;
  }
  for (const char* text :
       {"id = press-08", "labels.line != press", "labels.site = a", "labels.site:*", "labels:site",
        "labels.site = \"*\"", "labels.site < a", "labels.site >= a", "firmware > 1.10.0",
        "firmware <= 1.9.0", "class = \"m4f\"", "class = *m4f", "labels.star = \"a\\*c\"",
        "NOT id = press-07", "labels.load > 100", "releases.motor = 1.0.0",
        "labels.line = Press"}) {
    EXPECT_FALSE(matches(text)) << text;
  }
}

// AIP-160: OR binds tighter than AND; NOT and - tightest.
TEST(Filter, Precedence) {
  EXPECT_EQ(canonical("class=a AND class=b OR class=c"),
            R"((class = "a" AND (class = "b" OR class = "c")))");
  EXPECT_EQ(canonical("class=a OR class=b AND NOT class=c OR class=d"),
            R"(((class = "a" OR class = "b") AND (NOT class = "c" OR class = "d")))");
  EXPECT_EQ(canonical("class=a AND class=b AND (class=c AND class=d)"),
            R"((class = "a" AND class = "b" AND class = "c" AND class = "d"))");
  EXPECT_EQ(canonical("NOT (class=a OR class=b)"), R"(NOT (class = "a" OR class = "b"))");
  EXPECT_EQ(canonical("-(-(class=a))"), R"(NOT (NOT class = "a"))");
  EXPECT_EQ(canonical("labels:line"), "labels.line:*");
  EXPECT_EQ(canonical(R"(labels.x = '"\*' )"), R"(labels.x = "\"\*")");
}

TEST(Filter, ErrorsSayWhereAndWhat) {
  const auto error = [](std::string_view text) {
    const Result<Filter> filter = Filter::parse(text);
    EXPECT_FALSE(filter) << text;
    return filter ? "" : filter.error().reason + " " + filter.error().message;
  };
  EXPECT_EQ(error("class ="),
            "BAD_FILTER position 8: expected a value, in quotes if it has spaces or signs, "
            "found the end");
  EXPECT_EQ(error("class = a b"), "BAD_FILTER position 11: expected AND, OR or the end, found 'b'");
  EXPECT_EQ(error("class = a AND"),
            "BAD_FILTER position 14: expected a field such as labels.line or (, found the "
            "end");
  EXPECT_EQ(error("(class = a"), "BAD_FILTER position 11: expected AND, OR or ), found the end");
  EXPECT_EQ(error("class = a)"), "BAD_FILTER position 10: expected AND, OR or the end, found ')'");
  EXPECT_EQ(error("colour = red"),
            "BAD_FILTER position 1: expected a field: id, device_id, class, state, online, "
            "firmware, agent, secret, labels.KEY, releases.KEY, found 'colour'");
  EXPECT_EQ(error("class == a"),
            "BAD_FILTER position 8: expected a value, in quotes if it has spaces or signs, "
            "found '='");
  EXPECT_EQ(error("class ~ a"),
            "BAD_FILTER position 7: expected one of = != < <= > >= :, found '~'");
  EXPECT_EQ(error("class = \"a"),
            "BAD_FILTER position 9: expected a closing \" for this text, found '\"'");
  EXPECT_EQ(error("class = a*b"),
            "BAD_FILTER position 9: expected * at the start or the end of a value only (\\* is "
            "a star), found 'a*b'");
  EXPECT_EQ(error("firmware > 1.*"),
            "BAD_FILTER position 12: expected a value without *, which goes with = and !=, "
            "found '1.*'");
  EXPECT_EQ(error("labels = a"),
            "BAD_FILTER position 10: expected a key: write labels.KEY, or labels:KEY to ask if "
            "it is there, found 'a'");
  for (const char* bad : {"labels. = a", "labels:a@b", "labels:\"a b\"", "class.x = a", "a", "=",
                          "NOT", "-", "AND", "class = AND", "class:\"\"", "\xff",
                          "class = \xc3\xa4", "- class = a", "class = a OR OR class = b"}) {
    error(bad);
  }
}

TEST(Filter, HasLimits) {
  EXPECT_FALSE(Filter::parse(std::string(kFilterBytesMax + 1, ' ')));
  std::string deep(33, '(');
  EXPECT_FALSE(Filter::parse(deep + "id=a" + std::string(33, ')')));
  deep.pop_back();
  EXPECT_TRUE(Filter::parse(deep + "id=a" + std::string(32, ')')));
  std::string many = "id=a";
  for (size_t i = 1; i < kFilterTermsMax; ++i) many += " AND id=a";
  EXPECT_TRUE(Filter::parse(many));
  EXPECT_FALSE(Filter::parse(many + " AND id=a"));
}

TEST(Filter, NamesTheFieldsItLooksAt) {
  const Filter filter = *Filter::parse("labels.b = 1 AND (id = 2 OR labels:a) AND id != 3");
  EXPECT_EQ(filter.fields(), (std::vector<std::string>{"id", "labels.a", "labels.b"}));
  EXPECT_TRUE(Filter::parse("")->matches_everything());
  EXPECT_EQ(filter, *Filter::parse(filter.text()));
}

TEST(Filter, WorksOverOtherFields) {
  constexpr std::array<FilterField, 1> kFields{{{"state", FieldKind::kText}}};
  EXPECT_TRUE(Filter::parse("state = FIRING", kFields));
  EXPECT_FALSE(Filter::parse("class = a", kFields));
}

}  // namespace
}  // namespace covey
