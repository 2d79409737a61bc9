// SPDX-License-Identifier: Apache-2.0
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>

#include "core/digest.hpp"

#include <fmt/format.h>
#include "gateway/adapters/broker/broker.hpp"

namespace covey::broker {
namespace {

constexpr int kIterations = 1;
constexpr size_t kSaltBytes = 12;
constexpr size_t kHashBytes = 64;

template <size_t N>
std::string base64(const std::array<uint8_t, N>& bytes) {
  std::array<uint8_t, 4 * ((N + 2) / 3) + 1> text{};
  const int length = EVP_EncodeBlock(text.data(), bytes.data(), static_cast<int>(N));
  return {reinterpret_cast<const char*>(text.data()), static_cast<size_t>(length)};
}

template <size_t N>
std::array<uint8_t, N> random_bytes() {
  std::array<uint8_t, N> bytes{};
  COVEY_ASSERT(RAND_bytes(bytes.data(), static_cast<int>(N)) == 1);
  return bytes;
}

}  // namespace

std::string hash_password(std::string_view password) {
  const auto salt = random_bytes<kSaltBytes>();
  std::array<uint8_t, kHashBytes> hash{};
  COVEY_ASSERT(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), salt.data(),
                                 static_cast<int>(salt.size()), kIterations, EVP_sha512(),
                                 static_cast<int>(hash.size()), hash.data()) == 1);
  return fmt::format("$7${}${}${}", kIterations, base64(salt), base64(hash));
}

std::string random_password() { return to_hex(random_bytes<16>()); }

}  // namespace covey::broker
