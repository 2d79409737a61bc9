// SPDX-License-Identifier: Apache-2.0
// covey.device.v1.Signature, as manifests and root documents carry it. Internal to deploy/artifact
// and deploy/root. Pure; any thread.
#pragma once

#include "deploy/artifact/wire.hpp"
#include "deploy/signing/keys.hpp"

namespace covey {

Bytes encode_signature(const Signature& signature);
// Errors are the reader's: each field once, and of its size.
Result<Signature> read_signature(const wire::Reader& reader, ByteView bytes);

}  // namespace covey
