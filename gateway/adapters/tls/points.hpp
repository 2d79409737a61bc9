// SPDX-License-Identifier: Apache-2.0
// Points of P-256 as OpenSSL's keys. Inside of this folder.
#pragma once

#include "core/digest.hpp"
#include "gateway/adapters/tls/openssl_objects.hpp"

namespace covey::tls {

// nullptr: no uncompressed point of the curve.
Key key_of_point(ByteView point);
// Empty: the key is none of P-256.
Bytes point_of_key(const EVP_PKEY* key);

}  // namespace covey::tls
