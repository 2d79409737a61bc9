// SPDX-License-Identifier: Apache-2.0
#include "deploy/artifact/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "deploy/artifact/image.hpp"
#include "deploy/artifact/wire.hpp"

namespace covey {
namespace {

constexpr std::string_view kReason = "MANIFEST_MALFORMED";
const wire::Reader kReader("manifest", kReason);

Error wrong(std::string_view field, const std::string& problem) {
  return kReader.error(field, problem);
}

Status validate_sizes(const Manifest& m) {
  if (m.model_size_bytes == 0) return wrong("model_size_bytes", "is missing: an image has a model");
  if (m.selftest_size_bytes == 0) {
    return wrong("selftest_size_bytes",
                 "is missing: a device confirms only what passed a self-test");
  }
  const uint64_t image = padded(m.model_size_bytes) + padded(m.preprocessing_size_bytes) +
                         padded(m.selftest_size_bytes);
  if (m.image_size_bytes != image) {
    return wrong("image_size_bytes", fmt::format("is {}, but the sections padded to 16 have {}",
                                                 m.image_size_bytes, image));
  }
  if (m.image_size_bytes > kImageBytesMax) {
    return wrong("image_size_bytes",
                 fmt::format("is {}, at most {} are allowed", m.image_size_bytes, kImageBytesMax));
  }
  if (m.chunk_size_bytes < kChunkBytesMin || m.chunk_size_bytes > kChunkBytesMax ||
      m.chunk_size_bytes % kSectionAlignment != 0) {
    return wrong("chunk_size_bytes",
                 fmt::format("is {}; expected a multiple of 16 from {} to {}", m.chunk_size_bytes,
                             kChunkBytesMin, kChunkBytesMax));
  }
  if (m.chunk_count() > kChunksMax) {
    return wrong("chunk_size_bytes",
                 fmt::format("makes {} chunks, at most {} are allowed: use larger chunks",
                             m.chunk_count(), kChunksMax));
  }
  return {};
}

Status validate_digests(const Manifest& m) {
  const std::array<std::pair<std::string_view, const Digest*>, 6> digests{
      {{"artifact_digest", &m.artifact_digest},
       {"chunk_table_digest", &m.chunk_table_digest},
       {"preprocessing_digest", &m.preprocessing_digest},
       {"selftest_digest", &m.selftest_digest},
       {"tables_digest", &m.tables_digest},
       {"gateway_part_digest", &m.gateway_part_digest}}};
  for (const auto& [name, digest] : digests) {
    if (digest->is_zero()) return wrong(name, "is missing");
  }
  return {};
}

Status read_name(const wire::Field& field, Manifest& m) {
  std::string_view text;
  if (Status read = kReader.text(field, "model", 31, text); !read) return read;
  Result<ModelName> model = ModelName::parse(text);
  if (!model) return wrong("model", model.error().message);
  m.model = *std::move(model);
  return {};
}

Status read_version(const wire::Field& field, Manifest& m) {
  std::string_view text;
  if (Status read = kReader.text(field, "version", kVersionBytesMax, text); !read) return read;
  const Result<Version> version = Version::parse(text);
  if (!version) return wrong("version", version.error().message);
  if (to_string(*version) != text) return wrong("version", "is written with leading zeros");
  m.version = *version;
  return {};
}

Status read_class(const wire::Field& field, Manifest& m) {
  std::string_view text;
  if (Status read = kReader.text(field, "device_classes", 31, text); !read) return read;
  if (m.device_classes.size() >= kManifestClassesMax) {
    return wrong("device_classes", fmt::format("has more than {} entries", kManifestClassesMax));
  }
  Result<DeviceClass> device_class = DeviceClass::parse(text);
  if (!device_class) return wrong("device_classes", device_class.error().message);
  m.device_classes.push_back(*std::move(device_class));
  return {};
}

Status read_runtime(const wire::Field& field, Manifest& m) {
  uint32_t value = 0;
  if (Status read = kReader.u32(field, "runtime", value); !read) return read;
  if (value != static_cast<uint32_t>(Runtime::kTfliteInt8) &&
      value != static_cast<uint32_t>(Runtime::kNative)) {
    return wrong("runtime", fmt::format("{} is not a runtime that is known here", value));
  }
  m.runtime = static_cast<Runtime>(value);
  return {};
}

Status read_field(const wire::Field& field, Manifest& m) {
  switch (field.number) {
    case 1:
      return kReader.u32(field, "format", m.format);
    case 2:
      return read_name(field, m);
    case 3:
      return read_version(field, m);
    case 4:
      return kReader.digest(field, "artifact_digest", m.artifact_digest);
    case 5:
      return kReader.u32(field, "image_size_bytes", m.image_size_bytes);
    case 6:
      return kReader.u32(field, "chunk_size_bytes", m.chunk_size_bytes);
    case 7:
      return kReader.digest(field, "chunk_table_digest", m.chunk_table_digest);
    case 8:
      return read_class(field, m);
    case 9:
      return read_runtime(field, m);
    case 10:
      return kReader.fixed64(field, "operator_set", m.operator_set);
    case 11:
      return kReader.u32(field, "arena_bytes", m.arena_bytes);
    case 12:
      return kReader.u32(field, "input_bytes", m.input_bytes);
    case 13:
      return kReader.u32(field, "output_bytes", m.output_bytes);
    case 14:
      return kReader.u32(field, "model_size_bytes", m.model_size_bytes);
    case 15:
      return kReader.u32(field, "preprocessing_size_bytes", m.preprocessing_size_bytes);
    case 16:
      return kReader.u32(field, "selftest_size_bytes", m.selftest_size_bytes);
    case 17:
      return kReader.digest(field, "preprocessing_digest", m.preprocessing_digest);
    case 18:
      return kReader.digest(field, "selftest_digest", m.selftest_digest);
    case 19:
      return kReader.digest(field, "tables_digest", m.tables_digest);
    case 20:
      return kReader.digest(field, "gateway_part_digest", m.gateway_part_digest);
    case 21:
      return kReader.u32(field, "security_version", m.security_version);
    case 22:
      return kReader.u32(field, "preprocessing_id", m.preprocessing_id);
    default:
      return {};  // from a newer author
  }
}

}  // namespace

std::string_view to_string(Runtime runtime) {
  switch (runtime) {
    case Runtime::kTfliteInt8:
      return "TFLITE_INT8";
    case Runtime::kNative:
      return "NATIVE";
  }
  return "UNKNOWN";
}

uint32_t Manifest::chunk_count() const {
  if (chunk_size_bytes == 0) return 0;
  return static_cast<uint32_t>((static_cast<uint64_t>(image_size_bytes) + chunk_size_bytes - 1) /
                               chunk_size_bytes);
}

Status validate(const Manifest& m) {
  if (m.format != Manifest::kFormat) {
    return wrong("format", fmt::format("is {}; this version reads format 1", m.format));
  }
  if (m.model.empty()) return wrong("model", "is missing");
  if (to_string(m.version).size() > kVersionBytesMax) return wrong("version", "is too long");
  if (m.device_classes.empty()) return wrong("device_classes", "is missing");
  if (m.device_classes.size() > kManifestClassesMax) {
    return wrong("device_classes", fmt::format("has more than {} entries", kManifestClassesMax));
  }
  for (auto it = m.device_classes.begin(); it != m.device_classes.end(); ++it) {
    if (std::find(m.device_classes.begin(), it, *it) != it) {
      return wrong("device_classes", "names '" + it->str() + "' twice");
    }
  }
  if (m.runtime == Runtime::kTfliteInt8 && m.arena_bytes == 0) {
    return wrong("arena_bytes", "is missing");
  }
  if (m.input_bytes == 0) return wrong("input_bytes", "is missing");
  if (m.output_bytes == 0) return wrong("output_bytes", "is missing");
  if (Status sizes = validate_sizes(m); !sizes) return sizes;
  return validate_digests(m);
}

Result<Bytes> encode(const Manifest& m) {
  if (Status valid = validate(m); !valid) return valid.error();
  wire::Writer writer;
  writer.varint(1, m.format)
      .text(2, m.model.str())
      .text(3, to_string(m.version))
      .bytes(4, m.artifact_digest.bytes)
      .varint(5, m.image_size_bytes)
      .varint(6, m.chunk_size_bytes)
      .bytes(7, m.chunk_table_digest.bytes);
  for (const DeviceClass& device_class : m.device_classes) writer.text(8, device_class.str());
  writer.varint(9, static_cast<uint64_t>(m.runtime))
      .fixed64(10, m.operator_set)
      .varint(11, m.arena_bytes)
      .varint(12, m.input_bytes)
      .varint(13, m.output_bytes)
      .varint(14, m.model_size_bytes)
      .varint(15, m.preprocessing_size_bytes)
      .varint(16, m.selftest_size_bytes)
      .bytes(17, m.preprocessing_digest.bytes)
      .bytes(18, m.selftest_digest.bytes)
      .bytes(19, m.tables_digest.bytes)
      .bytes(20, m.gateway_part_digest.bytes)
      .varint(21, m.security_version)
      .varint(22, m.preprocessing_id);
  Bytes bytes = writer.take();
  if (bytes.size() > kManifestBytesMax) {
    return invalid(
        std::string(kReason),
        fmt::format("manifest: has {} bytes, at most {} are allowed: name fewer device classes",
                    bytes.size(), kManifestBytesMax));
  }
  return bytes;
}

Result<Manifest> decode_manifest(ByteView bytes) {
  if (bytes.size() > kManifestBytesMax) {
    return invalid(std::string(kReason),
                   fmt::format("manifest: has {} bytes, at most {} are allowed", bytes.size(),
                               kManifestBytesMax));
  }
  const Result<std::vector<wire::Field>> fields = wire::split(bytes);
  if (!fields) return invalid(std::string(kReason), "manifest: " + fields.error().message);
  Manifest m;
  m.format = 0;
  bool has_runtime = false;
  uint32_t seen = 0;
  for (const wire::Field& field : *fields) {
    if (field.number <= 22 && field.number != 8) {
      // Readers disagree on which of two wins; a signed document must not be ambiguous.
      if ((seen >> field.number & 1U) != 0) {
        return wrong(fmt::format("field {}", field.number), "is given twice");
      }
      seen |= 1U << field.number;
    }
    has_runtime = has_runtime || field.number == 9;
    if (Status read = read_field(field, m); !read) return read.error();
  }
  if (!has_runtime) return wrong("runtime", "is missing");
  if ((seen & 1U << 3U) == 0) return wrong("version", "is missing");
  if (Status valid = validate(m); !valid) return valid.error();
  return m;
}

}  // namespace covey
