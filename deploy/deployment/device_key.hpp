// SPDX-License-Identifier: Apache-2.0
// How a device's own key is named. Pure; any thread.
#pragma once

#include <string>

#include "core/digest.hpp"

namespace covey {

// SHA-256 of the key as `openssl pkey -pubin -outform DER` writes it (SubjectPublicKeyInfo): hex.
// `point`: of P-256, uncompressed (SEC 1); "" of an empty one.
std::string device_key_fingerprint(ByteView point);

}  // namespace covey
