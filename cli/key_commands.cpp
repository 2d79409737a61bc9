// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/connect/address.hpp"
#include "covey/v1/admin.pb.h"
#include "deploy/signing/key_file.hpp"

namespace covey::cli {
namespace {

struct KeyOptions {
  std::string file = "author.pem";
  std::string algorithm = "es256";
  std::string comment;
  std::string key_id;
};

// "author.pem" -> "author.pub.pem", "team.alpha" -> "team.alpha.pub.pem": other names, other files.
std::string public_path(std::string path) {
  if (path.ends_with(".pem")) path.resize(path.size() - 4);
  return path + ".pub.pem";
}

// Both files or none.
Status write_pair(const std::string& file, const std::string& public_file, const PrivateKey& key) {
  for (const std::string& name : {file, public_file}) {
    std::error_code error;
    if (!std::filesystem::exists(std::filesystem::symlink_status(name, error))) continue;
    return Error{
        Code::kAlreadyExists, "KEY_FILE_EXISTS",
        fmt::format("{} exists; keys are never overwritten, and nothing was written: choose "
                    "another name than {}",
                    name, file)};
  }
  if (Status done = write_private_key(file, key); !done) return done;
  Status done = write_public_key(public_file, key.public_key());
  if (done) return done;
  std::error_code error;
  std::filesystem::remove(file, error);  // this very key; nobody has it yet
  return done;
}

int generate(const Invocation& invocation, const KeyOptions& options) {
  std::string upper = options.algorithm;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  Result<SignatureAlgorithm> algorithm = parse_signature_algorithm(upper);
  if (!algorithm) return invocation.fail(algorithm.error());
  Result<PrivateKey> key = PrivateKey::generate(*algorithm);
  if (!key) return invocation.fail(key.error());
  const std::string public_file = public_path(options.file);
  if (Status done = write_pair(options.file, public_file, *key); !done) {
    return invocation.fail(done.error());
  }
  const std::string id = to_hex(key->public_key().id());
  return invocation.print_json({{"key_id", id},
                                {"algorithm", upper},
                                {"private_key", options.file},
                                {"public_key", public_file}},
                               [&] {
                                 return fmt::format(
                                     "Key {} ({}).\n  private  {}   keep it off the gateway\n"
                                     "  public   {}\nNext: covey key trust {}\n",
                                     id, upper, escaped(options.file), escaped(public_file),
                                     escaped(public_file));
                               });
}

std::string keys_table(const Invocation& invocation, const v1::ListTrustedKeysResponse& list) {
  Table table({"KEY", "ALGORITHM", "ADDED", "COMMENT"});
  for (const v1::TrustedKey& key : list.keys()) {
    table.add({key.key_id(), key.algorithm(), utc(key.create_time_ms()), key.comment()});
  }
  if (table.empty()) return "No key is trusted: `covey key trust FILE` adds an author's.\n";
  return table.render(invocation.style);
}

int trust(const Invocation& invocation, const KeyOptions& options) {
  Result<PublicKey> key = read_public_key(options.file);
  if (!key) return invocation.fail(key.error());
  v1::AddTrustedKeyRequest request;
  request.set_pem(key->to_pem());
  request.set_comment(options.comment);
  return call_and_print<v1::AddTrustedKeyResponse>(invocation, request, [](const auto& r) {
    return fmt::format("Trusted key {} ({}).\n", r.key().key_id(), r.key().algorithm());
  });
}

void add_key_generate(CLI::App& key, Invocation& invocation,
                      const std::shared_ptr<KeyOptions>& options) {
  CLI::App* make = key.add_subcommand("generate", "Make a key pair; needs no site");
  make->add_option("file", options->file,
                   "Private key file; NAME.pem gives NAME.pub.pem for the public one")
      ->capture_default_str();
  make->add_option("--algorithm", options->algorithm, "es256 or ed25519")
      ->check(CLI::IsMember({"es256", "ed25519"}, CLI::ignore_case))
      ->capture_default_str();
  make->footer("Example:\n  covey key generate author.pem --algorithm ed25519");
  on(make, invocation, [&invocation, options] { return generate(invocation, *options); });
}

void add_key_public(CLI::App& key, Invocation& invocation,
                    const std::shared_ptr<KeyOptions>& options) {
  CLI::App* show = key.add_subcommand("public", "The public half of a private key (PEM)");
  show->add_option("key", options->file, "Private key file, or pkcs11:... of one in a token")
      ->required();
  show->footer(
      "A token's PIN: pin-source=file:FILE in the URI, or COVEY_PKCS11_PIN.\n"
      "Example:\n  covey key public 'pkcs11:token=release;object=author' > author.pub.pem");
  on(show, invocation, [&invocation, options] {
    const Result<PrivateKey> opened = read_private_key(options->file);
    if (!opened) return invocation.fail(opened.error());
    const PublicKey& half = opened->public_key();
    return invocation.print_json({{"key_id", to_hex(half.id())},
                                  {"algorithm", to_string(half.algorithm())},
                                  {"public_key_pem", half.to_pem()}},
                                 [&] { return half.to_pem(); });
  });
}

void add_key_trust(CLI::App& key, Invocation& invocation,
                   const std::shared_ptr<KeyOptions>& options) {
  CLI::App* add = key.add_subcommand("trust", "Trust an author's public key");
  add->add_option("file", options->file, "Public key file (PEM)")->required();
  add->add_option("--comment", options->comment, "Whose it is");
  add->footer("Example:\n  covey key trust author.pub.pem --comment 'CI of the vibration team'");
  on(add, invocation, [&invocation, options] { return trust(invocation, *options); });
}

void add_key_list(CLI::App& key, Invocation& invocation) {
  CLI::App* list = key.add_subcommand("list", "List trusted keys");
  on(list, invocation, [&invocation] {
    return call_and_print<v1::ListTrustedKeysResponse>(
        invocation, v1::ListTrustedKeysRequest(),
        [&](const auto& r) { return keys_table(invocation, r); });
  });
}

void add_key_remove(CLI::App& key, Invocation& invocation,
                    const std::shared_ptr<KeyOptions>& options) {
  CLI::App* remove = key.add_subcommand("remove", "Trust a key no longer");
  remove->add_option("key", options->key_id, "Key id, 16 hex digits")->required();
  on(remove, invocation, [&invocation, options] {
    v1::RemoveTrustedKeyRequest request;
    request.set_key_id(options->key_id);
    return call_and_print<v1::RemoveTrustedKeyResponse>(
        invocation, request, [](const auto&) { return std::string("Removed.\n"); });
  });
}

}  // namespace

void add_key_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* key = app.add_subcommand("key", "Author keys: who may sign releases");
  key->require_subcommand(1);
  const auto options = std::make_shared<KeyOptions>();
  add_key_generate(*key, invocation, options);
  add_key_public(*key, invocation, options);
  add_key_trust(*key, invocation, options);
  add_key_list(*key, invocation);
  add_key_remove(*key, invocation, options);
  add_key_sign_commands(*key, invocation);
  add_key_root_commands(*key, invocation);
}

}  // namespace covey::cli
