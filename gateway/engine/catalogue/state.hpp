// SPDX-License-Identifier: Apache-2.0
// The catalogue's part of the state: who may sign, which releases there are. Changed by
// gateway/engine/catalogue only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "deploy/artifact/artifact.hpp"
#include "deploy/root/root.hpp"
#include "deploy/signing/keys.hpp"
#include "gateway/engine/messages.hpp"
#include "monitoring/counts/baseline.hpp"
#include "storage/records.hpp"

namespace covey::engine {

// An artifact and what is derived from it once.
struct KnownArtifact {
  ReleaseId release;
  std::shared_ptr<const Artifact> artifact;
  monitoring::Baseline baseline;
  monitoring::Shape shape;
  std::string withheld;  // why it is offered to nobody: who signed it is not trusted
};

struct CatalogueState {
  std::map<std::string, TrustedKeyRecord> trusted_keys;
  std::map<uint32_t, RootRecord> roots;
  std::shared_ptr<const Root> root;  // the newest; nullptr: trusted_keys decide
  TrustStore trust;                  // who may sign now
  std::map<ReleaseId, ReleaseRecord> releases;
  // By operators. Nothing can be done with one any more, but what names it has its words, and its
  // version stays taken.
  std::map<ReleaseId, ReleaseRecord> deleted;
  // Of all of them.
  std::unordered_map<Digest, KnownArtifact> artifacts;
  std::map<Prefix, Digest> prefixes;
};

}  // namespace covey::engine
