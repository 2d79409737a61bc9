// SPDX-License-Identifier: Apache-2.0
#include "cli/files/audit_file.hpp"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "deploy/signing/audit_chain.hpp"

namespace covey::cli {
namespace {

constexpr size_t kHeadBytesMax = 4096;

Error broken(const char* reason, std::string message) {
  return {Code::kDataLoss, reason, std::move(message)};
}

std::string line_of(const v1::AuditLine& line) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(line, &json, options).ok()) json = "{}";
  return json + "\n";
}

// Only entries before one head, which is last.
Status take(AuditLog& log, std::string_view text, size_t number) {
  const auto bad = [number](std::string_view why) {
    return invalid("BAD_AUDIT_FILE", fmt::format("line {}: {}", number, why));
  };
  v1::AuditLine line;
  const google::protobuf::StringPiece json(text.data(), text.size());
  if (!google::protobuf::util::JsonStringToMessage(json, &line).ok()) {
    return bad("not a line of `covey admin audit export`");
  }
  if (log.head.has_public_key_pem()) return bad("after the signed head, which is the last line");
  if (line.has_head()) {
    log.head = std::move(*line.mutable_head());
    if (!log.head.has_public_key_pem()) return bad("a head without public_key_pem");
  } else if (line.has_entry()) {
    log.entries.push_back(std::move(*line.mutable_entry()));
  } else {
    return bad("neither an entry nor a head");
  }
  return {};
}

Result<AuditHead> head_of(const v1::AuditHead& head) {
  Result<Digest> hash = parse_digest(head.hash());
  if (!hash) return invalid("BAD_AUDIT_FILE", "the head's hash: 64 hex digits");
  return AuditHead{.site = head.site(),
                   .sequence = head.sequence(),
                   .hash = *hash,
                   .signed_at = Millis{head.sign_time_ms()}};
}

Status check_signature(const v1::AuditHead& signed_head, const std::optional<PublicKey>& trusted) {
  const Result<AuditHead> head = head_of(signed_head);
  if (!head) return head.error();
  const Result<PublicKey> key = PublicKey::from_pem(signed_head.public_key_pem());
  if (!key) return invalid("BAD_AUDIT_FILE", "the head's public_key_pem: " + key.error().message);
  if (trusted && trusted->id() != key->id()) {
    return broken("AUDIT_KEY", fmt::format("the head is signed by key {}, not by {}",
                                           to_hex(key->id()), to_hex(trusted->id())));
  }
  const Result<Bytes> bytes = from_hex(signed_head.signature());
  const Result<RawSignature> signature =
      bytes ? parse_signature(key->algorithm(), *bytes) : Result<RawSignature>(bytes.error());
  if (!signature || !key->verify(digest_of(*head), *signature)) {
    return broken("AUDIT_SIGNATURE", "the head is not what was signed");
  }
  return {};
}

// Of a gateway before 0.2, which wrote no hashes.
bool is_older_than_the_chain(const v1::AuditEntry& entry) {
  return entry.hash() == to_hex(Digest{});
}

Status follow(AuditChain& chain, const v1::AuditEntry& entry) {
  const Result<Digest> previous = parse_digest(entry.previous_hash());
  const Result<Digest> hash = parse_digest(entry.hash());
  if (!previous || !hash) {
    return broken("AUDIT_CHANGED", fmt::format("entry {} has no hash", entry.sequence()));
  }
  return chain.next({.sequence = entry.sequence(),
                     .wall = Millis{entry.time_ms()},
                     .actor = entry.actor(),
                     .known = entry.known(),
                     .from = entry.from(),
                     .request_id = entry.request_id(),
                     .action = entry.action(),
                     .subject = entry.subject(),
                     .before = entry.before(),
                     .after = entry.after(),
                     .detail = entry.detail()},
                    *previous, *hash);
}

}  // namespace

Result<AuditLog> read_audit_log(std::string_view text) {
  AuditLog log;
  // A head alone may have been printed for people, over several lines.
  v1::AuditLine whole;
  const google::protobuf::StringPiece all(text.data(), text.size());
  if (text.size() <= kHeadBytesMax &&
      google::protobuf::util::JsonStringToMessage(all, &whole).ok() && whole.has_head() &&
      whole.head().has_public_key_pem()) {
    log.head = std::move(*whole.mutable_head());
    return log;
  }
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty()) continue;
    if (Status taken = take(log, line, number); !taken) return taken.error();
  }
  if (!log.head.has_public_key_pem()) {
    return invalid("BAD_AUDIT_FILE",
                   "no signed head: the file is cut off, or not of "
                   "`covey admin audit export`");
  }
  return log;
}

std::string write_audit_log(const AuditLog& log) {
  std::string text;
  v1::AuditLine line;
  for (const v1::AuditEntry& entry : log.entries) {
    *line.mutable_entry() = entry;
    text += line_of(line);
  }
  *line.mutable_head() = log.head;
  return text + line_of(line);
}

Status verify_audit_log(const AuditLog& log, const AuditTrust& trust) {
  AuditChain chain;
  std::optional<AuditHead> earlier;
  if (trust.earlier) {
    if (Status good = check_signature(*trust.earlier, trust.key); !good) return good;
    const Result<PublicKey> key = PublicKey::from_pem(trust.earlier->public_key_pem());
    if (!key) return key.error();
    if (Status good = check_signature(log.head, *key); !good) return good;
    const Result<AuditHead> head = head_of(*trust.earlier);
    if (!head) return head.error();
    earlier = *head;
    chain.watch_for(*earlier);
  } else if (Status good = check_signature(log.head, trust.key); !good) {
    return good;
  }
  for (const v1::AuditEntry& entry : log.entries) {
    if (chain.last() == 0 && is_older_than_the_chain(entry)) continue;
    if (Status fits = follow(chain, entry); !fits) return fits;
  }
  const Result<AuditHead> head = head_of(log.head);
  if (!head) return head.error();
  if (Status ends = chain.check(*head); !ends) return ends;
  return earlier ? chain.check(*earlier) : Status();
}

}  // namespace covey::cli
