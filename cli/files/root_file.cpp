// SPDX-License-Identifier: Apache-2.0
#include "cli/files/root_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/files/files.hpp"
#include "deploy/signing/key_file.hpp"

namespace covey::cli {

Result<RootFile> read_root(const std::string& path) {
  const Result<Bytes> bytes = read_file(path, kSignedRootBytesMax);
  if (!bytes) return bytes.error();
  const auto named = [&](Error error) {
    error.message = fmt::format("{}: {}", path, error.message);
    return error;
  };
  Result<SignedRoot> document = decode_signed_root(*bytes);
  if (!document) return named(document.error());
  Result<Root> root = decode_root(document->root);
  if (!root) return named(root.error());
  return RootFile{*std::move(document), *std::move(root)};
}

Status write_root(const std::string& path, const SignedRoot& document) {
  const Result<Bytes> bytes = encode(document);
  if (!bytes) return bytes.error();
  return write_file(path, *bytes);
}

// Each key is there once, with all the roles that it has been given.
Status give_role(Root& root, const std::string& file, bool author) {
  Result<PublicKey> key = read_public_key(file);
  if (!key) return key.error();
  auto found = std::find_if(root.keys.begin(), root.keys.end(),
                            [&](const RootKey& known) { return known.key.id() == key->id(); });
  if (found == root.keys.end()) {
    root.keys.push_back({*std::move(key), false, false});
    found = root.keys.end() - 1;
  }
  bool& role = author ? found->author : found->root;
  if (role) {
    return invalid("KEY_TWICE",
                   fmt::format("{}: {} is {} already: two signatures of one key are one", file,
                               to_hex(found->key.id()), author ? "an author" : "a root key"));
  }
  role = true;
  return {};
}

Status take_role(Root& root, const std::string& id, bool author) {
  for (auto key = root.keys.begin(); key != root.keys.end(); ++key) {
    bool& role = author ? key->author : key->root;
    if (to_hex(key->key.id()) != id || !role) continue;
    role = false;
    if (!key->author && !key->root) root.keys.erase(key);
    return {};
  }
  return not_found(fmt::format("version {} names no {} {}: `covey key root show` lists them",
                               root.version, author ? "author" : "root key", id));
}

Status add_signature(SignedRoot& document, const Signature& signature) {
  std::erase_if(document.signatures,
                [&](const Signature& known) { return known.key_id == signature.key_id; });
  if (document.signatures.size() >= kRootSignaturesMax) {
    return precondition("SIGNATURES_FULL",
                        fmt::format("it has {} signatures, as many as fit: that is enough for any "
                                    "threshold, or several were needless",
                                    kRootSignaturesMax));
  }
  document.signatures.push_back(signature);
  return {};
}

nlohmann::ordered_json json_of(const RootFile& file) {
  nlohmann::ordered_json json = {{"version", file.root.version},
                                 {"root_threshold", file.root.root_threshold},
                                 {"author_threshold", file.root.author_threshold},
                                 {"keys", nlohmann::ordered_json::array()},
                                 {"signatures", nlohmann::ordered_json::array()}};
  for (const RootKey& key : file.root.keys) {
    json["keys"].push_back({{"key_id", to_hex(key.key.id())},
                            {"algorithm", to_string(key.key.algorithm())},
                            {"root", key.root},
                            {"author", key.author}});
  }
  for (const Signature& signature : file.document.signatures) {
    json["signatures"].push_back(to_hex(signature.key_id));
  }
  return json;
}

}  // namespace covey::cli
