// SPDX-License-Identifier: Apache-2.0
// Puts the pieces of one CreateRelease stream together: everything is bounded by what the signed
// manifests of the header promise, before a byte is kept. One thread at a time.
// Errors: those of decode_manifest, and UPLOAD_ORDER, UPLOAD_TOO_LARGE, UPLOAD_INCOMPLETE,
// NO_ARTIFACT, RELEASE_MISMATCH.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/limits.hpp"
#include "core/result.hpp"
#include "covey/v1/models.pb.h"
#include "deploy/artifact/artifact.hpp"

namespace covey::api {

using Artifacts = std::vector<std::shared_ptr<const Artifact>>;

class UploadAssembly {
 public:
  Status take(const v1::CreateReleaseRequest& part);
  bool has_header() const { return has_header_; }
  // Of all images, as the header's manifests say.
  uint64_t bytes() const;
  // Once the header has come: whether somebody trusted signed every manifest of it. Before an image
  // is waited for; about a millisecond, not on gRPC's threads.
  Status check_signatures(const TrustStore& trusted) const;
  // After the last part.
  Status complete() const;
  const ReleaseId& release() const { return release_; }
  const std::string& source() const { return source_; }
  // Opens every artifact against `trusted` and runs its self-test. Slow: not on gRPC's threads.
  Result<Artifacts> verify(const TrustStore& trusted);

 private:
  Status take_header(const v1::ReleaseHeader& header);
  Status take_piece(const v1::ImagePiece& piece);

  struct Part {
    ArtifactUpload upload;
    uint32_t image_size_bytes = 0;
  };
  bool has_header_ = false;
  ReleaseId release_;
  std::string source_;
  std::vector<Part> parts_;
  size_t current_ = 0;  // the image that pieces belong to
};

}  // namespace covey::api
