// SPDX-License-Identifier: Apache-2.0
#include "deploy/artifact/signature_wire.hpp"

#include <algorithm>

namespace covey {

Bytes encode_signature(const Signature& signature) {
  wire::Writer writer;
  writer.varint(1, signature.algorithm).bytes(2, signature.key_id).bytes(3, signature.bytes);
  return writer.take();
}

Result<Signature> read_signature(const wire::Reader& reader, ByteView bytes) {
  const Result<std::vector<wire::Field>> fields = wire::split(bytes);
  if (!fields) return reader.error("signatures", fields.error().message);
  Signature signature;
  uint32_t seen = 0;
  for (const wire::Field& field : *fields) {
    if (field.number > 3) continue;
    if ((seen >> field.number & 1U) != 0) return reader.error("signatures", "has a field twice");
    seen |= 1U << field.number;
    ByteView value;
    Status read;
    if (field.number == 1) {
      read = reader.u32(field, "signatures.algorithm", signature.algorithm);
    } else if (field.number == 2) {
      read = reader.bytes(field, "signatures.key_id", signature.key_id.size(), value);
      if (read && value.size() != signature.key_id.size()) {
        return reader.error("signatures.key_id", "expected 8 bytes");
      }
      std::copy(value.begin(), value.end(), signature.key_id.begin());
    } else {
      read = reader.bytes(field, "signatures.signature", signature.bytes.size(), value);
      if (read && value.size() != signature.bytes.size()) {
        return reader.error("signatures.signature", "expected 64 bytes");
      }
      std::copy(value.begin(), value.end(), signature.bytes.begin());
    }
    if (!read) return read.error();
  }
  if (seen != 0b1110U) return reader.error("signatures", "needs algorithm, key_id and signature");
  return signature;
}

}  // namespace covey
