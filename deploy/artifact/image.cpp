// SPDX-License-Identifier: Apache-2.0
#include "deploy/artifact/image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace covey {
namespace {

void append_section(Bytes& image, ByteView section) {
  image.insert(image.end(), section.begin(), section.end());
  image.resize(static_cast<size_t>(padded(image.size())), 0);
}

bool is_padding_zero(ByteView image, uint64_t offset, uint64_t size_bytes) {
  const ByteView padding = image.subspan(offset + size_bytes, padded(size_bytes) - size_bytes);
  return std::all_of(padding.begin(), padding.end(), [](uint8_t byte) { return byte == 0; });
}

Status verify_section(std::string_view name, ByteView section, const Digest& expected) {
  if (sha256(section) == expected) return {};
  return invalid("SECTION_DIGEST", "the " + std::string(name) +
                                       " section is not the one that the manifest describes");
}

}  // namespace

Result<Bytes> build_image(const ImageSections& sections) {
  if (sections.model.empty()) return invalid("IMAGE_INVALID", "an image needs a model");
  if (sections.selftest.empty()) {
    return invalid("IMAGE_INVALID", "an image needs self-test vectors");
  }
  const uint64_t total = padded(sections.model.size()) + padded(sections.preprocessing.size()) +
                         padded(sections.selftest.size());
  if (total > kImageBytesMax) {
    return invalid("IMAGE_INVALID",
                   fmt::format("the image would have {} bytes, at most {} are allowed", total,
                               kImageBytesMax));
  }
  Bytes image;
  image.reserve(static_cast<size_t>(total));
  append_section(image, sections.model);
  append_section(image, sections.preprocessing);
  append_section(image, sections.selftest);
  return image;
}

Result<Bytes> build_chunk_table(ByteView image, uint32_t chunk_size_bytes) {
  if (chunk_size_bytes < kChunkBytesMin || chunk_size_bytes > kChunkBytesMax ||
      chunk_size_bytes % kSectionAlignment != 0) {
    return invalid("CHUNK_SIZE_INVALID",
                   fmt::format("a chunk has a multiple of 16 bytes, from {} to {}", kChunkBytesMin,
                               kChunkBytesMax));
  }
  Bytes table;
  while (!image.empty()) {
    const ByteView chunk = image.first(std::min<size_t>(chunk_size_bytes, image.size()));
    const Digest16 digest = truncate16(sha256(chunk));
    table.insert(table.end(), digest.begin(), digest.end());
    image = image.subspan(chunk.size());
  }
  if (table.size() / sizeof(Digest16) > kChunksMax) {
    return invalid("CHUNK_SIZE_INVALID",
                   fmt::format("the image has more than {} chunks: use larger chunks", kChunksMax));
  }
  return table;
}

ImageSections sections_of(const Manifest& manifest, ByteView image) {
  COVEY_ASSERT(image.size() == manifest.image_size_bytes);
  const uint64_t preprocessing = padded(manifest.model_size_bytes);
  const uint64_t selftest = preprocessing + padded(manifest.preprocessing_size_bytes);
  COVEY_ASSERT(selftest + padded(manifest.selftest_size_bytes) == image.size());
  return {image.first(manifest.model_size_bytes),
          image.subspan(preprocessing, manifest.preprocessing_size_bytes),
          image.subspan(selftest, manifest.selftest_size_bytes)};
}

ByteView chunk_of(const Manifest& manifest, ByteView image, uint32_t index) {
  const uint64_t start = static_cast<uint64_t>(index) * manifest.chunk_size_bytes;
  if (start >= image.size()) return {};
  return image.subspan(start, std::min<size_t>(manifest.chunk_size_bytes, image.size() - start));
}

Status verify_image(const Manifest& manifest, ByteView image) {
  if (image.size() < manifest.image_size_bytes) {
    return invalid("TRUNCATED_IMAGE", fmt::format("the image has {} of {} bytes: send all of it",
                                                  image.size(), manifest.image_size_bytes));
  }
  if (image.size() > manifest.image_size_bytes) {
    return invalid("OVERSIZED_IMAGE",
                   fmt::format("the image has {} bytes, but the manifest says {}", image.size(),
                               manifest.image_size_bytes));
  }
  const uint64_t preprocessing = padded(manifest.model_size_bytes);
  const uint64_t selftest = preprocessing + padded(manifest.preprocessing_size_bytes);
  if (selftest + padded(manifest.selftest_size_bytes) != image.size()) {
    return invalid("IMAGE_LAYOUT", "the sections don't add up to the image");
  }
  if (sha256(image) != manifest.artifact_digest) {
    return invalid("IMAGE_DIGEST", "the image is not the one that was signed: its SHA-256 is " +
                                       to_hex(sha256(image)) + ", the manifest says " +
                                       to_hex(manifest.artifact_digest));
  }
  if (!is_padding_zero(image, 0, manifest.model_size_bytes) ||
      !is_padding_zero(image, preprocessing, manifest.preprocessing_size_bytes) ||
      !is_padding_zero(image, selftest, manifest.selftest_size_bytes)) {
    return invalid("IMAGE_LAYOUT", "bytes between the sections are not zero");
  }
  const ImageSections sections = sections_of(manifest, image);
  Status verified =
      verify_section("preprocessing", sections.preprocessing, manifest.preprocessing_digest);
  if (!verified) return verified;
  return verify_section("self-test", sections.selftest, manifest.selftest_digest);
}

Status verify_chunk_table(const Manifest& manifest, ByteView table) {
  if (table.size() == static_cast<size_t>(manifest.chunk_count()) * sizeof(Digest16) &&
      sha256(table) == manifest.chunk_table_digest) {
    return {};
  }
  return invalid("CHUNK_TABLE_DIGEST",
                 fmt::format("the chunk table is not the one that was signed: was the image cut "
                             "into chunks of {} bytes?",
                             manifest.chunk_size_bytes));
}

Status verify_chunk(const Manifest& manifest, ByteView table, uint32_t index, ByteView chunk) {
  const size_t offset = static_cast<size_t>(index) * sizeof(Digest16);
  if (index >= manifest.chunk_count() || offset + sizeof(Digest16) > table.size()) {
    return invalid("CHUNK_DIGEST", fmt::format("there is no chunk {}", index));
  }
  if (!std::ranges::equal(truncate16(sha256(chunk)), table.subspan(offset, sizeof(Digest16)))) {
    return invalid("CHUNK_DIGEST", fmt::format("chunk {} is not the one that was signed", index));
  }
  return {};
}

}  // namespace covey
