// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.hpp"
#include "cli/files/artifact_files.hpp"
#include "covey/v1/models.pb.h"
#include "deploy/signing/key_file.hpp"

namespace covey::cli {
namespace {

struct ModelOptions {
  std::string what;  // MODEL@VERSION, folder, file or model
  std::vector<std::string> artifacts;
  BuildOptions build;
  std::string key;
  std::string source;
  std::string signature;
  std::string public_key;
  uint32_t artifact = 0;
  std::string out;
  std::vector<std::string> o_words;  // of `build -o`
};

Result<BuiltRelease> build(const Invocation& invocation, ModelOptions& options) {
  Result<ReleaseId> release = ReleaseId::parse(options.what);
  if (!release) {
    return invalid("BAD_RELEASE", release.error().message);
  }
  options.build.release = *std::move(release);
  if (options.artifacts.empty()) {
    return invalid("NO_ARTIFACT", "--artifact CLASS[,CLASS...]=FILE.tflite: at least one");
  }
  if (options.build.statistics.empty()) {
    return invalid("NO_STATS",
                   "--stats FILE: the statistics that the training wrote (bins, "
                   "counts, self-test vectors)");
  }
  for (const std::string& text : options.artifacts) {
    Result<ArtifactSource> source = parse_artifact_source(text);
    if (!source) return source.error();
    options.build.artifacts.push_back(*std::move(source));
  }
  Result<BuiltRelease> built = build_release(options.build);
  if (built) {
    for (const std::string& note : built->notes) invocation.note(note);
  }
  return built;
}

std::string release_page(const v1::Release& release) {
  std::string out = fmt::format("{}@{}  {} devices have it confirmed\n", release.model(),
                                release.version(), release.devices_confirmed());
  if (!release.source().empty()) out += fmt::format("  source {}\n", release.source());
  if (!release.withheld().empty()) {
    out += fmt::format("  withheld, offered to nobody: {}\n", release.withheld());
  }
  for (const v1::Artifact& artifact : release.artifacts()) {
    out += fmt::format("  {}  image {} bytes, model {} bytes, arena {} bytes, chunks of {}\n",
                       joined(artifact.device_classes(), 8), grouped(artifact.image_size_bytes()),
                       grouped(artifact.model_size_bytes()), grouped(artifact.arena_bytes()),
                       artifact.chunk_size_bytes());
    out += fmt::format("    manifest {}, signed by {}, security version {}\n",
                       artifact.manifest_digest().substr(0, 12),
                       joined(artifact.signature_key_ids(), 4), artifact.security_version());
  }
  return out;
}

std::string releases_table(const Invocation& invocation, const v1::ListReleasesResponse& r) {
  Table table({"RELEASE", "CLASSES", "IMAGE", "CONFIRMED ON", "PUSHED"});
  for (const v1::Release& release : r.releases()) {
    std::string classes;
    std::string sizes;
    for (const v1::Artifact& artifact : release.artifacts()) {
      classes += (classes.empty() ? "" : "; ") + joined(artifact.device_classes(), 4);
      sizes += (sizes.empty() ? "" : "; ") + grouped(artifact.image_size_bytes());
    }
    table.add({release.model() + "@" + release.version(), classes, sizes,
               fmt::format("{}", release.devices_confirmed()), age(release.create_time_ms())});
  }
  if (table.empty()) return "No releases: `covey model push` brings one.\n";
  return table.render(invocation.style);
}

int upload(const Invocation& invocation, const BuiltRelease& release, const std::string& source) {
  v1::ReleaseHeader header;
  header.set_source(source);
  header.set_model(release.release.model.str());
  header.set_version(to_string(release.release.version));
  std::vector<Bytes> images;
  for (const BuiltArtifact& artifact : release.artifacts) {
    if (artifact.signed_manifest.empty()) {
      return invocation.fail(precondition(
          "NOT_SIGNED", "not signed: --key author.pem, or `covey model sign` on the folder"));
    }
    const auto put = [](const Bytes& bytes, std::string& to) {
      to.assign(bytes.begin(), bytes.end());
    };
    v1::ArtifactUpload& part = *header.add_artifacts();
    put(artifact.signed_manifest, *part.mutable_signed_manifest());
    put(artifact.tables, *part.mutable_telemetry_tables());
    put(artifact.gateway_part, *part.mutable_gateway_part());
    images.push_back(artifact.image);
  }
  Result<std::unique_ptr<Client>> client = invocation.connect();
  if (!client) return invocation.fail(client.error());
  const bool draw = invocation.style.terminal && invocation.for_people();
  Result<v1::CreateReleaseResponse> response =
      (*client)->create_release(header, images, [&](uint64_t sent, uint64_t total) {
        if (!draw) return;
        invocation.draw(
            fmt::format("\r{} {}/{} bytes", bar(sent, total, 30), grouped(sent), grouped(total)));
      });
  if (draw) invocation.draw("\r\x1b[K");
  if (!response) {
    if (response.error().reason == "KEY_UNKNOWN") {
      Error error = response.error();
      error.message += ": `covey key trust AUTHOR.pub.pem` makes the site trust it";
      return invocation.fail(error);
    }
    return invocation.fail(response.error());
  }
  return invocation.print(*response, [](const v1::CreateReleaseResponse& r) {
    return (r.already_existed() ? "The site has it already.\n" : "Pushed.\n") +
           release_page(r.release());
  });
}

int push(const Invocation& invocation, ModelOptions& options) {
  std::error_code error;
  const bool folder = options.what.find('@') == std::string::npos ||
                      std::filesystem::is_directory(options.what, error);
  Result<BuiltRelease> release = folder ? load_release(options.what) : build(invocation, options);
  if (!release) return invocation.fail(release.error());
  if (!options.key.empty()) {
    Result<PrivateKey> key = read_private_key(options.key);
    if (!key) return invocation.fail(key.error());
    if (Status done = sign_release(*release, *key); !done) return invocation.fail(done.error());
  }
  return upload(invocation, *release, options.source);
}

// What is in a release folder now.
int print_folder(const Invocation& invocation, const BuiltRelease& release,
                 const std::string& folder, const std::function<std::string()>& people) {
  nlohmann::ordered_json json = {{"release", to_string(release.release)},
                                 {"folder", folder},
                                 {"artifacts", nlohmann::ordered_json::array()}};
  for (const BuiltArtifact& artifact : release.artifacts) {
    json["artifacts"].push_back({{"manifest_digest", to_hex(artifact.digest().bytes)},
                                 {"image_size_bytes", artifact.image.size()},
                                 {"signed", !artifact.signed_manifest.empty()}});
  }
  return invocation.print_json(json, people);
}

int build_to_folder(const Invocation& invocation, ModelOptions& options) {
  if (options.out.empty()) return invocation.fail(invalid("USAGE", "--out is required"), kUsage);
  Result<BuiltRelease> release = build(invocation, options);
  if (!release) return invocation.fail(release.error());
  if (Status saved = save_release(*release, options.out); !saved) {
    return invocation.fail(saved.error());
  }
  return print_folder(invocation, *release, options.out, [&] {
    const std::string folder = escaped(options.out);
    return fmt::format("Built {} artifacts in {}.\nNext: covey model sign {} --key author.pem\n",
                       release->artifacts.size(), folder, folder);
  });
}

int sign_folder(const Invocation& invocation, const ModelOptions& options) {
  Result<BuiltRelease> release = load_release(options.what);
  if (!release) return invocation.fail(release.error());
  if (!options.key.empty()) {
    Result<PrivateKey> key = read_private_key(options.key);
    if (!key) return invocation.fail(key.error());
    if (Status done = sign_release(*release, *key); !done) return invocation.fail(done.error());
  } else {
    if (options.public_key.empty() || options.signature.empty()) {
      return invocation.fail(invalid("NO_KEY",
                                     "--key FILE, or --signature FILE together with "
                                     "--public-key FILE"));
    }
    if (options.artifact >= release->artifacts.size()) {
      return invocation.fail(
          invalid("BAD_ARTIFACT", fmt::format("--artifact {}: the folder has {}, numbered from 0",
                                              options.artifact, release->artifacts.size())));
    }
    Result<PublicKey> key = read_public_key(options.public_key);
    if (!key) return invocation.fail(key.error());
    Result<Bytes> signature = read_file(options.signature, 1024);
    if (!signature) return invocation.fail(signature.error());
    Status done = attach_signature(release->artifacts[options.artifact], *key, *signature);
    if (!done) return invocation.fail(done.error());
  }
  if (Status saved = save_signatures(*release, options.what); !saved) {
    return invocation.fail(saved.error());
  }
  return print_folder(invocation, *release, options.what, [&] {
    return fmt::format("Signed.\nNext: covey model push {}\n", escaped(options.what));
  });
}

void add_build_options(CLI::App& command, ModelOptions& options) {
  command.add_option("--artifact", options.artifacts, "CLASS[,CLASS...]=FILE.tflite; repeat")
      ->take_all()
      ->allow_extra_args(false);
  command.add_option("--stats", options.build.statistics, "Statistics of the training (JSON)");
  command.add_option("--preprocessing", options.build.preprocessing, "Preprocessing parameters");
  command.add_option("--preprocessing-id", options.build.preprocessing_id,
                     "Preprocessing code that the firmware must contain; 0: none");
  command.add_option("--security-version", options.build.security_version,
                     "Devices refuse less than their floor");
  command.add_option("--chunk-size", options.build.chunk_size_bytes, "Bytes, a multiple of 16")
      ->capture_default_str();
  command
      .add_option("--sample-probability", options.build.sample_probability,
                  "Share of inferences reported one by one, so that labels can match")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
}

void add_model_push(CLI::App& model, Invocation& invocation,
                    const std::shared_ptr<ModelOptions>& options) {
  CLI::App* send = model.add_subcommand("push", "Build, sign and upload a release");
  send->add_option("what", options->what, "MODEL@VERSION, or a folder of `covey model build`")
      ->required();
  add_build_options(*send, *options);
  send->add_option("--key", options->key,
                   "Author's private key (PEM, mode 0600), or pkcs11:...; also $COVEY_KEY_FILE")
      ->envname("COVEY_KEY_FILE");
  send->add_option("--source", options->source,
                   "Where it was made, for whoever looks later: a commit, a pipeline's URL");
  send->footer(
      "Examples:\n"
      "  covey model push bearing-vibration@1.1.0 --artifact m4f-256k,m0-64k=m.tflite \\\n"
      "      --stats stats.json --preprocessing preprocessing.bin --key author.pem\n"
      "  covey model push release/");
  on(send, invocation, [&invocation, options] { return push(invocation, *options); });
}

void add_model_build(CLI::App& model, Invocation& invocation,
                     const std::shared_ptr<ModelOptions>& options) {
  CLI::App* make = model.add_subcommand("build", "Build a release into a folder; needs no site");
  make->add_option("what", options->what, "MODEL@VERSION")->required();
  add_build_options(*make, *options);
  make->add_option("--out", options->out, "Folder");
  make->add_option("-o", options->o_words, "The same; table, wide, json and yaml are --format")
      ->take_all()
      ->allow_extra_args(false);
  make->footer(
      "Example:\n  covey model build bearing-vibration@1.1.0 --artifact "
      "m4f-256k=m.tflite --stats stats.json -o release");
  on(make, invocation, [&invocation, options] {
    for (const std::string& word : options->o_words) {
      if (const std::optional<Format> format = parse_format(word)) {
        invocation.format = *format;
      } else {
        options->out = word;
      }
    }
    return build_to_folder(invocation, *options);
  });
}

void add_model_sign(CLI::App& model, Invocation& invocation,
                    const std::shared_ptr<ModelOptions>& options) {
  CLI::App* sign = model.add_subcommand("sign", "Sign a built release; needs no site");
  sign->add_option("folder", options->what, "Folder of `covey model build`")->required();
  sign->add_option("--key", options->key, "Author's private key, or pkcs11:...");
  sign->add_option("--signature", options->signature, "One made elsewhere (raw or DER)");
  sign->add_option("--public-key", options->public_key, "Of whoever made the signature");
  sign->add_option("--artifact", options->artifact, "Which artifact of the folder");
  sign->footer(
      "Examples:\n  covey model sign release --key author.pem\n"
      "  openssl dgst -sha256 -sign hsm.pem -out s.der release/0/manifest.bin\n"
      "  covey model sign release --signature s.der --public-key hsm.pub.pem");
  on(sign, invocation, [&invocation, options] { return sign_folder(invocation, *options); });
}

void add_model_list(CLI::App& model, Invocation& invocation,
                    const std::shared_ptr<ModelOptions>& options) {
  CLI::App* list = model.add_subcommand("list", "List releases, newest version first");
  list->add_option("model", options->what, "Of one model only");
  on(list, invocation, [&invocation, options] {
    v1::ListReleasesRequest request;
    request.set_parent(resource("models", options->what.empty() ? "-" : options->what));
    return list_and_print<v1::ListReleasesResponse>(
        invocation, request, [&](const auto& r) { return releases_table(invocation, r); });
  });
}

void add_model_get(CLI::App& model, Invocation& invocation,
                   const std::shared_ptr<ModelOptions>& options) {
  CLI::App* get = model.add_subcommand("get", "Show one release");
  get->add_option("release", options->what, "MODEL@VERSION")->required();
  on(get, invocation, [&invocation, options] {
    v1::GetReleaseRequest request;
    request.set_name(release_name(options->what));
    return call_and_print<v1::GetReleaseResponse>(
        invocation, request, [](const auto& r) { return release_page(r.release()); });
  });
}

void add_model_delete(CLI::App& model, Invocation& invocation,
                      const std::shared_ptr<ModelOptions>& options) {
  CLI::App* remove = model.add_subcommand("delete", "Delete a release that nobody uses");
  remove->add_option("release", options->what, "MODEL@VERSION")->required();
  remove->footer(
      "Refused while devices have it, or rollouts or assignments need it: the error says which.\n"
      "Its images leave the disk; rollouts, totals and the audit log keep its name, and its\n"
      "version stays taken.\n"
      "Example:\n  covey model delete bearing-vibration@1.0.0");
  on(remove, invocation, [&invocation, options] {
    v1::DeleteReleaseRequest request;
    request.set_name(release_name(options->what));
    return call_and_print<v1::DeleteReleaseResponse>(invocation, request, [&](const auto&) {
      return fmt::format("Deleted {}.\n", escaped(release_name(options->what)));
    });
  });
}

}  // namespace

void add_model_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* model = app.add_subcommand("model", "Models and their releases");
  model->require_subcommand(1);
  const auto options = std::make_shared<ModelOptions>();
  add_model_push(*model, invocation, options);
  add_model_build(*model, invocation, options);
  add_model_sign(*model, invocation, options);
  add_model_list(*model, invocation, options);
  add_model_get(*model, invocation, options);
  add_model_delete(*model, invocation, options);
  add_model_file_commands(*model, invocation);
}

}  // namespace covey::cli
