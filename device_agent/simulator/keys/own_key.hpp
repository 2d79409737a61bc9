// SPDX-License-Identifier: Apache-2.0
// A simulated device's own key (P-256) and its certificate: in files beside flash and identity, or
// in memory. It survives power cuts and factory resets, as a key in a secure element does.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "covey/port.h"
#include "covey/port_host.h"
#include "device_agent/simulator/keys/manufacturer.hpp"

struct evp_pkey_st;  // OpenSSL's

namespace covey::simulator {

class OwnKey {
 public:
  // DIRECTORY/ID.key (PEM, made when it is not there) and ID.certificate (DER); an empty directory:
  // in memory. `certificate`: the device wants one. `maker`: says who it is; null: nobody does.
  // Errors: DEVICE_STATE, MANUFACTURER.
  static Result<std::unique_ptr<OwnKey>> build(const std::string& directory, const std::string& id,
                                               bool certificate, const Manufacturer* maker);
  OwnKey() = default;  // call build() instead
  ~OwnKey();
  OwnKey(const OwnKey&) = delete;
  OwnKey& operator=(const OwnKey&) = delete;

  const covey_device_key_t* port() const { return &port_; }
  evp_pkey_st* key() const { return key_; }
  // X.509 in DER; empty: none.
  std::span<const uint8_t> certificate() const { return {kept_.bytes, kept_.size}; }

 private:
  evp_pkey_st* key_ = nullptr;
  std::vector<uint8_t> manufactured_;  // certificate in DER; empty: none
  covey_host_store_t kept_{};
  covey_store_t store_{};
  covey_device_key_t port_{};
};

}  // namespace covey::simulator
