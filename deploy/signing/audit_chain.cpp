// SPDX-License-Identifier: Apache-2.0
#include "deploy/signing/audit_chain.hpp"

#include <fmt/format.h>

#include <array>

#include "deploy/signing/sha256.hpp"

namespace covey {
namespace {

// Each piece with its length before it: no two entries have the same bytes.
class Hashed {
 public:
  explicit Hashed(std::string_view what) { text(what); }

  Hashed& number(uint64_t value) {
    std::array<uint8_t, 8> big_endian{};
    for (size_t i = 0; i < big_endian.size(); ++i) {
      big_endian[i] = static_cast<uint8_t>(value >> (56 - 8 * i));
    }
    hash_.update(big_endian);
    return *this;
  }
  Hashed& text(std::string_view value) {
    number(value.size());
    hash_.update(as_bytes(value));
    return *this;
  }
  Hashed& digest(const Digest& value) {
    hash_.update(value.bytes);
    return *this;
  }
  Digest finish() { return hash_.finish(); }

 private:
  Sha256 hash_;
};

Error broken(const char* reason, std::string message) {
  return {Code::kDataLoss, reason, std::move(message)};
}

}  // namespace

Digest audit_hash(const Digest& previous, const AuditWords& words) {
  Hashed hashed("covey audit entry 1");
  hashed.digest(previous).number(words.sequence).number(static_cast<uint64_t>(words.wall.count()));
  for (const std::string_view text :
       {words.actor, words.known, words.from, words.request_id, words.action, words.subject,
        words.before, words.after, words.detail}) {
    hashed.text(text);
  }
  return hashed.finish();
}

Digest digest_of(const AuditHead& head) {
  return Hashed("covey audit head 1")
      .text(head.site)
      .number(head.sequence)
      .digest(head.hash)
      .number(static_cast<uint64_t>(head.signed_at.count()))
      .finish();
}

Status AuditChain::next(const AuditWords& words, const Digest& previous, const Digest& hash) {
  const uint64_t number = words.sequence;
  if (audit_hash(previous, words) != hash) {
    return broken("AUDIT_CHANGED",
                  fmt::format("entry {} is not what was written: its hash is another", number));
  }
  if (last_ != 0 && number <= last_) {
    return broken("AUDIT_REORDERED", fmt::format("entry {} stands after entry {}", number, last_));
  }
  if (last_ != 0 && number != last_ + 1) {
    const uint64_t gone = number - last_ - 1;
    return broken("AUDIT_MISSING",
                  gone == 1 ? fmt::format("entry {} is missing", last_ + 1)
                            : fmt::format("entries {} to {} are missing", last_ + 1, number - 1));
  }
  if (last_ != 0 ? previous != hash_ : (number == 1 && !previous.is_zero())) {
    return broken("AUDIT_BROKEN",
                  fmt::format("entry {} was written after another entry {} than the one that is "
                              "there",
                              number, number - 1));
  }
  if (first_ == 0) first_ = number;
  last_ = number;
  hash_ = hash;
  if (watched_ && watched_->sequence == number) seen_ = hash;
  return {};
}

Status AuditChain::check(const AuditHead& head) const {
  if (head.sequence > last_) {
    return broken("AUDIT_CUT", fmt::format("the signed head is entry {}, but the log ends with {}",
                                           head.sequence, last_));
  }
  if (head.sequence < first_ || head.sequence == 0) return {};  // forgotten by age, or none yet
  const Digest& there = head.sequence == last_ ? hash_ : seen_.value_or(Digest{});
  if (there == head.hash) return {};
  return broken("AUDIT_REWRITTEN",
                fmt::format("entry {} is another one than the head that was signed then says",
                            head.sequence));
}

}  // namespace covey
