// SPDX-License-Identifier: Apache-2.0
// Root documents as files: read, written, and their next version as somebody wants it. One thread.
// Errors name the file: those of cli/files/files.hpp, deploy/root and deploy/signing/key_file.hpp,
// KEY_TWICE, NOT_FOUND, SIGNATURES_FULL.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/result.hpp"
#include "deploy/root/root.hpp"

namespace covey::cli {

struct RootFile {
  SignedRoot document;
  Root root;
};

Result<RootFile> read_root(const std::string& path);
Status write_root(const std::string& path, const SignedRoot& document);

// The public key in a file, as an author or as a key of the root. A key is there once, with all
// roles that it was given.
Status give_role(Root& root, const std::string& file, bool author);
Status take_role(Root& root, const std::string& id, bool author);

// One of each key.
Status add_signature(SignedRoot& document, const Signature& signature);

nlohmann::ordered_json json_of(const RootFile& file);

}  // namespace covey::cli
