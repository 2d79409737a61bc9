// SPDX-License-Identifier: Apache-2.0
// Root documents: from the first one on they decide who may sign (docs/design/trust.md).
#include <fmt/format.h>

#include <algorithm>

#include "core/limits.hpp"
#include "gateway/engine/catalogue/catalogue.hpp"
#include "gateway/engine/catalogue/own.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {

namespace {

Error taken(uint32_t version) {
  return Error{Code::kAlreadyExists, "ROOT_VERSION_TAKEN",
               fmt::format("version {} is here already, with other content: two documents of one "
                           "version were made; go on from the one that the site has "
                           "(`covey key root get --version {} --out FILE`)",
                           version, version)};
}

}  // namespace

Status trust_root(CatalogueState& catalogue, RootRecord record) {
  const Result<SignedRoot> document = decode_signed_root(record.document);
  if (!document) return document.error();
  // Signatures were checked when it was imported.
  Result<Root> root = decode_root(document->root);
  if (!root) return root.error();
  catalogue.trust = authors_of(*root);
  catalogue.root = std::make_shared<const Root>(*std::move(root));
  catalogue.roots.insert_or_assign(record.version, std::move(record));
  return {};
}

void judge_signatures(CatalogueState& catalogue) {
  for (auto& [digest, known] : catalogue.artifacts) {
    const Result<KeyId> signer =
        catalogue.trust.verify(digest, known.artifact->signed_manifest.signatures);
    known.withheld = signer ? "" : signer.error().message;
  }
}

std::string withheld(const CatalogueState& catalogue, const ReleaseId& release) {
  const auto found = catalogue.releases.find(release);
  if (found == catalogue.releases.end()) return "";
  for (const ArtifactRecord& record : found->second.artifacts) {
    const std::string& why = catalogue.artifacts.at(record.artifact->digest).withheld;
    if (!why.empty()) return why;
  }
  return "";
}

void withhold_unsigned(Turn& turn, CommandReply& reply) {
  CatalogueState& catalogue = own_catalogue(turn);
  const auto names = [&] {
    std::vector<std::string> withheld_now;
    for (const auto& [id, release] : catalogue.releases) {
      if (!withheld(catalogue, id).empty()) withheld_now.push_back(to_string(id));
    }
    return withheld_now;
  };
  const std::vector<std::string> before = names();
  judge_signatures(catalogue);
  for (std::string& name : names()) {
    if (std::find(before.begin(), before.end(), name) == before.end()) {
      reply.withheld.push_back(std::move(name));
    }
  }
  reply.paused = pause_withheld(turn);
}

Result<CommandReply> import_root(Turn& turn, const ImportRoot& command) {
  CatalogueState& catalogue = own_catalogue(turn);
  const Result<SignedRoot> document = decode_signed_root(command.document);
  if (!document) return document.error();
  const Result<Root> said = decode_root(document->root);
  if (!said) return said.error();
  const auto known = catalogue.roots.find(said->version);
  if (known != catalogue.roots.end()) {
    if (decode_signed_root(known->second.document)->root != document->root) {
      return taken(said->version);
    }
    return CommandReply{.subject = fmt::format("root {}", said->version), .already_existed = true};
  }
  if (catalogue.root == nullptr && said->version != 1) {
    return precondition("ROOT_SKIPS",
                        fmt::format("version {}: this site has none yet, and devices need them "
                                    "all: begin with version 1",
                                    said->version));
  }
  const Result<Root> root = open_root(catalogue.root.get(), *document);
  if (!root) return root.error();
  if (root->version > kRootVersionsMax) {
    return Error{Code::kResourceExhausted, "TOO_MANY_ROOTS",
                 fmt::format("version {}: {} is the last that a site keeps", root->version,
                             kRootVersionsMax)};
  }
  RootRecord record{root->version, command.document, turn.now.wall};
  turn.write(PutRoot{record});
  if (Status trusted = trust_root(catalogue, std::move(record)); !trusted) return trusted.error();
  CommandReply reply{.subject = fmt::format("root {}", root->version), .changed = 1};
  withhold_unsigned(turn, reply);
  publish_root(turn, root->version);
  return reply;
}

}  // namespace covey::engine
