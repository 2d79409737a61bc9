// SPDX-License-Identifier: Apache-2.0
// A device with a root document against any message on the topic of the next one. The input is that
// message. Without the keys nobody finds a signature: the version stays, and so does what the
// journal holds. And the parser alone, on the input as a document.
#include <cstdlib>
#include <memory>
#include <string>

#include "device_agent/src/flash/flash.h"
#include "tests/unit/agent/bench.hpp"

namespace {

using covey::agent_test::Bytes;
namespace wire = covey::device::v1;

// Keys that nobody has: any 32 bytes may be one of Ed25519.
Bytes first_document() {
  wire::Root root;
  root.set_format(1);
  root.set_version(1);
  root.set_root_threshold(2);
  root.set_author_threshold(1);
  for (char c = 'a'; c < 'e'; ++c) {
    wire::RootKey& key = *root.add_keys();
    key.set_algorithm(wire::SIGNATURE_ALGORITHM_ED25519);
    key.set_key(std::string(32, c));
    key.set_roles(c < 'd' ? 1 : 2);
  }
  wire::SignedRoot document;
  document.set_root(root.SerializeAsString());
  return document.SerializeAsString();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const std::unique_ptr<covey::agent_test::Bench> bench = [] {
    covey::agent_test::DeviceOptions options;
    options.journal_bytes = 8192;
    options.root = first_document();
    auto made = std::make_unique<covey::agent_test::Bench>(options);
    made->bring_up();
    return made;
  }();
  covey_agent_t& agent = bench->device.agent;
  const uint32_t generation = covey_agent_journal_generation(&agent);
  bench->device.deliver({"covey/v1/m/root-2", Bytes(reinterpret_cast<const char*>(bytes), size)});
  if (covey_agent_root_version(&agent) != 1) std::abort();
  if (covey_agent_journal_generation(&agent) != generation) std::abort();
  covey_keyring_t ring;
  for (const covey_role role : {COVEY_ROLE_ROOT, COVEY_ROLE_AUTHOR}) {
    if (size == 0 || covey_root_read(&agent, {bytes, size}, role, &ring) != 0) continue;
    if (ring.threshold == 0 || ring.threshold > ring.count || ring.count > COVEY_ROOT_KEYS_MAX) {
      std::abort();
    }
    for (size_t k = 0; k < ring.count; ++k) {
      if (ring.keys[k].key < bytes || ring.keys[k].key + ring.keys[k].key_size > bytes + size) {
        std::abort();
      }
    }
  }
  return 0;
}
