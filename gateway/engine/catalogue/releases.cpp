// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "gateway/engine/catalogue/catalogue.hpp"
#include "gateway/engine/catalogue/own.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/queries/existence.hpp"
#include "gateway/engine/queries/uses.hpp"

namespace covey::engine {
namespace {

monitoring::Baseline baseline_of(const GatewayPart& part) {
  monitoring::Baseline baseline;
  for (const FeatureBaseline& feature : part.features) {
    baseline.features.push_back({.name = feature.name,
                                 .edges = feature.edges,
                                 .counts = feature.counts,
                                 .min = feature.min,
                                 .max = feature.max});
  }
  baseline.class_names = part.classes;
  baseline.classes = part.class_counts;
  for (const CalibrationBin& bin : part.calibration) {
    baseline.confidence.push_back(bin.n);
    baseline.confidence_correct.push_back(bin.correct);
  }
  baseline.confusion.assign(part.confusion.begin(), part.confusion.end());
  return baseline;
}

bool same_artifacts(const ReleaseRecord& stored, const CreateRelease& command) {
  return std::equal(stored.artifacts.begin(), stored.artifacts.end(), command.artifacts.begin(),
                    command.artifacts.end(),
                    [](const auto& a, const auto& b) { return a.artifact->digest == b->digest; });
}

// Takes back what devices could fetch of it, but for what another release has too.
void withdraw_release(Turn& turn, const ReleaseRecord& release) {
  std::set<Digest> kept;
  for (const auto& [id, other] : turn.state.catalogue.releases) {
    for (const ArtifactRecord& record : other.artifacts) {
      kept.insert(record.artifact->manifest.chunk_table_digest);
      kept.insert(record.artifact->manifest.tables_digest);
    }
  }
  for (const ArtifactRecord& record : release.artifacts) {
    const Manifest& manifest = record.artifact->manifest;
    for (const Digest& blob :
         {record.artifact->digest, manifest.chunk_table_digest, manifest.tables_digest}) {
      if (!kept.contains(blob)) turn.emit(PublishBlob{blob, record.artifact, {}});
    }
  }
}

// What the author signed is the same: signatures by trusted keys are added, those of keys that are
// not trusted (any more) make room.
std::vector<Signature> joined(const TrustStore& trust, const std::vector<Signature>& fresh,
                              const std::vector<Signature>& stored) {
  std::vector<Signature> all;
  for (const bool trusted : {true, false}) {
    for (const std::vector<Signature>* some : {&fresh, &stored}) {
      for (const Signature& signature : *some) {
        const auto algorithm = signature_algorithm_from_wire(signature.algorithm);
        const bool known = algorithm && trust.find(*algorithm, signature.key_id) != nullptr;
        const bool there = std::any_of(all.begin(), all.end(), [&](const Signature& other) {
          return other.key_id == signature.key_id;
        });
        if (known == trusted && !there && all.size() < kSignaturesMax) all.push_back(signature);
      }
    }
  }
  return all;
}

// True: it has other signatures now.
Result<bool> add_signatures(const TrustStore& trust, ArtifactRecord& record,
                            const Artifact& pushed) {
  const Result<KeyId> signer = trust.verify(pushed.digest, pushed.signed_manifest.signatures);
  if (!signer) return signer.error();
  const std::vector<Signature>& stored = record.artifact->signed_manifest.signatures;
  std::vector<Signature> all = joined(trust, pushed.signed_manifest.signatures, stored);
  const bool news = std::any_of(all.begin(), all.end(), [&](const Signature& signature) {
    return std::find(stored.begin(), stored.end(), signature) == stored.end();
  });
  // A signature is another each time that it is made: the same keys are nothing new.
  const bool vouched = trust.verify(record.artifact->digest, stored).ok();
  const bool other_keys = std::any_of(all.begin(), all.end(), [&](const Signature& signature) {
    return std::none_of(stored.begin(), stored.end(),
                        [&](const Signature& known) { return known.key_id == signature.key_id; });
  });
  if (!news || (vouched && !other_keys)) return false;
  Artifact artifact = *record.artifact;
  artifact.signed_manifest.signatures = std::move(all);
  Result<Bytes> bytes = encode(artifact.signed_manifest);
  if (!bytes) return bytes.error();
  artifact.signed_manifest_bytes = *std::move(bytes);
  artifact.signed_by = *signer;
  record.artifact = std::make_shared<const Artifact>(std::move(artifact));
  return true;
}

Result<CommandReply> countersign(Turn& turn, ReleaseRecord& stored, const CreateRelease& command) {
  CatalogueState& catalogue = own_catalogue(turn);
  ReleaseRecord release = stored;
  bool changed = false;
  for (size_t i = 0; i < release.artifacts.size(); ++i) {
    Result<bool> added =
        add_signatures(catalogue.trust, release.artifacts[i], *command.artifacts[i]);
    if (!added) return added.error();
    changed = changed || *added;
  }
  CommandReply reply{.subject = to_string(command.release), .already_existed = !changed};
  if (!changed) return reply;
  reply.changed = 1;
  for (const ArtifactRecord& record : release.artifacts) know(catalogue, record);
  judge_signatures(catalogue);
  turn.write(PutRelease{release});
  publish_release(turn, release);
  stored = std::move(release);
  return reply;
}

}  // namespace

void know(CatalogueState& catalogue, const ArtifactRecord& record) {
  KnownArtifact known{.release = record.release,
                      .artifact = record.artifact,
                      .baseline = baseline_of(record.artifact->gateway_part),
                      .shape = {},
                      .withheld = {}};
  known.shape = monitoring::shape_of(known.baseline);
  const size_t nodes = record.artifact->tables.joint.size();
  known.shape.joint = nodes == 0 ? 0 : nodes + 1;
  catalogue.prefixes[prefix_of(record.artifact->digest)] = record.artifact->digest;
  catalogue.artifacts.insert_or_assign(record.artifact->digest, std::move(known));
}

const KnownArtifact* artifact_of(const State& state, const ModelName& model,
                                 const Digest& manifest) {
  const auto known = state.catalogue.artifacts.find(manifest);
  if (known == state.catalogue.artifacts.end()) return nullptr;
  return known->second.release.model == model ? &known->second : nullptr;
}

Result<CommandReply> create_release(Turn& turn, const CreateRelease& command) {
  CatalogueState& catalogue = own_catalogue(turn);
  if (command.artifacts.empty()) return invalid("NO_ARTIFACT", "artifacts: at least one");
  const auto existing = catalogue.releases.find(command.release);
  if (existing != catalogue.releases.end()) {
    const bool same = same_artifacts(existing->second, command);
    if (same) return countersign(turn, existing->second, command);
    return Error{Code::kAlreadyExists, "RELEASE_EXISTS",
                 to_string(command.release) +
                     " exists with other content: releases never change, push a new version"};
  }
  const auto deleted = catalogue.deleted.find(command.release);
  if (deleted != catalogue.deleted.end() && !same_artifacts(deleted->second, command)) {
    return Error{Code::kAlreadyExists, "RELEASE_EXISTS",
                 to_string(command.release) +
                     " existed with other content before it was deleted: releases never change, "
                     "push a new version"};
  }
  std::set<DeviceClass> classes;
  ReleaseRecord release{.id = command.release,
                        .artifacts = {},
                        .create_wall = turn.now.wall,
                        .source = command.source};
  for (const std::shared_ptr<const Artifact>& artifact : command.artifacts) {
    if (artifact->manifest.release() != command.release) {
      return invalid("RELEASE_MISMATCH", "a manifest is of " +
                                             to_string(artifact->manifest.release()) + ", not of " +
                                             to_string(command.release));
    }
    // Opened against a copy of the trust store: ask again, a key may be gone by now.
    const Result<KeyId> signer =
        catalogue.trust.verify(artifact->digest, artifact->signed_manifest.signatures);
    if (!signer) return signer.error();
    const auto known = catalogue.artifacts.find(artifact->digest);
    if (known != catalogue.artifacts.end() && known->second.release != command.release) {
      return Error{Code::kAlreadyExists, "ARTIFACT_EXISTS",
                   "manifest " + short_hex(artifact->digest) + " belongs to " +
                       to_string(known->second.release)};
    }
    for (const DeviceClass& device_class : artifact->manifest.device_classes) {
      if (!classes.insert(device_class).second) {
        return invalid("CLASS_TWICE", "two artifacts are for class " + device_class.str());
      }
    }
    release.artifacts.push_back(
        {command.release, static_cast<uint32_t>(release.artifacts.size()), artifact});
  }
  for (const ArtifactRecord& record : release.artifacts) know(catalogue, record);
  turn.write(PutRelease{release});
  publish_release(turn, release);
  catalogue.releases.emplace(command.release, std::move(release));
  catalogue.deleted.erase(command.release);
  return CommandReply{.subject = to_string(command.release), .changed = 1};
}

Result<CommandReply> delete_release(Turn& turn, const DeleteRelease& command) {
  CatalogueState& catalogue = own_catalogue(turn);
  if (Status known = expect_release(turn.state, command.release); !known) return known.error();
  ReleaseRecord release = catalogue.releases.at(command.release);
  if (Status unused = refuse_used(turn.state, release); !unused) return unused.error();
  catalogue.releases.erase(command.release);
  withdraw_release(turn, release);
  release.delete_wall = turn.now.wall;
  for (ArtifactRecord& record : release.artifacts) {
    record.artifact = std::make_shared<const Artifact>(without_image(*record.artifact));
    know(catalogue, record);
  }
  turn.write(PutRelease{release});
  catalogue.deleted.emplace(command.release, std::move(release));
  return CommandReply{.subject = to_string(command.release), .changed = 1};
}

}  // namespace covey::engine
