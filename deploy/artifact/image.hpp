// SPDX-License-Identifier: Apache-2.0
// The image: what a slot holds and chunks carry. Sections model, preprocessing, self-test in this
// order, each padded with zeros to 16 bytes, so that the model is used in place. Pure; any thread.
// Errors: IMAGE_INVALID, CHUNK_SIZE_INVALID, TRUNCATED_IMAGE, OVERSIZED_IMAGE, IMAGE_DIGEST,
// CHUNK_TABLE_DIGEST, CHUNK_DIGEST, SECTION_DIGEST, IMAGE_LAYOUT.
#pragma once

#include <cstdint>

#include "deploy/artifact/manifest.hpp"
#include "deploy/signing/sha256.hpp"

namespace covey {

struct ImageSections {
  ByteView model;
  ByteView preprocessing;
  ByteView selftest;
};

constexpr uint64_t padded(uint64_t size_bytes) {
  return (size_bytes + kSectionAlignment - 1) / kSectionAlignment * kSectionAlignment;
}

Result<Bytes> build_image(const ImageSections& sections);
// 16-byte truncated SHA-256 per chunk, one after the other.
Result<Bytes> build_chunk_table(ByteView image, uint32_t chunk_size_bytes);

// Views into `image`, which must already have the manifest's size and layout.
ImageSections sections_of(const Manifest& manifest, ByteView image);
// The bytes of one chunk; empty when index is beyond the last one.
ByteView chunk_of(const Manifest& manifest, ByteView image, uint32_t index);

// Size, digest, layout, padding and section digests.
Status verify_image(const Manifest& manifest, ByteView image);
Status verify_chunk_table(const Manifest& manifest, ByteView table);
Status verify_chunk(const Manifest& manifest, ByteView table, uint32_t index, ByteView chunk);

}  // namespace covey
