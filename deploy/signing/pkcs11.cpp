// SPDX-License-Identifier: Apache-2.0
#include "deploy/signing/pkcs11.hpp"

#include <openssl/engine.h>
#include <openssl/err.h>

#include <array>
#include <cstdlib>
#include <memory>

// Debian 12 has no provider for PKCS#11; OpenSSL 3 still takes engines, but warns of them.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace covey {
namespace {

constexpr size_t kUriBytesMax = 4'096;

struct Released {
  void operator()(ENGINE* engine) const { ENGINE_free(engine); }
};
struct Finished {
  void operator()(ENGINE* engine) const { ENGINE_finish(engine); }
};
using Engine = std::unique_ptr<ENGINE, Released>;
using Running = std::unique_ptr<ENGINE, Finished>;

// The last reason is the library's own; what is above it only passes it on.
std::string openssl_said() {
  std::array<char, 256> text{};
  if (const unsigned long number = ERR_peek_last_error(); number != 0) {
    ERR_error_string_n(number, text.data(), text.size());
  }
  ERR_clear_error();
  return text.front() == '\0' ? "no reason given" : text.data();
}

// Without attributes that are secret.
std::string shown(const std::string& uri) { return uri.substr(0, uri.find('?')); }

Error unavailable() {
  return precondition("PKCS11_UNAVAILABLE",
                      "OpenSSL has no engine pkcs11 (" + openssl_said() +
                          "): install libengine-pkcs11-openssl and the token's PKCS#11 module");
}

}  // namespace

bool is_pkcs11_uri(std::string_view text) { return text.starts_with("pkcs11:"); }

Result<PrivateKey> open_pkcs11_key(const std::string& uri) {
  if (uri.size() > kUriBytesMax) return invalid("PKCS11_KEY", "a URI has at most 4,096 bytes");
  ENGINE_load_dynamic();
  const Engine engine(ENGINE_by_id("pkcs11"));
  if (!engine) return unavailable();
  const char* const pin = std::getenv("COVEY_PKCS11_PIN");
  if (pin != nullptr && ENGINE_ctrl_cmd_string(engine.get(), "PIN", pin, 0) != 1) {
    return unavailable();
  }
  if (ENGINE_init(engine.get()) != 1) return unavailable();
  const Running running(engine.get());
  EVP_PKEY* const key = ENGINE_load_private_key(engine.get(), uri.c_str(), nullptr, nullptr);
  if (key == nullptr) {
    return precondition("PKCS11_KEY",
                        shown(uri) + ": no such token or key, or a wrong PIN (" + openssl_said() +
                            "). `p11tool --list-tokens` or `pkcs11-tool -O` shows them; the PIN is "
                            "pin-source=file:FILE in the URI, or COVEY_PKCS11_PIN");
  }
  Result<PrivateKey> opened = PrivateKey::adopt(key);
  if (opened) return opened;
  Error error = opened.error();
  error.message = shown(uri) + ": " + error.message;
  return error;
}

}  // namespace covey

#pragma GCC diagnostic pop
