// SPDX-License-Identifier: Apache-2.0
// A private key that stays in a token (a smart card, an HSM, SoftHSM): named by an RFC 7512 URI,
// reached through OpenSSL's engine `pkcs11` (Debian: libengine-pkcs11-openssl), which loads the
// modules that p11-kit knows, or the one of PKCS11_MODULE_PATH. ES256 only.
//
// The PIN: `pin-source=file:...` or `pin-value=...` in the URI, or COVEY_PKCS11_PIN. Nothing asks
// for it on the terminal.
// Errors: PKCS11_UNAVAILABLE (no engine), PKCS11_KEY (no such token or key, or a wrong PIN), and
// those of PrivateKey::adopt(). Any thread, one at a time.
#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"
#include "deploy/signing/keys.hpp"

namespace covey {

bool is_pkcs11_uri(std::string_view text);
Result<PrivateKey> open_pkcs11_key(const std::string& uri);

}  // namespace covey
