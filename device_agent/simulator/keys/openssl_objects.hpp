// SPDX-License-Identifier: Apache-2.0
// Files and objects of OpenSSL with their owners. Inside of this folder.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdio>
#include <memory>

#include "core/freed.hpp"

namespace covey::simulator {

using File = std::unique_ptr<std::FILE, Freed<std::fclose>>;
using PublicKeyObject = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;

}  // namespace covey::simulator
