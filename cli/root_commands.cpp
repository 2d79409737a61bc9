// SPDX-License-Identifier: Apache-2.0
// `covey key root ...`: the document that names who may sign. Only `import` and `get` need a site.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/files/files.hpp"
#include "cli/files/root_file.hpp"
#include "covey/v1/admin.pb.h"

namespace covey::cli {
namespace {

struct RootOptions {
  std::string file;
  std::string previous;
  std::string out;
  std::vector<std::string> files;
  std::vector<std::string> keys;
  std::vector<std::string> authors;
  std::vector<std::string> remove_keys;
  std::vector<std::string> remove_authors;
  uint32_t threshold = 0;
  uint32_t author_threshold = 0;
  uint32_t version = 0;
};

std::string roles_of(const RootKey& key) {
  if (key.root && key.author) return "root, author";
  return key.root ? "root" : "author";
}

std::string page_of(const Invocation& invocation, const RootFile& file) {
  const Root& root = file.root;
  std::string out = fmt::format(
      "Root version {}: {} of {} root keys change it, {} of {} authors sign a release.\n",
      root.version, root.root_threshold, root.roots(), root.author_threshold, root.authors());
  Table table({"KEY", "ALGORITHM", "ROLES", "SIGNED THIS"});
  const Digest digest = signed_digest(file.document.root);
  for (const RootKey& key : root.keys) {
    const bool did = std::any_of(file.document.signatures.begin(), file.document.signatures.end(),
                                 [&](const Signature& signature) {
                                   return signature.key_id == key.key.id() &&
                                          key.key.verify(digest, signature.bytes).ok();
                                 });
    table.add({to_hex(key.key.id()), std::string(to_string(key.key.algorithm())), roles_of(key),
               did ? "yes" : "no"});
  }
  return out + table.render(invocation.style);
}

// A new document, that nobody has signed yet.
int save_new(const Invocation& invocation, const RootOptions& options, const Root& root) {
  const Result<Bytes> bytes = encode(root);
  if (!bytes) return invocation.fail(bytes.error());
  const std::string out =
      options.out.empty() ? fmt::format("root.{}.bin", root.version) : options.out;
  std::error_code error;
  if (std::filesystem::exists(out, error)) {
    return invocation.fail(Error{Code::kAlreadyExists, "FILE_EXISTS",
                                 fmt::format("{} exists, and others may have signed it: choose "
                                             "another name with --out",
                                             out)});
  }
  const RootFile file{{*bytes, {}}, root};
  if (Status saved = write_root(out, file.document); !saved) return invocation.fail(saved.error());
  nlohmann::ordered_json json = json_of(file);
  json["file"] = out;
  return invocation.print_json(json, [&] {
    return page_of(invocation, file) +
           fmt::format(
               "Written to {0}.\nNext: covey key sign {0} --key KEY, by {1} of its root "
               "keys{2}\n",
               escaped(out), root.root_threshold,
               root.version == 1 ? "" : " and as many as the version before asks for");
  });
}

int create(const Invocation& invocation, const RootOptions& options) {
  Root root{.version = 1, .root_threshold = options.threshold, .author_threshold = 0, .keys = {}};
  for (const std::string& file : options.keys) {
    if (Status given = give_role(root, file, false); !given) return invocation.fail(given.error());
  }
  for (const std::string& file : options.authors.empty() ? options.keys : options.authors) {
    if (Status given = give_role(root, file, true); !given) return invocation.fail(given.error());
  }
  root.author_threshold = options.author_threshold != 0
                              ? options.author_threshold
                              : std::min(options.threshold, root.authors());
  return save_new(invocation, options, root);
}

int change(const Invocation& invocation, const RootOptions& options) {
  Result<RootFile> file = read_root(options.file);
  if (!file) return invocation.fail(file.error());
  Root& root = file->root;
  // What leaves makes room for what comes.
  for (const bool author : {false, true}) {
    for (const std::string& id : author ? options.remove_authors : options.remove_keys) {
      if (Status taken = take_role(root, id, author); !taken) return invocation.fail(taken.error());
    }
  }
  for (const bool author : {false, true}) {
    for (const std::string& path : author ? options.authors : options.keys) {
      if (Status given = give_role(root, path, author); !given) {
        return invocation.fail(given.error());
      }
    }
  }
  if (options.threshold != 0) root.root_threshold = options.threshold;
  if (options.author_threshold != 0) root.author_threshold = options.author_threshold;
  ++root.version;
  return save_new(invocation, options, root);
}

int show(const Invocation& invocation, const RootOptions& options) {
  const Result<RootFile> file = read_root(options.file);
  if (!file) return invocation.fail(file.error());
  return invocation.print_json(json_of(*file), [&] { return page_of(invocation, *file); });
}

int verify(const Invocation& invocation, const RootOptions& options) {
  const Result<RootFile> file = read_root(options.file);
  if (!file) return invocation.fail(file.error());
  std::optional<Root> current;
  if (!options.previous.empty()) {
    Result<RootFile> previous = read_root(options.previous);
    if (!previous) return invocation.fail(previous.error());
    current = std::move(previous->root);
  }
  const Result<Root> opened = open_root(current ? &*current : nullptr, file->document);
  if (!opened) return invocation.fail(opened.error());
  return invocation.print_json(json_of(*file), [&] {
    if (current) {
      return fmt::format("Good: version {} follows version {}, and has the signatures of both.\n",
                         opened->version, current->version);
    }
    return fmt::format(
        "Good: version {} has its own signatures. --previous FILE asks for those of "
        "the version before, too.\n",
        opened->version);
  });
}

// ---- With a site

int import_roots(const Invocation& invocation, const RootOptions& options) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  v1::ImportRootResponse last;
  for (const std::string& path : options.files) {
    const Result<Bytes> bytes = read_file(path, kSignedRootBytesMax);
    if (!bytes) return invocation.fail(bytes.error());
    v1::ImportRootRequest request;
    request.set_document(bytes->data(), bytes->size());
    Result<v1::ImportRootResponse> response = (*client)->call<v1::ImportRootResponse>(request);
    if (!response) {
      Error error = response.error();
      error.message = fmt::format("{}: {}", path, error.message);
      return invocation.fail(error);
    }
    last = *std::move(response);
  }
  return invocation.print(last, [](const v1::ImportRootResponse& r) {
    std::string out = fmt::format(
        "{} root version {}: {} root keys (threshold {}) and authors (threshold {}) in {} keys.\n",
        r.already_existed() ? "The site has" : "Imported", r.root().version(),
        std::count_if(r.root().keys().begin(), r.root().keys().end(),
                      [](const v1::RootKey& key) { return key.root(); }),
        r.root().root_threshold(), r.root().author_threshold(), r.root().keys_size());
    for (const std::string& release : r.withheld()) {
      out +=
          fmt::format("  {} is offered no more: an author of this version must sign it\n", release);
    }
    for (const std::string& rollout : r.paused()) {
      out += fmt::format("  rollout {} is paused: `covey rollout explain {}`\n", rollout, rollout);
    }
    return out;
  });
}

int get(const Invocation& invocation, const RootOptions& options) {
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  v1::GetRootRequest request;
  request.set_version(options.version);
  const Result<v1::GetRootResponse> response = (*client)->call<v1::GetRootResponse>(request);
  if (!response) return invocation.fail(response.error());
  const std::string& bytes = response->root().document();
  if (!options.out.empty()) {
    Status saved =
        write_file(options.out, {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
    if (!saved) return invocation.fail(saved.error());
  }
  return invocation.print(*response, [&](const v1::GetRootResponse& r) {
    Table table({"KEY", "ALGORITHM", "ROLES"});
    for (const v1::RootKey& key : r.root().keys()) {
      table.add({key.key_id(), key.algorithm(),
                 key.root() && key.author() ? "root, author" : (key.root() ? "root" : "author")});
    }
    return fmt::format("Root version {}, thresholds: root {}, authors {}.\n", r.root().version(),
                       r.root().root_threshold(), r.root().author_threshold()) +
           table.render(invocation.style);
  });
}

CLI::Option* add_files(CLI::App* command, const char* name, std::vector<std::string>& files,
                       const char* text) {
  return command->add_option(name, files, text)->delimiter(',')->take_all();
}

void add_create(CLI::App& root, Invocation& invocation,
                const std::shared_ptr<RootOptions>& options) {
  CLI::App* make = root.add_subcommand("create", "The first version; needs no site");
  add_files(make, "--keys", options->keys, "Public keys of the root (PEM), with commas between")
      ->required();
  make->add_option("--threshold", options->threshold, "So many of them change the document")
      ->required();
  add_files(make, "--authors", options->authors, "Who signs releases; the root's keys if left out");
  make->add_option("--author-threshold", options->author_threshold,
                   "So many of them sign a release; as --threshold if left out");
  make->add_option("--out", options->out, "File; root.1.bin if left out");
  make->footer(
      "Example:\n  covey key root create --threshold 2 --keys a.pub.pem,b.pub.pem,c.pub.pem \\\n"
      "      --authors ci.pub.pem --author-threshold 1\n"
      "  covey key sign root.1.bin --key a.pem && covey key sign root.1.bin --key b.pem\n"
      "  covey key root import root.1.bin");
  on(make, invocation, [&invocation, options] { return create(invocation, *options); });
}

void add_change(CLI::App& root, Invocation& invocation,
                const std::shared_ptr<RootOptions>& options) {
  CLI::App* next = root.add_subcommand("change", "The next version; needs no site");
  next->add_option("file", options->file, "The version of now")->required();
  add_files(next, "--add-author", options->authors, "Public keys (PEM)");
  add_files(next, "--remove-author", options->remove_authors, "Key ids: they sign no more");
  add_files(next, "--add-key", options->keys, "Public keys of the root (PEM)");
  add_files(next, "--remove-key", options->remove_keys, "Key ids of the root");
  next->add_option("--threshold", options->threshold, "Of the root's keys");
  next->add_option("--author-threshold", options->author_threshold, "Of authors");
  next->add_option("--out", options->out, "File; root.N.bin if left out");
  next->footer(
      "It counts when as many root keys have signed it as the version before asks for, and as\n"
      "many as it asks for itself.\n"
      "Example:\n  covey key root change root.1.bin --remove-author 1122334455667788 \\\n"
      "      --add-author ci2.pub.pem");
  on(next, invocation, [&invocation, options] { return change(invocation, *options); });
}

void add_look(CLI::App& root, Invocation& invocation, const std::shared_ptr<RootOptions>& options) {
  CLI::App* view = root.add_subcommand("show", "What a file says, and who signed it");
  view->add_option("file", options->file, "Root document")->required();
  view->footer("Example:\n  covey key root show root.1.bin");
  on(view, invocation, [&invocation, options] { return show(invocation, *options); });
  CLI::App* check = root.add_subcommand("verify", "Whether sites and devices would take a file");
  check->add_option("file", options->file, "Root document")->required();
  check->add_option("--previous", options->previous, "The version before");
  check->footer("Example:\n  covey key root verify root.2.bin --previous root.1.bin");
  on(check, invocation, [&invocation, options] { return verify(invocation, *options); });
}

void add_with_site(CLI::App& root, Invocation& invocation,
                   const std::shared_ptr<RootOptions>& options) {
  CLI::App* bring = root.add_subcommand("import", "Bring versions to a site, one after the other");
  bring->add_option("files", options->files, "Root documents, the oldest first")->required();
  bring->footer(
      "From the first version on it decides who may sign: trusted keys don't any more.\n"
      "What only revoked authors signed is offered no more, and rollouts of it pause.\n"
      "Example:\n  covey key root import root.2.bin");
  on(bring, invocation, [&invocation, options] { return import_roots(invocation, *options); });
  CLI::App* fetch = root.add_subcommand("get", "The document of a site");
  fetch->add_option("--version", options->version, "Which; the newest if left out");
  fetch->add_option("--out", options->out, "File to write it to");
  fetch->footer("Example:\n  covey key root get --out root.bin");
  on(fetch, invocation, [&invocation, options] { return get(invocation, *options); });
}

}  // namespace

void add_key_root_commands(CLI::App& key, Invocation& invocation) {
  CLI::App* root = key.add_subcommand("root", "The document that names who may sign");
  root->require_subcommand(1);
  const auto options = std::make_shared<RootOptions>();
  add_create(*root, invocation, options);
  add_change(*root, invocation, options);
  add_look(*root, invocation, options);
  add_with_site(*root, invocation, options);
}

}  // namespace covey::cli
