// SPDX-License-Identifier: Apache-2.0
#include "deploy/signing/audit_chain.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "deploy/signing/keys.hpp"

namespace covey {
namespace {

struct Entry {
  uint64_t sequence = 0;
  std::string subject;
  Digest previous;
  Digest hash;

  AuditWords words() const {
    return {.sequence = sequence,
            .wall = Millis{1'700'000'000'000 + static_cast<int64_t>(sequence)},
            .actor = "unix:alice",
            .action = "ACCEPT_DEVICES",
            .subject = subject};
  }
};

std::vector<Entry> log_of(uint64_t entries) {
  std::vector<Entry> log;
  Digest previous;
  for (uint64_t number = 1; number <= entries; ++number) {
    Entry entry{.sequence = number,
                .subject = "press-" + std::to_string(number),
                .previous = previous,
                .hash = {}};
    entry.hash = previous = audit_hash(entry.previous, entry.words());
    log.push_back(entry);
  }
  return log;
}

std::string told(const Status& status) { return status ? "" : status.error().reason; }

std::string followed(const std::vector<Entry>& log, AuditChain& chain) {
  for (const Entry& entry : log) {
    if (Status fits = chain.next(entry.words(), entry.previous, entry.hash); !fits) {
      return told(fits);
    }
  }
  return "";
}
std::string followed(const std::vector<Entry>& log) {
  AuditChain chain;
  return followed(log, chain);
}

AuditHead head_at(const std::vector<Entry>& log, uint64_t sequence) {
  return {.site = "plant",
          .sequence = sequence,
          .hash = log[sequence - 1].hash,
          .signed_at = Millis{5}};
}

TEST(AuditChain, AWholeLogFits) { EXPECT_EQ(followed(log_of(50)), ""); }

TEST(AuditChain, EachChangedEntryIsFound) {
  for (size_t i = 0; i < 10; ++i) {
    std::vector<Entry> log = log_of(10);
    log[i].subject += "x";
    EXPECT_EQ(followed(log), "AUDIT_CHANGED") << i;
  }
}

TEST(AuditChain, AChangedEntryWithAHashThatFitsIsFoundAtTheNext) {
  std::vector<Entry> log = log_of(10);
  log[4].subject = "other";
  log[4].hash = audit_hash(log[4].previous, log[4].words());
  EXPECT_EQ(followed(log), "AUDIT_BROKEN");
}

TEST(AuditChain, EachWordIsBound) {
  const AuditWords words{.sequence = 1,
                         .wall = Millis{2},
                         .actor = "a",
                         .known = "b",
                         .from = "c",
                         .request_id = "d",
                         .action = "e",
                         .subject = "f",
                         .before = "g",
                         .after = "h",
                         .detail = "i"};
  const Digest hash = audit_hash({}, words);
  for (std::string_view AuditWords::*word :
       {&AuditWords::actor, &AuditWords::known, &AuditWords::from, &AuditWords::request_id,
        &AuditWords::action, &AuditWords::subject, &AuditWords::before, &AuditWords::after,
        &AuditWords::detail}) {
    AuditWords other = words;
    other.*word = "other";
    EXPECT_NE(audit_hash({}, other), hash);
  }
  AuditWords later = words;
  later.wall += Millis{1};
  EXPECT_NE(audit_hash({}, later), hash);
  AuditWords moved = words;  // "ab" and "" is not "a" and "b"
  moved.actor = "ab";
  moved.known = "";
  EXPECT_NE(audit_hash({}, moved), hash);
}

TEST(AuditChain, MissingEntriesAreNamed) {
  std::vector<Entry> log = log_of(10);
  log.erase(log.begin() + 3, log.begin() + 6);
  AuditChain chain;
  Status last;
  for (const Entry& entry : log) {
    last = chain.next(entry.words(), entry.previous, entry.hash);
    if (!last) break;
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().reason, "AUDIT_MISSING");
  EXPECT_EQ(last.error().message, "entries 4 to 6 are missing");
}

TEST(AuditChain, ReorderedEntriesAreFound) {
  std::vector<Entry> log = log_of(5);
  std::swap(log[1], log[2]);
  EXPECT_EQ(followed(log), "AUDIT_MISSING");
  log = log_of(5);
  log.push_back(log[1]);
  EXPECT_EQ(followed(log), "AUDIT_REORDERED");
}

TEST(AuditChain, OldEntriesMayBeForgotten) {
  std::vector<Entry> log = log_of(10);
  log.erase(log.begin(), log.begin() + 4);
  AuditChain chain;
  EXPECT_EQ(followed(log, chain), "");
  EXPECT_EQ(chain.first(), 5u);
}

TEST(AuditChain, AnEarlierHeadFindsALogThatWasCutOrWrittenAnew) {
  const std::vector<Entry> log = log_of(10);
  const AuditHead head = head_at(log, 7);
  const auto checked = [&head](const std::vector<Entry>& there) {
    AuditChain chain;
    chain.watch_for(head);
    EXPECT_EQ(followed(there, chain), "");
    return told(chain.check(head));
  };
  EXPECT_EQ(checked(log), "");
  EXPECT_EQ(checked({log.begin(), log.begin() + 7}), "");
  EXPECT_EQ(checked({log.begin() + 8, log.end()}), "");  // forgotten by age
  EXPECT_EQ(checked({log.begin(), log.begin() + 6}), "AUDIT_CUT");
  EXPECT_EQ(checked({}), "AUDIT_CUT");
  std::vector<Entry> anew = log;
  Digest previous;
  for (Entry& entry : anew) {
    if (entry.sequence == 2) entry.subject = "other";
    entry.previous = previous;
    entry.hash = previous = audit_hash(entry.previous, entry.words());
  }
  EXPECT_EQ(checked(anew), "AUDIT_REWRITTEN");
}

TEST(AuditChain, AHeadIsSignedWithAllThatItSays) {
  const Result<PrivateKey> key = PrivateKey::generate(SignatureAlgorithm::kEd25519);
  ASSERT_TRUE(key);
  const AuditHead head = head_at(log_of(3), 3);
  const RawSignature signature = key->sign(digest_of(head));
  EXPECT_TRUE(key->public_key().verify(digest_of(head), signature));
  AuditHead other = head;
  other.sequence = 2;
  EXPECT_FALSE(key->public_key().verify(digest_of(other), signature));
  other = head;
  other.site = "elsewhere";
  EXPECT_FALSE(key->public_key().verify(digest_of(other), signature));
  other = head;
  other.signed_at += Millis{1};
  EXPECT_FALSE(key->public_key().verify(digest_of(other), signature));
}

}  // namespace
}  // namespace covey
