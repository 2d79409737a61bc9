// SPDX-License-Identifier: Apache-2.0
// What is kept encrypted, and what opens it again: AES-256-GCM (NIST SP 800-38D) with a random
// nonce. A box is opened with the label that it was closed with, so that one can't stand in
// another's place.
//
// Thread safety: pure, but for the system's random source.
#pragma once

#include <string_view>

#include "core/digest.hpp"
#include "core/result.hpp"

namespace covey::tls {

// nonce | ciphertext | tag: 28 bytes more than `plain`. Errors: SEALING.
Result<Bytes> close_box(const Digest& key, std::string_view label, ByteView plain);
// Errors: BOX_INVALID: another key, another label, or it was changed.
Result<Bytes> open_box(const Digest& key, std::string_view label, ByteView box);

}  // namespace covey::tls
