// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/secret_box.hpp"

#include <openssl/rand.h>

#include "gateway/adapters/tls/gcm.hpp"

namespace covey::tls {

Result<Bytes> close_box(const Digest& key, std::string_view label, ByteView plain) {
  Bytes box(kNonceBytes);
  if (RAND_bytes(box.data(), kNonceBytes) != 1) {
    return Error{Code::kInternal, "SEALING", "no randomness: " + openssl_said()};
  }
  const Result<Bytes> sealed = gcm_encrypt(EVP_aes_256_gcm(), key.bytes, box, view(label), plain);
  if (!sealed) return sealed.error();
  box.insert(box.end(), sealed->begin(), sealed->end());
  return box;
}

Result<Bytes> open_box(const Digest& key, std::string_view label, ByteView box) {
  std::optional<Bytes> plain;
  if (box.size() >= kNonceBytes) {
    plain = gcm_decrypt(EVP_aes_256_gcm(), key.bytes, box.first(kNonceBytes), view(label),
                        box.subspan(kNonceBytes));
  }
  if (plain) return *std::move(plain);
  return Error{Code::kDataLoss, "BOX_INVALID",
               "it was encrypted with another key, or was changed since"};
}

}  // namespace covey::tls
