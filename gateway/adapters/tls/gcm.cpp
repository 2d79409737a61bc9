// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/gcm.hpp"

namespace covey::tls {
namespace {

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, Freed<EVP_CIPHER_CTX_free>>;

int length(ByteView bytes) { return static_cast<int>(bytes.size()); }

}  // namespace

Result<Bytes> gcm_encrypt(const EVP_CIPHER* kind, ByteView key, ByteView nonce, ByteView aad,
                          ByteView plain) {
  const Cipher cipher(EVP_CIPHER_CTX_new());
  Bytes out(plain.size() + kTagBytes);
  int size = 0;
  if (!cipher || EVP_EncryptInit_ex(cipher.get(), kind, nullptr, key.data(), nonce.data()) != 1 ||
      (!aad.empty() &&
       EVP_EncryptUpdate(cipher.get(), nullptr, &size, aad.data(), length(aad)) != 1) ||
      EVP_EncryptUpdate(cipher.get(), out.data(), &size, plain.data(), length(plain)) != 1 ||
      EVP_EncryptFinal_ex(cipher.get(), out.data() + size, &size) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes,
                          out.data() + plain.size()) != 1) {
    return Error{Code::kInternal, "SEALING", "cannot encrypt: " + openssl_said()};
  }
  return out;
}

std::optional<Bytes> gcm_decrypt(const EVP_CIPHER* kind, ByteView key, ByteView nonce, ByteView aad,
                                 ByteView sealed) {
  if (sealed.size() < kTagBytes) return std::nullopt;
  const ByteView text = sealed.first(sealed.size() - kTagBytes);
  Bytes tag(sealed.end() - kTagBytes, sealed.end());
  Bytes plain(text.size());
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int size = 0;
  if (!cipher || EVP_DecryptInit_ex(cipher.get(), kind, nullptr, key.data(), nonce.data()) != 1 ||
      (!aad.empty() &&
       EVP_DecryptUpdate(cipher.get(), nullptr, &size, aad.data(), length(aad)) != 1) ||
      EVP_DecryptUpdate(cipher.get(), plain.data(), &size, text.data(), length(text)) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) != 1 ||
      EVP_DecryptFinal_ex(cipher.get(), plain.data() + size, &size) != 1) {
    ERR_clear_error();
    return std::nullopt;
  }
  return plain;
}

}  // namespace covey::tls
