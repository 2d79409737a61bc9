// SPDX-License-Identifier: Apache-2.0
// `covey key sign`, `export` and `attach`: signatures of root documents and releases, made here or
// elsewhere. No site is needed.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/files/artifact_files.hpp"
#include "cli/files/files.hpp"
#include "cli/files/root_file.hpp"
#include "deploy/signing/key_file.hpp"

namespace covey::cli {
namespace {

struct SignOptions {
  std::string file;
  std::string out;
  std::string key;
  std::string signature;
  std::string public_key;
};

int save_signed(const Invocation& invocation, const std::string& path, const RootFile& file,
                const KeyId& id) {
  if (Status saved = write_root(path, file.document); !saved) {
    return invocation.fail(saved.error());
  }
  const uint32_t found = count_root_signatures(file.root, file.document);
  nlohmann::ordered_json json = json_of(file);
  json["signed_by"] = to_hex(id);
  return invocation.print_json(json, [&] {
    const RootKey* key = file.root.find(id);
    const bool counts = key != nullptr && key->root;
    return fmt::format(
        "Signed by {}{}. Root keys of version {} that have signed: {} of the {} "
        "that it takes.\n",
        to_hex(id), counts ? "" : ", no root key of this version: it counts for the one before",
        file.root.version, found, file.root.root_threshold);
  });
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

int sign_file(const Invocation& invocation, const SignOptions& options) {
  const Result<PrivateKey> key = read_private_key(options.key);
  if (!key) return invocation.fail(key.error());
  if (is_folder(options.file)) {
    Result<BuiltRelease> release = load_release(options.file);
    if (!release) return invocation.fail(release.error());
    Status done = sign_release(*release, *key);
    if (done) done = save_signatures(*release, options.file);
    if (!done) return invocation.fail(done.error());
    return invocation.print_json(
        {{"folder", options.file}, {"signed_by", to_hex(key->public_key().id())}},
        [&] { return fmt::format("Signed by {}.\n", to_hex(key->public_key().id())); });
  }
  Result<RootFile> file = read_root(options.file);
  if (!file) return invocation.fail(file.error());
  const Result<Signature> signature = try_sign(*key, signed_digest(file->document.root));
  if (!signature) return invocation.fail(signature.error());
  Status added = add_signature(file->document, *signature);
  if (!added) return invocation.fail(added.error());
  return save_signed(invocation, options.file, *file, key->public_key().id());
}

int export_content(const Invocation& invocation, const SignOptions& options) {
  const Result<RootFile> file = read_root(options.file);
  if (!file) return invocation.fail(file.error());
  const Bytes content = signed_content(file->document.root);
  const std::string out = options.out.empty() ? options.file + ".content" : options.out;
  if (Status saved = write_file(out, content); !saved) return invocation.fail(saved.error());
  const Digest digest = signed_digest(file->document.root);
  if (Status saved = write_file(out + ".sha256", digest.bytes); !saved) {
    return invocation.fail(saved.error());
  }
  return invocation.print_json(
      {{"content", out}, {"digest", out + ".sha256"}, {"sha256", to_hex(digest)}}, [&] {
        return fmt::format(
            "{0}: what ES256 signs (openssl dgst -sha256 -sign)\n{0}.sha256: what Ed25519 signs "
            "(openssl pkeyutl -sign -rawin)\nSHA-256 {1}\nNext: covey key attach {2} --signature "
            "FILE --public-key FILE\n",
            escaped(out), to_hex(digest), escaped(options.file));
      });
}

int attach(const Invocation& invocation, const SignOptions& options) {
  Result<RootFile> file = read_root(options.file);
  if (!file) return invocation.fail(file.error());
  const Result<PublicKey> key = read_public_key(options.public_key);
  if (!key) return invocation.fail(key.error());
  const Result<Bytes> bytes = read_file(options.signature, 1024);
  if (!bytes) return invocation.fail(bytes.error());
  const Result<RawSignature> raw = parse_signature(key->algorithm(), *bytes);
  if (!raw) return invocation.fail(raw.error());
  if (!key->verify(signed_digest(file->document.root), *raw)) {
    return invocation.fail(
        invalid("SIGNATURE_INVALID",
                fmt::format("{} is no signature of {} by key {}: `covey key export` writes what is "
                            "to be signed",
                            options.signature, options.file, to_hex(key->id()))));
  }
  Status added =
      add_signature(file->document, {static_cast<uint32_t>(key->algorithm()), key->id(), *raw});
  if (!added) return invocation.fail(added.error());
  return save_signed(invocation, options.file, *file, key->id());
}

}  // namespace

void add_key_sign_commands(CLI::App& key, Invocation& invocation) {
  const auto options = std::make_shared<SignOptions>();
  CLI::App* sign = key.add_subcommand("sign", "Sign a root document or a release; needs no site");
  sign->add_option("what", options->file, "Root document, or folder of `covey model build`")
      ->required();
  sign->add_option("--key", options->key,
                   "Private key (PEM, mode 0600), or pkcs11:...; also $COVEY_KEY_FILE")
      ->envname("COVEY_KEY_FILE")
      ->required();
  sign->footer("Example:\n  covey key sign root.1.bin --key a.pem");
  on(sign, invocation, [&invocation, options] { return sign_file(invocation, *options); });
  CLI::App* content =
      key.add_subcommand("export", "What is to be signed of a root document, for other tools");
  content->add_option("file", options->file, "Root document")->required();
  content->add_option("--out", options->out, "File; FILE.content if left out");
  content->footer(
      "Example:\n  covey key export root.1.bin\n"
      "  openssl dgst -sha256 -sign hsm.pem -out s.der root.1.bin.content\n"
      "  covey key attach root.1.bin --signature s.der --public-key hsm.pub.pem");
  on(content, invocation, [&invocation, options] { return export_content(invocation, *options); });
  CLI::App* back = key.add_subcommand("attach", "Add a signature that was made elsewhere");
  back->add_option("file", options->file, "Root document")->required();
  back->add_option("--signature", options->signature, "Raw or DER")->required();
  back->add_option("--public-key", options->public_key, "Of whoever made it")->required();
  back->footer(
      "For a release: covey model sign FOLDER --signature FILE --public-key FILE.\n"
      "Example:\n  covey key attach root.1.bin --signature s.der --public-key hsm.pub.pem");
  on(back, invocation, [&invocation, options] { return attach(invocation, *options); });
}

}  // namespace covey::cli
