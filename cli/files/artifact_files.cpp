// SPDX-License-Identifier: Apache-2.0
#include "cli/files/artifact_files.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/model_run.hpp"
#include "deploy/artifact/tflite_inspect.hpp"

namespace covey::cli {
namespace {

constexpr size_t kStatisticsFileMax = 8U << 20U;
constexpr size_t kArtifactsMax = 16;
constexpr const char* kIndexFile = "release.json";
constexpr const char* kSignedManifestFile = "signed_manifest.bin";

int as_int8(uint8_t byte) { return byte < 128 ? byte : byte - 256; }

// The same question the gateway and every device will ask, answered where it can still be mended.
Result<ModelRun> check_selftest(const std::filesystem::path& model, const Selftest& selftest) {
  Bytes inputs;
  for (const SelftestVector& vector : selftest.vectors) {
    inputs.insert(inputs.end(), vector.input.begin(), vector.input.end());
  }
  Result<ModelRun> run = run_model(model, inputs);
  if (!run) return run;
  if (run->input_size_bytes != selftest.input_bytes() ||
      run->output_size_bytes != selftest.output_bytes()) {
    return invalid("SELFTEST_MISMATCH",
                   fmt::format("the self-test vectors have {} input and {} output bytes, {} has {} "
                               "and {}",
                               selftest.input_bytes(), selftest.output_bytes(), model.string(),
                               run->input_size_bytes, run->output_size_bytes));
  }
  for (size_t v = 0; v < selftest.vectors.size(); ++v) {
    for (size_t i = 0; i < run->output_size_bytes; ++i) {
      const int got = as_int8(run->outputs[v * run->output_size_bytes + i]);
      const int expected = as_int8(selftest.vectors[v].output[i]);
      if (std::abs(got - expected) <= selftest.tolerance) continue;
      return invalid("SELFTEST_MISMATCH",
                     fmt::format("self-test vector {}, output {}: {} gives {}, the statistics say "
                                 "{}: they are of another model, or the tolerance is too tight",
                                 v, i, model.string(), got, expected));
    }
  }
  return run;
}

Result<BuiltArtifact> build_one(const BuildOptions& options, const ArtifactSource& source,
                                const TrainingStatistics& statistics, const Bytes& preprocessing,
                                std::vector<std::string>& notes) {
  Result<Bytes> model = read_file(source.model, kTfliteBytesMax);
  if (!model) return model.error();
  Result<TfliteSummary> summary = inspect_tflite(*model);
  if (!summary) {
    return invalid(summary.error().reason, source.model.string() + ": " + summary.error().message);
  }
  Result<ModelRun> run = check_selftest(source.model, statistics.selftest);
  if (!run) return run.error();
  if (!run->note.empty()) notes.push_back(source.model.string() + ": " + run->note);
  ArtifactInput input;
  input.device_classes = source.device_classes;
  input.operator_set = operator_set_number(summary->operator_set_hash);
  input.arena_bytes = static_cast<uint32_t>(run->arena_bytes);
  input.input_bytes = static_cast<uint32_t>(run->input_size_bytes);
  input.output_bytes = static_cast<uint32_t>(run->output_size_bytes);
  input.chunk_size_bytes = options.chunk_size_bytes;
  input.security_version = options.security_version;
  input.preprocessing_id = options.preprocessing_id;
  input.model = *std::move(model);
  input.preprocessing = preprocessing;
  input.selftest = statistics.selftest;
  input.gateway_part = statistics.part;
  const auto probability =
      static_cast<uint32_t>(std::lround(options.sample_probability * kProbabilityOne));
  std::vector<uint32_t> sampling;
  if (probability > 0) sampling.assign(kConfidenceBins, probability);
  input.tables = tables_of(statistics.part, std::move(sampling));
  input.tables.joint = statistics.joint;
  Result<UnsignedArtifact> built = build_artifact(input);
  if (!built) return built.error();
  return BuiltArtifact{std::move(built->manifest_bytes),
                       std::move(built->image),
                       std::move(built->tables),
                       std::move(built->gateway_part),
                       {}};
}

Status add_signature(BuiltArtifact& artifact, const Signature& signature) {
  SignedManifest envelope{artifact.manifest, {}};
  if (!artifact.signed_manifest.empty()) {
    Result<SignedManifest> present = decode_signed_manifest(artifact.signed_manifest);
    if (!present) return present.error();
    envelope = *std::move(present);
  }
  std::erase_if(envelope.signatures,
                [&](const Signature& s) { return s.key_id == signature.key_id; });
  envelope.signatures.push_back(signature);
  Result<Bytes> bytes = encode(envelope);
  if (!bytes) return bytes.error();
  artifact.signed_manifest = *std::move(bytes);
  return {};
}

Error unwritable(const std::filesystem::path& path, const std::error_code& error) {
  return Error{Code::kUnknown, "FILE_UNWRITABLE",
               fmt::format("cannot write {}: {}", path.string(), error.message())};
}

std::vector<std::string> notes_on(const GatewayPart& part) {
  std::vector<std::string> notes;
  for (const FeatureBaseline& feature : part.features) {
    if (!feature.edges.empty()) continue;
    notes.push_back(
        fmt::format("feature '{}' has no edges: all of its values are in one bin, and drift of it "
                    "can never be judged; give it edges, or leave it out",
                    feature.name));
  }
  return notes;
}

ByteView view_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

Digest BuiltArtifact::digest() const { return sha256(manifest); }

Result<ArtifactSource> parse_artifact_source(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    return invalid("BAD_ARTIFACT", "--artifact " + text +
                                       ": write CLASS[,CLASS...]=FILE.tflite, e.g. "
                                       "m4f-256k,m0-64k=model.tflite");
  }
  ArtifactSource source{{}, text.substr(equals + 1)};
  for (size_t at = 0; at <= equals;) {
    const size_t end = std::min(text.find(',', at), equals);
    Result<DeviceClass> device_class = DeviceClass::parse(text.substr(at, end - at));
    if (!device_class) {
      return invalid("BAD_ARTIFACT", "--artifact " + text + ": " + device_class.error().message);
    }
    source.device_classes.push_back(*std::move(device_class));
    at = end + 1;
  }
  return source;
}

Result<BuiltRelease> build_release(const BuildOptions& options) {
  Result<Bytes> json = read_file(options.statistics, kStatisticsFileMax);
  if (!json) return json.error();
  Result<TrainingStatistics> statistics = decode_training_statistics(*json);
  if (!statistics) {
    return invalid(statistics.error().reason,
                   options.statistics.string() + ": " + statistics.error().message);
  }
  const ReleaseId described{statistics->part.model, statistics->part.version};
  if (described != options.release) {
    return invalid("STATS_MISMATCH",
                   options.statistics.string() + " describes " + to_string(described) + ", not " +
                       to_string(options.release) + ": push that, or change its model and version");
  }
  Bytes preprocessing;
  if (!options.preprocessing.empty()) {
    Result<Bytes> read = read_file(options.preprocessing, kImageBytesMax);
    if (!read) return read.error();
    preprocessing = *std::move(read);
  }
  BuiltRelease release{options.release, {}, notes_on(statistics->part)};
  for (const ArtifactSource& source : options.artifacts) {
    Result<BuiltArtifact> built =
        build_one(options, source, *statistics, preprocessing, release.notes);
    if (!built) return built.error();
    release.artifacts.push_back(*std::move(built));
  }
  return release;
}

Status sign_release(BuiltRelease& release, const PrivateKey& key) {
  for (BuiltArtifact& artifact : release.artifacts) {
    const Result<Signature> signature = try_sign(key, artifact.digest());
    if (!signature) return signature.error();
    if (Status done = add_signature(artifact, *signature); !done) return done;
  }
  return {};
}

Status attach_signature(BuiltArtifact& artifact, const PublicKey& key, ByteView bytes) {
  Result<RawSignature> raw = parse_signature(key.algorithm(), bytes);
  if (!raw) return raw.error();
  if (Status good = key.verify(artifact.digest(), *raw); !good) {
    return invalid("SIGNATURE_INVALID",
                   "the signature is not of this manifest by this key: ES256 signs manifest.bin "
                   "(openssl dgst -sha256 -sign), Ed25519 the 32 bytes of manifest.sha256 "
                   "(openssl pkeyutl -sign -rawin)");
  }
  return add_signature(artifact, {static_cast<uint32_t>(key.algorithm()), key.id(), *raw});
}

Status save_release(const BuiltRelease& release, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::filesystem::path index = folder / kIndexFile;
  std::filesystem::remove(index, error);
  if (error) return unwritable(index, error);
  for (size_t i = 0; i < kArtifactsMax; ++i) {
    const std::filesystem::path old = folder / fmt::format("{}", i) / kSignedManifestFile;
    std::filesystem::remove(old, error);
    if (error && error != std::errc::not_a_directory) return unwritable(old, error);
  }
  for (size_t i = 0; i < release.artifacts.size(); ++i) {
    const BuiltArtifact& artifact = release.artifacts[i];
    const std::filesystem::path own = folder / fmt::format("{}", i);
    std::filesystem::create_directories(own, error);
    if (error) return unwritable(own, error);
    const Digest digest = artifact.digest();
    const std::pair<const char*, ByteView> files[] = {{"manifest.bin", artifact.manifest},
                                                      {"image.bin", artifact.image},
                                                      {"tables.bin", artifact.tables},
                                                      {"gateway_part.json", artifact.gateway_part},
                                                      {"manifest.sha256", digest.bytes}};
    for (const auto& [name, bytes] : files) {
      if (Status written = write_file(own / name, bytes); !written) return written;
    }
  }
  if (Status done = save_signatures(release, folder); !done) return done;
  const nlohmann::ordered_json json = {{"model", release.release.model.str()},
                                       {"version", to_string(release.release.version)},
                                       {"artifacts", release.artifacts.size()}};
  return write_file(index, view_of(json.dump(2) + "\n"));
}

Status save_signatures(const BuiltRelease& release, const std::filesystem::path& folder) {
  for (size_t i = 0; i < release.artifacts.size(); ++i) {
    const BuiltArtifact& artifact = release.artifacts[i];
    if (artifact.signed_manifest.empty()) continue;
    Status done =
        write_file(folder / fmt::format("{}", i) / kSignedManifestFile, artifact.signed_manifest);
    if (done) continue;
    Error error = done.error();
    if (i > 0) error.message += fmt::format("; artifacts 0 to {} are signed already", i - 1);
    return error;
  }
  return {};
}

Result<BuiltRelease> load_release(const std::filesystem::path& folder) {
  const std::filesystem::path index = folder / kIndexFile;
  Result<Bytes> text = read_file(index, 65'536);
  if (!text && text.error().code == Code::kNotFound) {
    return invalid("NOT_A_RELEASE",
                   fmt::format("{} is no release folder, or one that was not finished: there is no "
                               "{} in it; `covey model build` writes such a folder",
                               folder.string(), kIndexFile));
  }
  if (!text) return text.error();
  const auto json = nlohmann::json::parse(text->begin(), text->end(), nullptr, false);
  const auto bad = [&](const std::string& what) {
    return invalid("NOT_A_RELEASE", fmt::format("{}: {}: `covey model build` writes such a folder",
                                                index.string(), what));
  };
  if (!json.is_object() || !json.contains("model") || !json["model"].is_string() ||
      !json.contains("version") || !json["version"].is_string() || !json.contains("artifacts") ||
      !json["artifacts"].is_number_unsigned()) {
    return bad("not a release");
  }
  Result<ReleaseId> id =
      ReleaseId::parse(json["model"].get<std::string>() + "@" + json["version"].get<std::string>());
  if (!id) return bad(id.error().message);
  const auto count = json["artifacts"].get<uint64_t>();
  if (count == 0 || count > kArtifactsMax) {
    return bad(fmt::format("artifacts: {} is not 1 to {}", count, kArtifactsMax));
  }
  BuiltRelease release{*std::move(id), {}, {}};
  for (uint64_t i = 0; i < count; ++i) {
    const std::filesystem::path own = folder / fmt::format("{}", i);
    BuiltArtifact artifact;
    struct File {
      const char* name;
      size_t bytes_max;
      Bytes* to;
    };
    const File files[] = {{"manifest.bin", kManifestBytesMax, &artifact.manifest},
                          {"image.bin", kImageBytesMax, &artifact.image},
                          {"tables.bin", kTablesBytesMax, &artifact.tables},
                          {"gateway_part.json", kGatewayPartBytesMax, &artifact.gateway_part}};
    for (const File& file : files) {
      Result<Bytes> bytes = read_file(own / file.name, file.bytes_max);
      if (!bytes) return bytes.error();
      *file.to = *std::move(bytes);
    }
    std::error_code error;
    if (std::filesystem::exists(own / kSignedManifestFile, error)) {
      Result<Bytes> bytes = read_file(own / kSignedManifestFile, kSignedManifestBytesMax);
      if (!bytes) return bytes.error();
      artifact.signed_manifest = *std::move(bytes);
    }
    release.artifacts.push_back(std::move(artifact));
  }
  return release;
}

}  // namespace covey::cli
