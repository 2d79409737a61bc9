// SPDX-License-Identifier: Apache-2.0
#include "deploy/root/root.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/assert.hpp"
#include "deploy/artifact/signature_wire.hpp"
#include "deploy/signing/sha256.hpp"

namespace covey {
namespace {

constexpr size_t kKeyBytesMax = 65;
constexpr std::string_view kRootReason = "ROOT_MALFORMED";
constexpr std::string_view kPrefix("covey root\0", 11);
constexpr uint32_t kRootBit = 1;
constexpr uint32_t kAuthorBit = 2;
const wire::Reader kRootReader("root", kRootReason);

Error wrong_root(std::string_view field, std::string_view problem) {
  return kRootReader.error(field, problem);
}

Status check_threshold(std::string_view name, uint32_t threshold, uint32_t keys, uint32_t most) {
  if (threshold >= 1 && threshold <= std::min(keys, most)) return {};
  return wrong_root(name, fmt::format("is {}; expected 1 to {}: {} keys have that role, and {} "
                                      "signatures are the most",
                                      threshold, std::min(keys, most), keys, most));
}

// Each number once.
Status read_once(const wire::Field& field, std::string_view name, uint32_t& seen, uint32_t& out) {
  if ((seen >> field.number & 1U) != 0) return wrong_root(name, "is given twice");
  seen |= 1U << field.number;
  return kRootReader.u32(field, name, out);
}

Result<RootKey> read_root_key(ByteView bytes) {
  const Result<std::vector<wire::Field>> fields = wire::split(bytes);
  if (!fields) return wrong_root("keys", fields.error().message);
  uint32_t algorithm = 0;
  uint32_t roles = 0;
  uint32_t seen = 0;
  ByteView raw;
  for (const wire::Field& field : *fields) {
    Status read;
    if (field.number == 1) {
      read = read_once(field, "keys.algorithm", seen, algorithm);
    } else if (field.number == 2) {
      if (!raw.empty()) return wrong_root("keys.key", "is given twice");
      read = kRootReader.bytes(field, "keys.key", kKeyBytesMax, raw);
    } else if (field.number == 3) {
      read = read_once(field, "keys.roles", seen, roles);
    }
    if (!read) return read.error();
  }
  const auto known = signature_algorithm_from_wire(algorithm);
  if (!known) return wrong_root("keys.algorithm", "expected 1 (ES256) or 2 (ED25519)");
  if (roles == 0 || (roles & ~(kRootBit | kAuthorBit)) != 0) {
    return wrong_root("keys.roles", "expected 1 (root), 2 (author) or 3 (both)");
  }
  Result<PublicKey> key = PublicKey::from_raw(*known, raw);
  if (!key) return wrong_root("keys.key", key.error().message);
  return RootKey{*std::move(key), (roles & kRootBit) != 0, (roles & kAuthorBit) != 0};
}

Error root_not_signed(uint32_t found, uint32_t needed, uint32_t version, uint32_t by) {
  return invalid("ROOT_NOT_SIGNED",
                 fmt::format("version {} has {} of the {} signatures that it needs by root keys of "
                             "version {}: `covey key sign FILE --key KEY` adds one",
                             version, found, needed, by));
}

}  // namespace

uint32_t Root::roots() const {
  return static_cast<uint32_t>(
      std::count_if(keys.begin(), keys.end(), [](const RootKey& key) { return key.root; }));
}

uint32_t Root::authors() const {
  return static_cast<uint32_t>(
      std::count_if(keys.begin(), keys.end(), [](const RootKey& key) { return key.author; }));
}

const RootKey* Root::find(const KeyId& id) const {
  const auto found = std::find_if(keys.begin(), keys.end(),
                                  [&](const RootKey& key) { return key.key.id() == id; });
  return found == keys.end() ? nullptr : &*found;
}

Status validate(const Root& root) {
  if (root.version == 0) return wrong_root("version", "is 0; the first one is 1");
  if (root.keys.empty() || root.keys.size() > kRootKeysMax) {
    return wrong_root(
        "keys", fmt::format("has {} entries; expected 1 to {}", root.keys.size(), kRootKeysMax));
  }
  for (const RootKey& key : root.keys) {
    if (!key.root && !key.author) return wrong_root("keys.roles", "a key has none");
    if (root.find(key.key.id()) != &key) {
      return wrong_root("keys", fmt::format("names {} twice: two signatures of one key are one",
                                            to_hex(key.key.id())));
    }
  }
  Status good =
      check_threshold("root_threshold", root.root_threshold, root.roots(), kRootSignaturesMax);
  if (!good) return good;
  return check_threshold("author_threshold", root.author_threshold, root.authors(),
                         kAuthorThresholdMax);
}

Result<Bytes> encode(const Root& root) {
  if (Status good = validate(root); !good) return good.error();
  wire::Writer writer;
  writer.varint(1, Root::kFormat)
      .varint(2, root.version)
      .varint(3, root.root_threshold)
      .varint(4, root.author_threshold);
  for (const RootKey& key : root.keys) {
    wire::Writer inner;
    inner.varint(1, static_cast<uint64_t>(key.key.algorithm()))
        .bytes(2, key.key.raw())
        .varint(3, (key.root ? kRootBit : 0) | (key.author ? kAuthorBit : 0));
    writer.element(5, inner.take());
  }
  Bytes bytes = writer.take();
  COVEY_ASSERT(bytes.size() <= kRootBytesMax);
  return bytes;
}

Result<Root> decode_root(ByteView bytes) {
  if (bytes.size() > kRootBytesMax) {
    return wrong_root("document", fmt::format("has {} bytes, at most {} are allowed", bytes.size(),
                                              kRootBytesMax));
  }
  const Result<std::vector<wire::Field>> fields = wire::split(bytes);
  if (!fields) return wrong_root("document", fields.error().message);
  Root root;
  uint32_t format = 0;
  uint32_t seen = 0;
  for (const wire::Field& field : *fields) {
    Status read;
    if (field.number == 1) {
      read = read_once(field, "format", seen, format);
    } else if (field.number == 2) {
      read = read_once(field, "version", seen, root.version);
    } else if (field.number == 3) {
      read = read_once(field, "root_threshold", seen, root.root_threshold);
    } else if (field.number == 4) {
      read = read_once(field, "author_threshold", seen, root.author_threshold);
    } else if (field.number == 5) {
      ByteView value;
      read = kRootReader.bytes(field, "keys", 128, value);
      if (!read) return read.error();
      if (root.keys.size() >= kRootKeysMax) {
        return wrong_root("keys", fmt::format("has more than {} entries", kRootKeysMax));
      }
      Result<RootKey> key = read_root_key(value);
      if (!key) return key.error();
      root.keys.push_back(*std::move(key));
    }
    if (!read) return read.error();
  }
  if (format != Root::kFormat) {
    return wrong_root("format", fmt::format("is {}; this program knows {}", format, Root::kFormat));
  }
  if (Status good = validate(root); !good) return good.error();
  return root;
}

Result<Bytes> encode(const SignedRoot& root) {
  if (root.root.empty() || root.root.size() > kRootBytesMax) {
    return wrong_root("document", fmt::format("expected 1 to {} bytes", kRootBytesMax));
  }
  if (root.signatures.size() > kRootSignaturesMax) {
    return wrong_root("signatures", fmt::format("has more than {} entries", kRootSignaturesMax));
  }
  wire::Writer writer;
  writer.bytes(1, root.root);
  for (const Signature& signature : root.signatures) {
    writer.element(2, encode_signature(signature));
  }
  return writer.take();
}

Result<SignedRoot> decode_signed_root(ByteView bytes) {
  if (bytes.size() > kSignedRootBytesMax) {
    return wrong_root("document",
                      fmt::format("has {} bytes with its signatures, at most {} are allowed",
                                  bytes.size(), kSignedRootBytesMax));
  }
  const Result<std::vector<wire::Field>> fields = wire::split(bytes);
  if (!fields) return wrong_root("document", fields.error().message);
  SignedRoot result;
  for (const wire::Field& field : *fields) {
    ByteView value;
    if (field.number == 1) {
      if (!result.root.empty()) return wrong_root("document", "is given twice");
      Status read = kRootReader.bytes(field, "document", kRootBytesMax, value);
      if (!read) return read.error();
      result.root.assign(value.begin(), value.end());
    } else if (field.number == 2) {
      Status read = kRootReader.bytes(field, "signatures", 128, value);
      if (!read) return read.error();
      if (result.signatures.size() >= kRootSignaturesMax) {
        return wrong_root("signatures",
                          fmt::format("has more than {} entries", kRootSignaturesMax));
      }
      Result<Signature> signature = read_signature(kRootReader, value);
      if (!signature) return signature.error();
      result.signatures.push_back(*signature);
    }
  }
  if (result.root.empty()) return wrong_root("document", "is missing");
  return result;
}

Bytes signed_content(ByteView root) {
  Bytes content(kPrefix.begin(), kPrefix.end());
  content.insert(content.end(), root.begin(), root.end());
  return content;
}

Digest signed_digest(ByteView root) { return sha256(signed_content(root)); }

uint32_t count_root_signatures(const Root& by, const SignedRoot& document) {
  const Digest digest = signed_digest(document.root);
  uint32_t count = 0;
  for (const RootKey& key : by.keys) {
    if (!key.root) continue;
    const bool good = std::any_of(
        document.signatures.begin(), document.signatures.end(), [&](const Signature& signature) {
          return signature.key_id == key.key.id() &&
                 signature.algorithm == static_cast<uint32_t>(key.key.algorithm()) &&
                 key.key.verify(digest, signature.bytes).ok();
        });
    if (good) ++count;
  }
  return count;
}

Result<Root> open_root(const Root* current, const SignedRoot& next) {
  Result<Root> root = decode_root(next.root);
  if (!root) return root.error();
  if (current != nullptr && root->version <= current->version) {
    return precondition("ROOT_STALE", fmt::format("version {} is not newer than version {}, which "
                                                  "is in force: versions only rise",
                                                  root->version, current->version));
  }
  if (current != nullptr && root->version != current->version + 1) {
    return precondition("ROOT_SKIPS", fmt::format("version {} does not follow version {}: one "
                                                  "version after the other",
                                                  root->version, current->version));
  }
  for (const Root* by : {current, static_cast<const Root*>(&*root)}) {
    if (by == nullptr) continue;
    const uint32_t found = count_root_signatures(*by, next);
    if (found < by->root_threshold) {
      return root_not_signed(found, by->root_threshold, root->version, by->version);
    }
  }
  return root;
}

TrustStore authors_of(const Root& root) {
  TrustStore store(root.author_threshold);
  for (const RootKey& key : root.keys) {
    if (key.author) COVEY_ASSERT(store.add(key.key).ok());
  }
  return store;
}

}  // namespace covey
