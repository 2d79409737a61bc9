// SPDX-License-Identifier: Apache-2.0
// The audit log as a chain: each entry has the hash of all that it says and of the entry before it,
// so that one which was changed, removed or moved no longer fits (Schneier and Kelsey, "Secure
// Audit Logs to Support Computer Forensics", 1999, without its keys that forget). The newest hash,
// signed by the site's audit key, stands for the whole log. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "core/result.hpp"
#include "core/time.hpp"

namespace covey {

// What an entry says, as the chain binds it.
struct AuditWords {
  uint64_t sequence = 0;  // from 1 on, without a gap
  Millis wall{0};
  std::string_view actor;       // who
  std::string_view known;       // how that was known
  std::string_view from;        // an address; "": this machine
  std::string_view request_id;  // of the call
  std::string_view action;
  std::string_view subject;
  std::string_view before;
  std::string_view after;
  std::string_view detail;
};

// Of an entry that follows the one with the hash `previous`; zero before the first.
Digest audit_hash(const Digest& previous, const AuditWords& words);

// What is signed of a log: its newest entry, and when that was said.
struct AuditHead {
  std::string site;
  uint64_t sequence = 0;
  Digest hash;
  Millis signed_at{0};

  bool operator==(const AuditHead&) const = default;
};
// For PrivateKey::sign() and PublicKey::verify().
Digest digest_of(const AuditHead& head);

// Follows a log from its oldest entry on.
class AuditChain {
 public:
  // Errors, with the numbers of the entries: AUDIT_CHANGED, AUDIT_MISSING, AUDIT_REORDERED,
  // AUDIT_BROKEN (each fits by itself, but it doesn't follow). The first entry may have any number:
  // older ones are forgotten by age, and first() says which.
  Status next(const AuditWords& words, const Digest& previous, const Digest& hash);
  // The log that was followed must end at, or have gone on from, `head`. Errors: AUDIT_CUT (entries
  // that the head knew are gone), AUDIT_REWRITTEN.
  Status check(const AuditHead& head) const;
  // Call before next() for the entries: remembers the hash of this one, for check().
  void watch_for(const AuditHead& head) { watched_ = head; }

  uint64_t first() const { return first_; }
  uint64_t last() const { return last_; }
  const Digest& hash() const { return hash_; }

 private:
  uint64_t first_ = 0;
  uint64_t last_ = 0;
  Digest hash_;
  std::optional<AuditHead> watched_;
  std::optional<Digest> seen_;  // the hash of the entry that `watched_` is about
};

}  // namespace covey
