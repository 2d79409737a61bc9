// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/upload_assembly.hpp"

#include <fmt/format.h>

#include <string>

#include "gateway/adapters/runner/self_test.hpp"
#include "gateway/api/names.hpp"

namespace covey::api {
namespace {

Result<Bytes> bounded(const std::string& bytes, size_t bytes_max, const std::string& field) {
  if (bytes.size() > bytes_max) {
    return invalid("UPLOAD_TOO_LARGE",
                   fmt::format("{}: {} bytes, at most {}", field, bytes.size(), bytes_max));
  }
  return Bytes(bytes.begin(), bytes.end());
}

}  // namespace

Status UploadAssembly::take(const v1::CreateReleaseRequest& part) {
  switch (part.part_case()) {
    case v1::CreateReleaseRequest::kHeader:
      return take_header(part.header());
    case v1::CreateReleaseRequest::kPiece:
      return take_piece(part.piece());
    case v1::CreateReleaseRequest::PART_NOT_SET:
      break;
  }
  return invalid("UPLOAD_ORDER", "part: neither header nor piece");
}

Status UploadAssembly::take_header(const v1::ReleaseHeader& header) {
  if (has_header_) return invalid("UPLOAD_ORDER", "header: sent twice");
  Result<ReleaseId> release = release_name(header.model() + "@" + header.version(), "header");
  if (!release) return release.error();
  release_ = *std::move(release);
  if (Status text = check_text(header.source(), "header.source", kSourceBytesMax); !text) {
    return text;
  }
  source_ = header.source();
  if (header.artifacts_size() == 0) {
    return invalid("NO_ARTIFACT", "header.artifacts: at least one");
  }
  if (header.artifacts_size() > kArtifactsMax) {
    return invalid("UPLOAD_TOO_LARGE", fmt::format("header.artifacts: at most {}", kArtifactsMax));
  }
  uint64_t total = 0;
  for (int i = 0; i < header.artifacts_size(); ++i) {
    const v1::ArtifactUpload& from = header.artifacts(i);
    const std::string field = fmt::format("header.artifacts[{}]", i);
    Result<Bytes> manifest =
        bounded(from.signed_manifest(), kSignedManifestBytesMax, field + ".signed_manifest");
    if (!manifest) return manifest.error();
    Result<Bytes> tables =
        bounded(from.telemetry_tables(), kTablesBytesMax, field + ".telemetry_tables");
    if (!tables) return tables.error();
    Result<Bytes> gateway_part =
        bounded(from.gateway_part(), kGatewayPartBytesMax, field + ".gateway_part");
    if (!gateway_part) return gateway_part.error();
    const Result<SignedManifest> envelope = decode_signed_manifest(*manifest);
    if (!envelope) return envelope.error();
    const Result<Manifest> device_part = decode_manifest(envelope->manifest);
    if (!device_part) return device_part.error();
    if (device_part->release() != release_) {
      return invalid("RELEASE_MISMATCH",
                     fmt::format("{}: its manifest is of {}, not of {}", field,
                                 to_string(device_part->release()), to_string(release_)));
    }
    total += device_part->image_size_bytes;
    if (total > kImageBytesMax) {
      return Error{Code::kResourceExhausted, "UPLOAD_TOO_LARGE",
                   fmt::format("{}: the images of one release are at most {} bytes together", field,
                               kImageBytesMax)};
    }
    parts_.push_back({{*std::move(manifest), {}, *std::move(tables), *std::move(gateway_part)},
                      device_part->image_size_bytes});
  }
  has_header_ = true;
  return {};
}

Status UploadAssembly::take_piece(const v1::ImagePiece& piece) {
  if (!has_header_) return invalid("UPLOAD_ORDER", "piece: the header comes first");
  if (piece.data().size() > kPieceBytesMax || piece.data().empty()) {
    return invalid("UPLOAD_TOO_LARGE", fmt::format("piece.data: 1 to {} bytes", kPieceBytesMax));
  }
  if (piece.artifact() >= parts_.size()) {
    return invalid("UPLOAD_ORDER",
                   fmt::format("piece.artifact: the header has {} artifacts", parts_.size()));
  }
  if (piece.artifact() != current_) {
    const bool whole = parts_[current_].upload.image.size() == parts_[current_].image_size_bytes;
    if (piece.artifact() != current_ + 1 || !whole) {
      return invalid(
          "UPLOAD_ORDER",
          fmt::format("piece.artifact: images come whole and in order; {} is not complete",
                      current_));
    }
    ++current_;
  }
  Part& part = parts_[current_];
  if (part.upload.image.size() + piece.data().size() > part.image_size_bytes) {
    return invalid("OVERSIZED_IMAGE",
                   fmt::format("image {}: more than the {} bytes of its manifest", current_,
                               part.image_size_bytes));
  }
  part.upload.image.insert(part.upload.image.end(), piece.data().begin(), piece.data().end());
  return {};
}

uint64_t UploadAssembly::bytes() const {
  uint64_t total = 0;
  for (const Part& part : parts_) total += part.image_size_bytes;
  return total;
}

Status UploadAssembly::check_signatures(const TrustStore& trusted) const {
  for (const Part& part : parts_) {
    const Result<SignedManifest> envelope = decode_signed_manifest(part.upload.signed_manifest);
    if (!envelope) return envelope.error();
    const Result<KeyId> key = trusted.verify(sha256(envelope->manifest), envelope->signatures);
    if (!key) return key.error();
  }
  return {};
}

Status UploadAssembly::complete() const {
  if (!has_header_) return invalid("UPLOAD_ORDER", "header: missing");
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].upload.image.size() == parts_[i].image_size_bytes) continue;
    return invalid("TRUNCATED_IMAGE",
                   fmt::format("image {}: {} of {} bytes", i, parts_[i].upload.image.size(),
                               parts_[i].image_size_bytes));
  }
  return {};
}

Result<Artifacts> UploadAssembly::verify(const TrustStore& trusted) {
  Artifacts artifacts;
  for (Part& part : parts_) {
    Result<Artifact> artifact = open_artifact(std::move(part.upload), trusted);
    if (!artifact) return artifact.error();
    if (Status tested = run_self_test(*artifact); !tested) return tested.error();
    artifacts.push_back(std::make_shared<const Artifact>(*std::move(artifact)));
  }
  return artifacts;
}

}  // namespace covey::api
