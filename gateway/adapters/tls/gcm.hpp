// SPDX-License-Identifier: Apache-2.0
// Galois/Counter Mode (NIST SP 800-38D) by OpenSSL. Inside of this folder; pure.
#pragma once

#include <optional>
#include <string_view>

#include "core/digest.hpp"
#include "gateway/adapters/tls/openssl_objects.hpp"

namespace covey::tls {

inline constexpr size_t kNonceBytes = 12;
inline constexpr size_t kTagBytes = 16;

inline ByteView view(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// ciphertext | tag. `kind`: EVP_aes_128_gcm() or EVP_aes_256_gcm(), which says how long the key is.
// A nonce is never used twice with a key. Errors: SEALING.
Result<Bytes> gcm_encrypt(const EVP_CIPHER* kind, ByteView key, ByteView nonce, ByteView aad,
                          ByteView plain);
// nullopt: another key, nonce or aad, or it was changed.
std::optional<Bytes> gcm_decrypt(const EVP_CIPHER* kind, ByteView key, ByteView nonce, ByteView aad,
                                 ByteView sealed);

}  // namespace covey::tls
