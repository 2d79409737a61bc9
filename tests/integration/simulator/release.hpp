// SPDX-License-Identifier: Apache-2.0
// A signed release of the bearing example, as `covey model push` would make it. Plain values.
#pragma once

#include <string>

#include "core/digest.hpp"
#include "deploy/artifact/artifact.hpp"
#include "deploy/signing/keys.hpp"

namespace covey::simulator_test {

struct Release {
  UnsignedArtifact artifact;
  Bytes signed_manifest;
};

// `name` in examples/bearing_vibration/models, e.g. "bearing-1.0.0".
Release make_release(const std::string& name, const PrivateKey& key);

}  // namespace covey::simulator_test
