// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "deploy/artifact/manifest.hpp"

#include <fmt/format.h>

#include "deploy/artifact/signature_wire.hpp"

namespace covey {
namespace {

constexpr std::string_view kSignedReason = "MANIFEST_MALFORMED";
const wire::Reader kSignedReader("signed_manifest", kSignedReason);

Error wrong_signed(std::string_view field, std::string_view problem) {
  return kSignedReader.error(field, problem);
}

}  // namespace

Result<Bytes> encode(const SignedManifest& manifest) {
  if (manifest.manifest.empty() || manifest.manifest.size() > kManifestBytesMax) {
    return wrong_signed("manifest", fmt::format("expected 1 to {} bytes", kManifestBytesMax));
  }
  if (manifest.signatures.size() > kSignaturesMax) {
    return wrong_signed("signatures", fmt::format("has more than {} entries", kSignaturesMax));
  }
  wire::Writer writer;
  writer.bytes(1, manifest.manifest);
  for (const Signature& signature : manifest.signatures) {
    writer.element(2, encode_signature(signature));
  }
  return writer.take();
}

Result<SignedManifest> decode_signed_manifest(ByteView bytes) {
  if (bytes.size() > kSignedManifestBytesMax) {
    return invalid(std::string(kSignedReason),
                   fmt::format("signed_manifest: has {} bytes, at most {} are allowed",
                               bytes.size(), kSignedManifestBytesMax));
  }
  const Result<std::vector<wire::Field>> fields = wire::split(bytes);
  if (!fields)
    return invalid(std::string(kSignedReason), "signed_manifest: " + fields.error().message);
  SignedManifest result;
  for (const wire::Field& field : *fields) {
    ByteView value;
    if (field.number == 1) {
      if (!result.manifest.empty()) return wrong_signed("manifest", "is given twice");
      if (Status read = kSignedReader.bytes(field, "manifest", kManifestBytesMax, value); !read) {
        return read.error();
      }
      result.manifest.assign(value.begin(), value.end());
    } else if (field.number == 2) {
      if (Status read = kSignedReader.bytes(field, "signatures", 256, value); !read)
        return read.error();
      if (result.signatures.size() >= kSignaturesMax) {
        return wrong_signed("signatures", fmt::format("has more than {} entries", kSignaturesMax));
      }
      Result<Signature> signature = read_signature(kSignedReader, value);
      if (!signature) return signature.error();
      result.signatures.push_back(*signature);
    }
  }
  if (result.manifest.empty()) return wrong_signed("manifest", "is missing");
  return result;
}

}  // namespace covey
